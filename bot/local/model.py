"""The old name of `python -m bot.embedded`."""

import sys

from bot.embedded.__main__ import main

if __name__ == "__main__":
    sys.stderr.write("python -m bot.local.model is now python -m bot.embedded; this name goes on working.\n")
    main()
