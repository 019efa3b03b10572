"""The whole bot in HTTP mode: it takes signed requests of Slack's stand-in and refuses all others."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from bot.app.running import Running, open_bot
from bot.domain.question import Arrival
from bot.practice import Person, Server, Timing, Workspace, serve
from bot.practice.people import TEAM_ID
from bot.settings import Settings
from handlers.slack.deliveries import REQUEST_BYTES
from handlers.views import ids
from storage.inbox import SqlInbox
from tests.kits.deep_json import DEEP
from tests.kits.migrated import migrated_sqlite
from tests.loop.program import MANIFEST
from tests.loop.story import ENGLISH, LoopDesk, actions, said, words

pytestmark = pytest.mark.timeout(90)
EVENT = json.dumps({"type": "event_callback", "event": {"type": "message", "text": "a secret question"}})


@dataclass
class Place:
    """A bot in HTTP mode, and the workspace that sends it requests."""

    server: Server
    running: Running
    desk: LoopDesk

    @property
    def url(self) -> str:
        return f"{self.running.url}slack/events"

    async def post(self, body: str | bytes, headers: Mapping[str, Any]) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False) as http:
            return await http.post(self.url, content=body, headers=dict(headers))

    async def arrivals(self) -> int:
        async with self.running.core.ports.store.transaction() as tx:
            return await tx.inbox.open()


@asynccontextmanager
async def in_http_mode(folder: Path) -> AsyncIterator[Place]:
    timing = Timing(redeliver=(0.0, 0.1, 0.1))
    async with serve(Workspace(MANIFEST, timing=timing)) as server:
        people = server.people
        settings = Settings(
            _env_file=None,
            slack_bot_token=SecretStr(server.bot_token),
            slack_signing_secret=SecretStr(server.signing_secret),
            slack_api_url=server.api_url,
            database_url=migrated_sqlite(folder / "requests.db"),
            bot_language="en",
            bot_staff=[people.staff_group.id],
            bot_admins=[people.admin.id],
            bot_channels=[server.channels.help_desk.id],
            bot_drain_seconds=5,
        )
        async with (
            open_bot(settings) as running,
            Person(server.url, people.employees[0].id) as employee,
            Person(server.url, people.staff[0].id) as staff,
            Person(server.url, people.admin.id) as admin,
        ):
            await server.send_to(f"{running.url}slack/events")
            yield Place(server, running, LoopDesk(server, employee, staff, admin))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with in_http_mode(tmp_path) as place:
        yield place


async def test_questions_presses_forms_and_commands_work_by_requests(place: Place) -> None:
    desk = place.desk
    assert not place.server.workspace.sockets.connected, "there is a socket all the same"
    first = await desk.ask(ENGLISH.asked)
    settled = await desk.settle(first, "hr" if said(first) != "hr" else "accounting")
    assert ids.UNDO in actions(settled)
    await desk.staff.press(settled, ids.UNDO)
    reopened = await desk.employee.message(lambda m: m["ts"] == first["ts"] and ids.AGREE in actions(m))
    status = await desk.command("status")
    assert "v1" in words(status)
    await desk.employee.shortcut(ids.ASK, {"channel": desk.channel, "ts": first["thread_ts"]})
    told = await desk.employee.message(lambda m: "ephemeral" in m)
    assert first["ts"].replace(".", "") in told["text"], "the shortcut links the answer"
    await desk.staff.press(reopened, ids.CORRECT_OPEN)
    await desk.submit()  # the form as it was drafted
    await desk.employee.message(lambda m: m["ts"] == first["ts"] and ids.UNDO in actions(m))


async def test_event_that_was_not_stored_is_redelivered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    add = SqlInbox._add

    async def failing_first(inbox: SqlInbox, arrival: Arrival, *more: Any) -> Any:
        tries.append(arrival.event_id)
        if len(tries) == 1:
            raise OSError("no space left on device")
        return await add(inbox, arrival, *more)

    monkeypatch.setattr(SqlInbox, "_add", failing_first)
    card = await place.desk.ask(ENGLISH.asked)
    assert said(card)
    assert len(tries) == 2
    assert len(set(tries)) == 1, "the same event came again"


async def test_redelivered_event_is_one_question(place: Place) -> None:
    place.server.faults.duplicate_events(3)
    await place.desk.ask(ENGLISH.asked)
    await asyncio.sleep(0.5)
    async with place.running.core.ports.store.transaction() as tx:
        assert await tx.questions.count() == 1


BROKEN: dict[str, dict[str, Any]] = {
    "no headers": {"x-slack-request-timestamp": None, "x-slack-signature": None},
    "no signature": {"x-slack-signature": None},
    "no timestamp": {"x-slack-request-timestamp": None},
    "another's signature": {"x-slack-signature": "v0=" + "0" * 64},
    "a signature of no text": {"x-slack-signature": b"v0=\xff\xfe"},
    "a timestamp that is no number": {"x-slack-request-timestamp": "yesterday"},
    "a timestamp without end": {"x-slack-request-timestamp": "9" * 5000},
    "a timestamp of five minutes ahead": {"x-slack-request-timestamp": str(int(time.time()) + 400)},
}


async def test_unsigned_request_is_refused_and_not_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    signed: dict[str, Any] = place.server.workspace.requests.signed(EVENT) | {"content-type": "application/json"}
    for broken, change in BROKEN.items():
        caplog.clear()
        headers = {name: value for name, value in (signed | change).items() if value is not None}
        answer = await place.post(EVENT, headers)
        assert answer.status_code == 401, broken
        ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith(("handlers", "bot", "slack_bolt")))
        assert "refused (401)" in ours, broken
        assert "secret question" not in ours, broken
        assert "x-slack" not in answer.text, broken
    assert await place.arrivals() == 0


async def test_malformed_signed_request_is_refused_without_a_trace(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    deep = [form.format(f'{{"event": {{"a": {nested}}}}}') for nested in DEEP.values() for form in ("{}", "payload={}")]
    for body in ("{", "[]", "null", '"words"', '{"event": []}', "payload=%7B", "payload=[]", *deep):
        kind = "application/x-www-form-urlencoded" if body.startswith("payload") else "application/json"
        headers = place.server.workspace.requests.signed(body) | {"content-type": kind}
        answer = await place.post(body, headers)
        assert 400 <= answer.status_code < 500, body
    assert not [record for record in caplog.records if record.exc_info]


async def test_old_tampered_and_oversized_requests_are_refused(place: Place) -> None:
    signer = place.server.workspace.requests
    assert (await place.post(EVENT, signer.signed(EVENT, age=400))).status_code == 401
    assert (await place.post(EVENT + " ", signer.signed(EVENT))).status_code == 401
    assert (await place.post(b"\xff\xfe", signer.signed("x"))).status_code == 401
    huge = "x" * (REQUEST_BYTES + 1)
    assert (await place.post(huge, signer.signed(huge))).status_code == 413
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(place.url)).status_code == 405
    ready = signer.signed(EVENT)
    assert (await place.post(EVENT, ready | {"content-type": "application/json"})).status_code != 401, "none is refused"


async def test_a_body_that_never_ends_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.slack.deliveries.BODY_SECONDS", 0.1)
    monkeypatch.setattr("handlers.server.web.SENT_SECONDS", 1.0)
    host, port = place.running.url.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /slack/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc")
    assert b" 408 " in await asyncio.wait_for(reader.read(), 30), "the connection is closed, too"
    writer.close()
    await writer.wait_closed()


async def test_other_apps_and_teams_are_refused(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    workspace = place.server.workspace
    ours = {"api_app_id": workspace.app.app_id, "team_id": TEAM_ID, "type": "event_callback", "event": {}}
    for change in (
        {"api_app_id": "A0ANOTHER01"},
        {"api_app_id": [workspace.app.app_id]},
        {"team_id": {"id": TEAM_ID}},
        {"team_id": "T0ANOTHER01"},
        {"team_id": None, "team": {"id": "T0ANOTHER01"}},
        {"team_id": "T0ANOTHER01", "authorizations": [{"team_id": "T0ANOTHER02"}]},
    ):
        body = json.dumps(ours | change | {"event": {"type": "message", "text": "a secret question"}})
        headers = workspace.requests.signed(body) | {"content-type": "application/json"}
        assert (await place.post(body, headers)).status_code == 403, change
    assert await place.arrivals() == 0
    assert "secret question" not in caplog.text
    shared = json.dumps(ours | {"team_id": "T0ANOTHER01", "authorizations": [{"team_id": TEAM_ID}]})
    headers = workspace.requests.signed(shared) | {"content-type": "application/json"}
    assert (await place.post(shared, headers)).status_code != 403, "it was said in a shared channel of ours"


async def test_half_sent_head_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.server.web.SENT_SECONDS", 0.1)
    host, port = place.running.url.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /slack/events HTTP/1.1\r\nhos")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()


async def test_silent_connection_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.server.web.KEEP_SECONDS", 0.1)
    host, port = place.running.url.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()


async def test_health_shares_the_port_and_acks_are_timed(place: Place) -> None:
    await place.desk.ask(ENGLISH.asked)
    async with httpx2.AsyncClient(base_url=place.running.url, trust_env=False) as http:
        ready = await http.get("/readyz")
        figures = (await http.get("/metrics")).text
    assert (ready.status_code, ready.json()["parts"]["slack"]) == (200, "ok")
    assert 'madoguchi_questions_total{ending="answered"} 1.0' in figures
    assert "madoguchi_ack_seconds_count 0.0" not in figures
    assert "madoguchi_socket_age_seconds" not in figures
