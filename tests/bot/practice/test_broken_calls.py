"""Calls that neither the page nor an SDK sends: they get an answer of Slack's, and the server logs no error."""

import logging
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bot.practice import Server
from bot.practice.person import loopback
from tests.kits.deep_json import DEEP

JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def no_errors(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("levels", DEEP)
async def test_deep_json_is_refused(server: Server, levels: int) -> None:
    bearer, deep, admin = {"authorization": f"Bearer {server.bot_token}"}, DEEP[levels], server.people.admin.id
    bodies = [deep, f'{{"user": "{admin}", "channel": "C0GENERAL01", "text": "x", "blocks": {deep}, "files": {deep}}}']
    async with loopback(server.url) as http:
        for path in ("api/chat.postMessage", "page/messages", "page/actions", "actions/T/1/x"):
            for body in bodies:
                refused = (await http.post(path, content=body, headers=bearer | JSON)).json()
                assert (refused["ok"], refused["error"]) == (False, "invalid_json")
        form = {"channel": "C0GENERAL01", "text": "x", "token": server.bot_token}
        refused = (await http.post("api/chat.postMessage", data=form | {"blocks": deep})).json()
        assert refused["error"] == "invalid_blocks_format"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("page/messages", {"text": "x", "files": [[]]}),
        ("page/messages", {"text": "x", "files": "a"}),
        ("page/actions", {"container": [], "action": 5}),
        ("page/actions", {}),
        ("page/views/submit", {"view_id": "V1", "state": "x"}),
        ("api/chat.postMessage", {"text": "x", "blocks": {"type": "section"}}),
        ("api/chat.postMessage", {"text": "x", "blocks": [{"type": ["section"]}]}),
        ("api/files.completeUploadExternal", {"files": [5]}),
        ("api/views.open", {"view": 5, "trigger_id": "1"}),
    ],
)
async def test_arguments_of_other_shapes_are_refused(server: Server, path: str, body: dict[str, Any]) -> None:
    who = {"user": server.people.admin.id, "channel": "C0GENERAL01"}
    async with loopback(server.url) as http:
        answer = await http.post(path, json=who | body, headers={"authorization": f"Bearer {server.bot_token}"})
    assert (answer.status_code, answer.json()["ok"]) == (200, False)


async def test_half_character_leaves_history_readable(server: Server) -> None:
    who = f'"user": "{server.people.admin.id}", "channel": "C0GENERAL01"'
    async with loopback(server.url) as http:
        said = await http.post("page/messages", content=f'{{{who}, "text": "half \\ud83d"}}', headers=JSON)
        assert said.json()["ok"]
        query = {"user": server.people.admin.id, "channel": "C0GENERAL01"}
        read = (await http.get("page/history", params=query)).json()
    assert "half \ufffd" in [message["text"] for message in read["messages"]]


@pytest.mark.parametrize("frame", [*DEEP.values(), "5", "[]", "{", b"\xff"], ids=range(7))
async def test_socket_with_a_strange_frame_is_closed(server: Server, frame: str | bytes) -> None:
    async with loopback(server.url) as http:
        bearer = {"authorization": f"Bearer {server.app_token}"}
        url = (await http.post("api/apps.connections.open", headers=bearer)).json()["url"]
    async with connect(url, proxy=None) as socket:
        await socket.recv()
        await socket.send(frame)
        with pytest.raises(ConnectionClosed, match="1003"):
            await socket.recv()
