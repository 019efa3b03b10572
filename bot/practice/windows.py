"""The page's open windows. Each window has a queue of its own, so that a slow window does not delay the others."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.practice.wire import Json


class Windows:
    """The open windows of the page, each with the person who uses it."""

    def __init__(self) -> None:
        self._windows: dict[asyncio.Queue[str], str] = {}

    def tell(self, frame: Json, to: Collection[str] | None = None) -> None:
        """Send a frame to the windows of the people in `to` (user ids), or to all windows if `to` is None."""
        text = ""
        for queue, user_id in self._windows.items():
            if to is None or user_id in to:
                text = text or json.dumps(frame)
                queue.put_nowait(text)

    async def serve_socket(self, ws: WebSocket, user_id: str, hello: Callable[[], Json]) -> None:
        """Serve one window until it closes; `hello` returns its first frame."""
        await ws.accept()
        queue: asyncio.Queue[str] = asyncio.Queue()
        queue.put_nowait(json.dumps(hello()))
        self._windows[queue] = user_id
        sender = asyncio.ensure_future(_forward(queue, ws))
        try:
            while True:
                await ws.receive_text()
        except (WebSocketDisconnect, KeyError):  # KeyError: a frame of bytes
            return
        finally:
            del self._windows[queue]
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)


async def _forward(queue: asyncio.Queue[str], ws: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await ws.send_text(await queue.get())
