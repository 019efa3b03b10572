"""Alias: `python -m bot.local.model` runs `python -m bot.embedded`."""

import sys

from bot.embedded.__main__ import main

if __name__ == "__main__":
    sys.stderr.write("python -m bot.local.model is now python -m bot.embedded; the old name still works.\n")
    main()
