"""A stress test, run by `make chaos`: nothing may be lost or answered twice while everything fails.

Two replicas of the bot answer a thousand questions on a real database. Meanwhile replicas are killed and paused, the
database crashes, and Slack and the model fail, all at random. At the end every question must have exactly one answer,
or one notice that it failed, and every confirmed press must be stored. Violations are listed and the exit code is 1.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.chaos.running import Plan, run


def parse_plan() -> Plan:
    defaults = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=defaults.minutes, help="default: %(default)s")
    parser.add_argument("--questions", type=int, default=defaults.questions, help="default: %(default)s")
    parser.add_argument("--replicas", type=int, default=defaults.replicas, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="default: %(default)s")
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres", help="default: %(default)s")
    args = parser.parse_args()
    return Plan(args.minutes, args.questions, args.replicas, args.seed, args.database == "postgres")


def main() -> int:
    """Run the plan, print its report, and return the exit code."""
    logging.basicConfig(level=logging.ERROR)
    plan = parse_plan()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    report = asyncio.run(run(plan, folder))
    lines = [f"{name:<45} {value}" for name, value in report.figures.items()]
    lines += ["", *map(str, report.violations), f"{len(report.violations)} violations; the logs are in {folder}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
