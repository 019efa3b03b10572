"""Load tests, reported as ratios within one run: `make bench` runs all parts, `python -m tests.bench sustained` one.

The program under test runs in its own process. Slack, the people and the model share another one. Two more parts
measure the embedded model: `learning [FILE ...]` and `robustness [FILE ...]`. They run only if they are named.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.settings import ROOT
from tests.bench import (
    burst,
    distant,
    exchange,
    home,
    langsmith,
    learning,
    pressed,
    replicas,
    rest,
    robustness,
    start,
    stored,
    sustained,
    trained,
)

DATABASES = ("sqlite", "postgresql")
PARTS = (
    "sustained",
    "pressed",
    "distant",
    "burst",
    "stored",
    "home",
    "exchange",
    "trained",
    "langsmith",
    "start",
    "rest",
    "replicas",
)
OF_THE_LEARNER = {"learning": learning, "robustness": robustness}


async def main() -> None:
    """Run the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=(*PARTS, []), metavar="PART", help=f"{', '.join(PARTS)}; default: all"
    )
    parser.add_argument("--database", action="append", choices=DATABASES, help="may be repeated; default: both")
    parser.add_argument(
        "--questions", type=int, default=500, help="questions in `sustained` and `stored`, and presses in `pressed`"
    )
    parser.add_argument("--burst", type=int, default=2_000, help="questions in `burst`")
    parser.add_argument("--within", type=float, default=10.0, help="length of the burst in seconds; 0: all at once")
    parser.add_argument(
        "--stored", type=int, default=1_000_000, help="questions in `stored`, in the larger database, and `home`"
    )
    parser.add_argument(
        "--proxy", action="store_true", help="in `sustained`, a bare handler behind LiteLLM's proxy, too"
    )
    parser.add_argument("--plot", type=Path, help="picture to draw of `stored`, such as growth.svg")
    parser.add_argument("--lines", type=int, action="append", help="lines in `exchange`; may be repeated")
    parser.add_argument("--trained", type=int, default=50_000, help="rows in `trained`")
    parser.add_argument("--asked", type=int, default=60, help="questions per bot in `langsmith`; 0: skip this table")
    parser.add_argument("--rows", type=int, default=100_000, help="backlog rows in `langsmith`; 0: skip this table")
    parser.add_argument("--only", help='run only this case of `langsmith`, such as "black hole"')
    parser.add_argument("--runs", type=int, default=5, help="runs in `burst`, `exchange` and `start`")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the rest in `rest`")
    parser.add_argument("--replicas", type=int, default=10, help="replicas in `replicas`")
    parser.add_argument("--rate", type=float, default=50.0, help="questions a second in `replicas`")
    args = parser.parse_args()
    databases = args.database or DATABASES
    parts = args.parts or PARTS
    if "sustained" in parts:
        await sustained.main(args.questions, databases, through_proxy=args.proxy)
    if "pressed" in parts:
        await pressed.main(args.questions, databases)
    if "distant" in parts:
        await distant.main(args.questions, databases)
    if "burst" in parts:
        await burst.main(args.burst, args.within, databases, args.runs)
    if "stored" in parts:
        await stored.main(args.stored, args.questions, databases, args.plot)
    if "home" in parts:
        await home.main(args.stored, databases)
    if "exchange" in parts:
        exchange.main(args.lines or [100_000], databases, args.runs)
    if "trained" in parts:
        await trained.main(args.trained)
    if "langsmith" in parts:
        await langsmith.main(args.asked, args.rows, args.only)
    if "start" in parts:
        await start.main(args.runs)
    if "rest" in parts:
        await rest.main(args.seconds, args.questions, databases)
    if "replicas" in parts:
        await replicas.main(args.replicas, args.rate, args.questions)


def measure_learner(part: str, arguments: Sequence[str]) -> None:
    """Run a part that measures the embedded model."""
    module = OF_THE_LEARNER[part]
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench {part}", description=module.__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: the sample histories")
    parser.add_argument("--draws", type=int, default=3, help="draws of each size in `learning`; default: %(default)s")
    args = parser.parse_args(arguments)
    for file in args.files or [ROOT / "prompts" / language / "history.csv" for language in ("en", "ja")]:
        module.measure(file, args.draws)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in OF_THE_LEARNER:
        measure_learner(sys.argv[1], sys.argv[2:])
    else:
        asyncio.run(main())
