"""The entry point of `python -m bot`."""

import os
import sys


def read_names_as_utf8() -> None:
    """Start again in UTF-8 mode where Python would read arguments and file names as ASCII (`LC_ALL=C`).

    The output keeps its encoding: a terminal or log that has no Japanese shows escapes.
    """
    if sys.getfilesystemencoding() == "ascii" and sys.executable:
        shown = sys.stdout.encoding if sys.stdout else "ascii"
        os.putenv("PYTHONIOENCODING", f"{shown}:backslashreplace")
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this very program


if __name__ == "__main__":
    read_names_as_utf8()
    from bot.cli import main

    sys.exit(main())
