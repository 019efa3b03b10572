"""The entry point of `python -m bot`."""

import gc
import os
import re
import sys
from pathlib import Path

NO_ENVIRONMENT = "cli.no_environment"
TEXT_FILES = Path(__file__).resolve().parent.parent / "handlers" / "texts"


def read_names_as_utf8() -> None:
    """Start again in UTF-8 mode where Python would read arguments and file names as ASCII (`LC_ALL=C`).

    The output keeps its encoding: a terminal or log that has no Japanese shows escapes.
    """
    if sys.getfilesystemencoding() == "ascii" and sys.executable:
        shown = sys.stdout.encoding if sys.stdout else "ascii"
        os.putenv("PYTHONIOENCODING", f"{shown}:backslashreplace")
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this very program


def no_environment(missing: ModuleNotFoundError) -> str:
    """Return what to do where the packages are not installed, in both languages: the settings need a package, too."""
    key = NO_ENVIRONMENT.rpartition(".")[2]
    # Without tomllib: an older Python, too, must be able to say this.
    files = [(TEXT_FILES / name).read_text(encoding="utf-8") for name in ("en.toml", "ja.toml")]
    found = [text for file in files for text in re.findall(f'^{key} = "(.*)"$', file, re.MULTILINE)]
    return "\n".join(found).format(module=missing.name)


if __name__ == "__main__":
    read_names_as_utf8()
    # Loading makes no garbage, and looking for some took a twentieth of the start.
    gc.set_threshold(10_000)
    try:
        from bot.cli import main
    except ModuleNotFoundError as error:
        sys.exit(no_environment(error))

    sys.exit(main())
