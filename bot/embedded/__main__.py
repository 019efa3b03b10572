"""`python -m bot.embedded --port 8001 --folder models`: the embedded model as a server of its own."""

import argparse
from pathlib import Path

import uvicorn

from bot.embedded import FolderShelf, LocalModel


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m bot.embedded", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8001, help="the port to listen on")
    parser.add_argument("--folder", type=Path, required=True, help="where files, jobs and models are kept")
    parser.add_argument(
        "--api-key-file", type=Path, help="a file with the key to ask of callers (default: ask for none)"
    )
    given = parser.parse_args()
    key = given.api_key_file.read_text(encoding="utf-8").strip() if given.api_key_file else None
    uvicorn.run(
        LocalModel(FolderShelf(given.folder), api_key=key).app, host=given.host, port=given.port, log_level="warning"
    )


if __name__ == "__main__":
    main()
