"""The bot with its statements counted: `python -m tests.bench.counted FILE` is `python -m bot run`.

On SIGUSR1 it writes to the file what it sent to the database since the last time, as JSON.
"""

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from bot import cli

TRANSACTIONS = "transactions"

_counted: Counter[str] = Counter()


@event.listens_for(Engine, "before_cursor_execute")
def _count_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    _counted[statement] += 1


@event.listens_for(Engine, "begin")
def _count_transaction(_connection: Any) -> None:
    _counted[TRANSACTIONS] += 1


def main(file: Path) -> int:
    """Run the bot until it is told to stop, and return its exit status."""

    def write(*_: object) -> None:
        made = file.with_suffix(".part")
        made.write_text(json.dumps(_counted), encoding="utf-8")
        made.replace(file)
        _counted.clear()

    signal.signal(signal.SIGUSR1, write)
    return cli.main(["run"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
