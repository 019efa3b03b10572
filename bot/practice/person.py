"""A client of the page for programs: it posts, presses and chooses as one person, and waits for what appears."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bot.practice.state import elements
from bot.practice.wire import Json

_MAX_FRAMES = 2000
_SHOWN = 3
"""Most frames that the message of a timeout shows."""
Which = str | Callable[[Json], bool]


def loopback(base_url: str = "") -> httpx2.AsyncClient:
    """Return an HTTP client for loopback, without a proxy and without CA certificates, which take long to load."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # uvicorn closes a connection after five idle seconds; the client must not reuse one that is about to close.
    limits = httpx2.Limits(keepalive_expiry=2.0)
    return httpx2.AsyncClient(base_url=base_url, trust_env=False, timeout=30.0, verify=tls, limits=limits)


class RefusedError(Exception):
    """The workspace's refusal of an action. `answer` is the whole answer, `error` the error's name."""

    def __init__(self, answer: Json) -> None:
        super().__init__(answer.get("error") or str(answer.get("errors")))
        self.answer = answer
        self.error: str = answer.get("error", "")


class Person:
    """A sample person in one window. Use as `async with Person(server.url, user_id) as person`.

    Args:
        url: The workspace's address (`Server.url`).
        user_id: The id of one of `Server.people`.

    Every action raises `RefusedError` if the workspace refuses it: `operation_timeout`, `dispatch_failed` and others.
    """

    def __init__(self, url: str, user_id: str) -> None:
        self.user_id = user_id
        self.hello: Json = {}
        self._url = url
        self._http = loopback(f"{url}page/")
        self._frames: deque[Json] = deque(maxlen=_MAX_FRAMES)
        self._waiting: list[tuple[Callable[[Json], bool], asyncio.Future[Json]]] = []
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        address = f"{self._url.replace('http', 'ws', 1)}page/socket?user={self.user_id}"
        self._socket = await connect(address, proxy=None, max_size=None, compression=None)
        self.hello = json.loads(await self._socket.recv())
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._socket and self._reader:
            await self._socket.close()
            await self._reader
        await self._http.aclose()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._dispatch(json.loads(text))
        except ConnectionClosed:
            return

    def _dispatch(self, frame: Json) -> None:
        for wanted in self._waiting:
            if wanted[0](frame):
                self._waiting.remove(wanted)
                wanted[1].set_result(frame)
                return
        self._frames.append(frame)

    async def wait_for(self, wanted: Callable[[Json], bool], timeout: float = 10.0) -> Json:  # noqa: ASYNC109 (reads better than a block)
        """Return the first frame that `wanted` accepts and that was not returned before.

        Raises:
            TimeoutError: No such frame arrived within `timeout` seconds; the message shows the last ones that did.
        """
        for frame in self._frames:
            if wanted(frame):
                self._frames.remove(frame)
                return frame
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        waiting = (wanted, future)
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise TimeoutError(f"no such frame; the last ones were {list(self._frames)[-_SHOWN:]}") from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def message(self, wanted: Callable[[Json], bool], timeout: float = 10.0) -> Json:  # noqa: ASYNC109 (as wait_for)
        """Wait for a new or changed message and return it with its `channel`."""
        frame = await self.wait_for(lambda one: one["type"] == "message" and wanted(one["message"]), timeout)
        return {**frame["message"], "channel": frame["channel"]}

    async def answer(self, ts: str, timeout: float = 10.0) -> Json:  # noqa: ASYNC109 (as wait_for)
        """Wait for the app's next new or changed message in the thread of the message `ts`."""
        return await self.message(lambda one: one.get("thread_ts") == ts != one["ts"] and "bot_id" in one, timeout)

    async def view(self, timeout: float = 10.0) -> Json:  # noqa: ASYNC109 (as wait_for)
        """Wait until a modal opens or changes, and return its view."""
        view: Json = (await self.wait_for(lambda one: one["type"] == "view", timeout))["view"]
        return view

    async def say(self, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Type a message (`@name` mentions) and return its ts."""
        return str((await self._post("messages", channel=channel, text=text, thread_ts=thread_ts))["ts"])

    async def forward(self, message: Json, channel: str, text: str = "", thread_ts: str | None = None) -> str:
        """Forward a message (with its `channel`) with a text of one's own, and return the new message's ts."""
        original = {"from_channel": message["channel"], "from_ts": message["ts"]}
        sent = await self._post("messages/forward", channel=channel, text=text, thread_ts=thread_ts, **original)
        return str(sent["ts"])

    async def edit(self, channel: str, ts: str, text: str) -> None:
        await self._post("messages/edit", channel=channel, ts=ts, text=text)

    async def delete(self, channel: str, ts: str) -> None:
        await self._post("messages/delete", channel=channel, ts=ts)

    async def react(self, channel: str, ts: str, name: str, *, on: bool = True) -> None:
        await self._post("reactions", channel=channel, ts=ts, name=name, on=on)

    async def history(self, channel: str) -> list[Json]:
        """Return the messages of a channel, oldest first."""
        return await self._messages("history", channel=channel)

    async def replies(self, channel: str, ts: str) -> list[Json]:
        """Return a thread, parent first."""
        return await self._messages("replies", channel=channel, ts=ts)

    async def press(self, holder: Json, which: Which, values: Json | None = None) -> None:
        """Press a button of a message (as `message` and `answer` return it) or of a view.

        Args:
            holder: The message, with its `channel`, or the view.
            which: The button's action_id, or a predicate on elements.
            values: The values of the other inputs, in the form of `state.values`.
        """
        block, element = _find_element(holder["blocks"], which)
        await self._act(holder, block, element, {}, values)

    async def rate(self, holder: Json, which: Which, *, good: bool) -> None:
        """Press one of the two feedback buttons of a message; `which` finds their element, as in `press`."""
        block, element = _find_element(holder["blocks"], which)
        side = element["positive_button" if good else "negative_button"]
        await self._act(holder, block, element, {"value": side["value"]}, None)

    async def choose(self, holder: Json, which: Which, value: str | list[str], values: Json | None = None) -> None:
        """Choose an option by its value in a select, overflow or radio group; a list of values chooses several."""
        block, element = _find_element(holder["blocks"], which)
        options = [option for group in element.get("option_groups", [element]) for option in group["options"]]
        chosen = [option for option in options if option["value"] in ([value] if isinstance(value, str) else value)]
        selected: Json = {"selected_option": chosen[0]} if isinstance(value, str) else {"selected_options": chosen}
        await self._act(holder, block, element, selected, values)

    async def command(self, text: str, channel: str = "C0HELPDESK1") -> None:
        """Run a slash command with its arguments in a channel."""
        await self._post("commands", channel=channel, text=text)

    async def shortcut(self, callback_id: str, message: Json | None = None) -> None:
        """Start a shortcut: a global one, or one on a message (with its `channel`)."""
        place = {"channel": message["channel"], "ts": message["ts"]} if message else {}
        await self._post("shortcuts", callback_id=callback_id, **place)

    async def submit(self, view: Json, values: Json | None = None) -> dict[str, str]:
        """Submit a modal with `state.values`; return the errors by block_id ({} if the submission was accepted)."""
        try:
            await self._post("views/submit", view_id=view["id"], state={"values": values or {}})
        except RefusedError as refused:
            if "errors" in refused.answer:
                return dict(refused.answer["errors"])
            raise
        return {}

    async def close(self, view: Json) -> None:
        await self._post("views/close", view_id=view["id"])

    async def open_home(self) -> None:
        """Open the App Home; its view arrives as a frame of type `home`."""
        await self._post("home")

    async def dm(self) -> str:
        """Open the DM with the app and return its channel id."""
        return str((await self._post("dms"))["channel"]["id"])

    async def set_locale(self, locale: str) -> None:
        """Set the person's language, `ja-JP` or `en-US`."""
        await self._post("locale", locale=locale)

    async def file(self, file_id: str) -> bytes:
        """Download a file and return its bytes."""
        return (await self._http.get(f"files/{file_id}")).raise_for_status().content

    async def _act(self, holder: Json, block: Json, element: Json, selected: Json, values: Json | None) -> None:
        if "channel" in holder:
            container = {"type": "message", "channel": holder["channel"], "ts": holder["ts"]}
        else:
            container = {"type": "view", "view_id": holder["id"]}
        given = {"block_id": block["block_id"], "action_id": element["action_id"], "type": element["type"]}
        await self._post("actions", container=container, action=given | selected, state={"values": values or {}})

    async def _messages(self, path: str, **query: str) -> list[Json]:
        answer = _checked_answer(await self._http.get(path, params={"user": self.user_id, **query}))
        return [{**message, "channel": query["channel"]} for message in answer["messages"]]

    async def _post(self, path: str, **body: Any) -> Json:
        return _checked_answer(await self._http.post(path, json={"user": self.user_id, **body}))


def _checked_answer(response: httpx2.Response) -> Json:
    answer: Json = response.json()
    if not answer["ok"]:
        raise RefusedError(answer)
    return answer


def _find_element(blocks: Iterable[Json], which: Which) -> tuple[Json, Json]:
    for block, element in elements(blocks):
        if element["action_id"] == which if isinstance(which, str) else which(element):
            return block, element
    raise LookupError(f"no such element: {which}")
