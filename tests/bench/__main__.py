"""How the bot bears load, as ratios within one run: `make bench`, or a part: `python -m tests.bench sustained`.

What is measured is a process of its own; Slack, the people and the model share another one beside it.
"""

import argparse
import asyncio

from tests.bench import burst, langsmith, stored, sustained

DATABASES = ("sqlite", "postgresql")
PARTS = ("sustained", "burst", "stored", "langsmith")


async def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), help="default: all")
    parser.add_argument("--database", action="append", choices=DATABASES, help="default: both")
    parser.add_argument("--questions", type=int, default=500, help="of `sustained` and `stored`")
    parser.add_argument("--burst", type=int, default=2_000, help="questions of `burst`")
    parser.add_argument("--within", type=float, default=10.0, help="seconds in which they are asked; 0: at once")
    parser.add_argument("--stored", type=int, default=1_000_000, help="questions in the larger database of `stored`")
    parser.add_argument("--asked", type=int, default=60, help="questions to each bot of `langsmith`; 0: none")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the backlog of `langsmith`; 0: none")
    parser.add_argument("--only", help="the one loop of `langsmith` of this name")
    call = parser.parse_args()
    databases = call.database or DATABASES
    parts = call.parts or PARTS
    if "sustained" in parts:
        await sustained.main(call.questions, databases)
    if "burst" in parts:
        await burst.main(call.burst, call.within, databases)
    if "stored" in parts:
        await stored.main(call.stored, call.questions, databases)
    if "langsmith" in parts:
        await langsmith.main(call.asked, call.rows, call.only)


if __name__ == "__main__":
    asyncio.run(main())
