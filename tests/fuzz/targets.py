"""The targets of the fuzzer: each takes one changed payload at a time, over the wire that its real callers use."""

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2

from bot.embedded import FolderShelf, LocalModel
from bot.practice.delivery import NotAckedError
from bot.practice.people import TEAM_ID
from handlers.server.web import serve_http
from handlers.slack.deliveries import Installation, Requests
from storage.database import Database
from storage.store import SqlStore
from tests.bot.embedded.kit import answer_format, jsonl
from tests.fuzz.mutating import Json, Sample
from tests.fuzz.recording import recorded
from tests.kits.migrated import migrated_sqlite
from tests.kits.slack_desk import WATCHED, SlackDesk, asked, open_desk

Result = TypeVar("Result")
SECONDS = 60
"""Longest time for one payload, also on a busy machine."""


class Complaints(logging.Handler):
    """A log handler that collects what no payload may cause: log lines of errors, and stack traces."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(self.format(record))


@dataclass
class Target:
    """One entry: its payloads and the way to send one.

    Attributes:
        samples: Payloads as real callers send them.
        send: Sends a payload, waits until it is worked off, and returns the status of an HTTP answer, or 0.
        alive: Raises if the entry does not serve an honest caller any more.
    """

    name: str
    samples: list[Sample]
    send: Callable[[str, Json], Coroutine[Any, Any, int]]
    alive: Callable[[], Coroutine[Any, Any, None]]
    complaints: Complaints = field(default_factory=Complaints)


class LoopThread:
    """An event loop in a thread, so that Hypothesis can call it like ordinary code."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the loop and return its result."""
        future: Future[Result] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@asynccontextmanager
async def _desk() -> AsyncIterator[SlackDesk]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(migrated_sqlite(Path(folder) / "fuzz.db"))
        try:
            async with open_desk(SqlStore(database), ack=SECONDS) as desk:
                yield desk
        finally:
            await database.close()


def _asks(desk: SlackDesk) -> Callable[[], Coroutine[Any, Any, None]]:
    async def alive() -> None:
        await asked(desk)

    return alive


@asynccontextmanager
async def slack_socket() -> AsyncIterator[Target]:
    """Open the entry for Slack's envelopes over a websocket."""
    async with _desk() as desk:
        samples = await recorded(desk)
        sockets = desk.server.workspace.sockets

        async def send(kind: str, payload: Json) -> int:
            frame = {"envelope_id": "fuzz", "type": kind, "payload": payload}
            await sockets._sockets[0].send(frame)
            # The socket is read in order: once this is acked, the frame before it has been begun.
            home = {"type": "app_home_opened", "user": "U0EMILY0001", "channel": "D1", "tab": "messages"}
            try:
                await sockets.ask("events_api", desk.server.workspace._callback(home))
            except NotAckedError:
                return 500
            await asyncio.wait_for(desk.deliveries._idle.wait(), SECONDS)
            await desk.settled()
            return 0

        yield Target("Slack's socket", samples, send, _asks(desk))


@asynccontextmanager
async def slack_requests() -> AsyncIterator[Target]:
    """Open the entry for Slack's signed requests (HTTP mode)."""
    async with _desk() as desk:
        samples = await recorded(desk)
        http_mode = desk.server.workspace.requests
        requests = Requests(http_mode.signing_secret)
        requests.attach(desk.app, desk.deliveries, Installation(desk.server.workspace.app.app_id, TEAM_ID, None))
        async with serve_http("127.0.0.1", 0, [requests.route]) as url, httpx2.AsyncClient(trust_env=False) as http:

            async def send(kind: str, payload: Json) -> int:
                body, content_type = _body_of(kind, payload)
                headers = http_mode.signed(body) | {"content-type": content_type}
                answer = await http.post(f"{url}slack/events", content=body.encode(), headers=headers, timeout=SECONDS)
                await asyncio.wait_for(desk.deliveries._idle.wait(), SECONDS)
                await desk.settled()
                return answer.status_code

            yield Target("Slack's requests", samples, send, _asks(desk))


def _body_of(kind: str, payload: Json) -> tuple[str, str]:
    if kind == "events_api":
        return _dumped(payload), "application/json"
    if kind == "slash_commands" and isinstance(payload, dict):
        flat = {_utf8(str(key)): _utf8(str(value)) for key, value in payload.items()}
        return urlencode(flat), "application/x-www-form-urlencoded"
    return urlencode({"payload": _dumped(payload)}), "application/x-www-form-urlencoded"


def _dumped(value: object) -> str:
    return json.dumps(value)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@asynccontextmanager
