"""Nothing lost, whatever dies: `make chaos`. Replicas on a real database, and everything around them fails at random.

Two replicas of the bot answer a thousand questions while they are killed and paused, the database crashes, and Slack
and the model fail. When it is over, every question has one answer or was told that it failed, and every press that was
confirmed is kept; what is not so is listed, and the exit code is 1.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.chaos.running import Plan, run


def parsed() -> Plan:
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=plan.minutes)
    parser.add_argument("--questions", type=int, default=plan.questions)
    parser.add_argument("--replicas", type=int, default=plan.replicas)
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    call = parser.parse_args()
    return Plan(call.minutes, call.questions, call.replicas, call.seed, call.database == "postgres")


def main() -> int:
    """Play, and print what came of it."""
    logging.basicConfig(level=logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    outcomes = asyncio.run(run(parsed(), folder))
    lines = [f"{name:<45} {value}" for name, value in outcomes.figures.items()]
    lines += ["", *map(str, outcomes.violations), f"{len(outcomes.violations)} violations; the logs are in {folder}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcomes.violations else 0


if __name__ == "__main__":
    sys.exit(main())
