"""Send changed payloads to everything that others can reach: `python -m tests.fuzz --minutes 10`."""

import argparse
import sys

from tests.fuzz.running import fuzz
from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run each target for its share of the time, and print how many payloads it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="time for all targets together (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="where the choice of payloads begins (default: 1)")
    parser.add_argument("--only", choices=list(TARGETS), help="run one target for the whole time")
    args = parser.parse_args()
    chosen = [args.only] if args.only else list(TARGETS)
    for name in chosen:
        sent = fuzz(TARGETS[name](), examples=200, seconds=args.minutes * 60 / len(chosen), seed=args.seed)
        sys.stdout.write(f"{name}: {sent} payloads, no error\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