async def practice_page() -> AsyncIterator[Target]:
    """Open the API of the practice page, and Slack's Web API beside it."""
    async with _desk() as desk:
        people, ts = desk.server.people, await asked(desk)
        emily = await desk.emily()
        shown = next(m for m in await emily.replies(WATCHED, ts) if "bot_id" in m)
        who = {"user": people.employees[1].id, "channel": WATCHED}
        button = next(e for b in shown["blocks"] if b["type"] == "actions" for e in b["elements"])
        block = next(b["block_id"] for b in shown["blocks"] if b["type"] == "actions")
        section = [{"type": "section", "block_id": "a", "text": {"type": "mrkdwn", "text": "*b*"}}]
        view = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": section}
        calls: list[Sample] = [
            ("page/messages", who | {"text": "hello", "files": [{"name": "a.txt", "size": 5}]}),
            ("page/messages/edit", who | {"ts": ts, "text": "later"}),
            ("page/messages/forward", who | {"from_channel": WATCHED, "from_ts": ts, "text": ""}),
            ("page/messages/delete", who | {"ts": "1790000000.000001"}),
            ("page/reactions", who | {"ts": ts, "name": "eyes", "on": True}),
            (
                "page/actions",
                who
                | {
                    "container": {"type": "message", "channel": WATCHED, "ts": shown["ts"]},
                    "action": {"block_id": block, "action_id": button["action_id"]},
                    "state": {"values": {}},
                },
            ),
            ("page/commands", who | {"text": "/finetune help"}),
            ("page/shortcuts", who | {"callback_id": "ask_madoguchi", "ts": ts}),
            ("page/views/submit", who | {"view_id": "V1", "state": {"values": {"a": {"b": {"value": "c"}}}}}),
            ("page/views/close", who | {"view_id": "V1"}),
            ("page/home", who),
            ("page/dms", who),
            ("page/locale", who | {"locale": "en-US"}),
            (
                "api/chat.postMessage",
                {
                    "channel": WATCHED,
                    "text": "t",
                    "blocks": section,
                    "metadata": {"event_type": "a", "event_payload": {}},
                },
            ),
            ("api/chat.update", {"channel": WATCHED, "ts": shown["ts"], "text": "t", "blocks": section}),
            ("api/views.open", {"trigger_id": "1.2", "view": view}),
            ("api/views.publish", {"user_id": who["user"], "view": view | {"type": "home"}}),
            ("api/conversations.history", {"channel": WATCHED, "limit": 3, "oldest": "0"}),
            ("api/conversations.replies", {"channel": WATCHED, "ts": ts}),
            ("api/users.info", {"user": who["user"], "include_locale": True}),
            ("api/files.completeUploadExternal", {"files": [{"id": "F1", "title": "t"}], "channel_id": WATCHED}),
            ("api/reactions.add", {"channel": WATCHED, "timestamp": ts, "name": "eyes"}),
        ]
        headers = {"authorization": f"Bearer {desk.server.bot_token}", "content-type": "application/json"}
        async with httpx2.AsyncClient(trust_env=False, base_url=desk.server.url) as http:

            async def send(path: str, body: Json) -> int:
                answer = await http.post(path, content=_dumped(body), headers=headers, timeout=SECONDS)
                read = await http.get("page/history", params=who, timeout=SECONDS)
                return max(answer.status_code, read.status_code)

            yield Target("the page's API", calls, send, _asks(desk))


@asynccontextmanager
async def embedded_wire() -> AsyncIterator[Target]:
    """Open the wire of the embedded model."""
    with tempfile.TemporaryDirectory() as folder:
        async with LocalModel(FolderShelf(folder)) as model:
            transport = httpx2.ASGITransport(app=model.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://local/v1") as http:
                uploaded = await http.post(
                    "/files",
                    files={"file": ("a.jsonl", jsonl())},
                    data={
                        "purpose": "fine-tune",
                        "expires_after[seconds]": "3600",
                        "expires_after[anchor]": "created_at",
                    },
                )
                file_id = uploaded.json()["id"]
                asked_of = {
                    "model": "base",
                    "messages": [
                        {"role": "system", "content": "## 労務\n休暇"},
                        {"role": "user", "content": "有給は？"},
                    ],
                }
                choices = [{"value": "a", "description": "leave"}, {"value": True}]
                question = {"type": "choice", "name": "q", "instructions": "which", "choices": choices}
                calls: list[Sample] = [
                    (
                        "/chat/completions",
                        asked_of
                        | {
                            "response_format": answer_format(),
                            "logprobs": True,
                            "top_logprobs": 5,
                            "max_tokens": 50,
                            "n": 1,
                        },
                    ),
                    ("/chat/completions", asked_of | {"response_format": {"type": "json_object"}}),
                    ("/decisions", {"model": "base", "input": asked_of["messages"], "questions": [question]}),
                    (
                        "/fine_tuning/jobs",
                        {
                            "model": "nobody",
                            "training_file": file_id,
                            "suffix": "x",
                            "seed": 1,
                            "metadata": {"a": "b"},
                            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
                        },
                    ),
                ]

                async def send(path: str, body: Json) -> int:
                    if path == "/fine_tuning/jobs" and body.get("model") in ("base", "characters"):
                        body = body | {"training_file": "none"}  # a training takes seconds
                    return (await http.post(path, content=_dumped(body), timeout=SECONDS)).status_code

                async def alive() -> None:
                    (await http.post("/chat/completions", json=calls[0][1])).raise_for_status()

                yield Target("the embedded model", calls, send, alive)


TARGETS = {one.__name__: one for one in (slack_socket, slack_requests, practice_page, embedded_wire)}
