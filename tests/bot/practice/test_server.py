"""The server: files, faults, the state file, and the check of the caller's origin."""

import asyncio
import contextlib
import json
import socket
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bot.practice import Person, Server, Workspace, serve
from bot.practice.person import loopback
from tests.bot.practice.desk import MANIFEST, PersonFactory, PracticeClock, RawSocket


async def test_file_is_uploaded_shared_and_downloaded(
    server: Server, client: AsyncWebClient, people: PersonFactory
) -> None:
    admin, place = await people(server.people.admin), server.channels.ops.id
    rows = '{"category": "労務"}\n'.encode()
    sent = await client.files_upload_v2(channel=place, filename="行.jsonl", content=rows, initial_comment="42 rows")
    shared = await admin.message(lambda one: "files" in one)
    file = shared["files"][0]
    assert (shared["text"], file["name"], file["size"]) == ("42 rows", "行.jsonl", len(rows))
    assert file["id"] == sent["files"][0]["id"]
    assert await admin.file(file["id"]) == rows
    info = (await client.files_info(file=file["id"]))["file"]
    assert info["groups"] == [place]
    async with loopback() as http:
        mine = await http.get(info["url_private"], headers={"authorization": f"Bearer {server.bot_token}"})
        others = await http.get(info["url_private_download"])
    assert mine.content == rows
    assert others.status_code == 302


async def test_deleted_file_leaves_a_tombstone(server: Server, client: AsyncWebClient, people: PersonFactory) -> None:
    admin, place = await people(server.people.admin), server.channels.ops.id
    sent = await client.files_upload_v2(channel=place, filename="rows.jsonl", content=b"{}", initial_comment="a row")
    file = sent["files"][0]["id"]
    shown = await admin.message(lambda one: "files" in one)
    assert (await client.files_delete(file=file)).data == {"ok": True}
    left = await admin.message(lambda one: one["ts"] == shown["ts"] and one["files"] != shown["files"])
    assert (left["text"], left["files"]) == ("a row", [{"id": file, "mode": "tombstone"}])
    for name, error in ((file, "file_deleted"), ("F0NOTHING01", "file_not_found")):
        with pytest.raises(SlackApiError, match=error):
            await client.files_delete(file=name)
    await admin._post("messages", channel=place, text="mine", files=[{"name": "a.png", "size": 1}])
    theirs = (await admin.message(lambda one: one.get("text") == "mine"))["files"][0]["id"]
    with pytest.raises(SlackApiError, match="cant_delete_file"):
        await client.files_delete(file=theirs)


async def test_upload_of_wrong_size_is_refused(server: Server, client: AsyncWebClient) -> None:
    ticket = await client.files_getUploadURLExternal(filename="a.txt", length=3)
    async with loopback() as http:
        assert (await http.post(str(ticket["upload_url"]), content=b"four")).text == "upload_size_mismatch"
        with pytest.raises(SlackApiError, match="file_not_found"):
            await client.files_completeUploadExternal(files=[{"id": str(ticket["file_id"])}])
        form = await http.post(str(ticket["upload_url"]), files={"file": b"abc"})
        assert form.text == "OK - 3"
        assert (await http.post(str(ticket["upload_url"]), content=b"abc")).status_code == 400


async def test_attachment_by_name_only_becomes_a_file(server: Server, people: PersonFactory) -> None:
    app_socket = await RawSocket.open(server)
    misaki = await people(server.people.employees[0])
    await misaki._post(
        "messages", channel=server.channels.help_desk.id, text="", files=[{"name": "図.png", "size": 2048}]
    )
    event = await app_socket.event("file_share")
    (file,) = event["files"]
    assert (event["text"], file["name"], file["mimetype"], file["size"]) == ("", "図.png", "image/png", 2048)
    await app_socket.socket.close()


async def test_injected_rate_limits_and_failures_are_returned(server: Server, client: AsyncWebClient) -> None:
    place, faults = server.channels.help_desk.id, server.faults
    faults.rate_limit("chat.postMessage", calls=2, retry_after=7)
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=place, text="x")
        assert (caught.value.response.status_code, caught.value.response["error"]) == (429, "ratelimited")
        assert caught.value.response.headers["Retry-After"] == "7"
    faults.fail("chat.postMessage", 503)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=place, text="x")
    assert caught.value.response.status_code == 503
    assert (await client.chat_postMessage(channel=place, text="at last"))["ok"]
    assert [one["text"] for one in server.workspace.board.channel_messages(place)] == ["at last"]


async def test_rate_limit_satisfies_the_retry_of_slack_sdk(server: Server) -> None:
    client = AsyncWebClient(server.bot_token, server.api_url, retry_handlers=[AsyncRateLimitErrorRetryHandler(1)])
    server.faults.rate_limit("auth.test", retry_after=0)
    assert (await client.auth_test())["ok"]


@pytest.mark.parametrize(("after", "made"), [(False, 0), (True, 1)])
async def test_dropped_call_is_carried_out_only_with_after(server: Server, *, after: bool, made: int) -> None:
    client = AsyncWebClient(server.bot_token, server.api_url, retry_handlers=[])
    server.faults.drop("chat.postMessage", after=after)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.chat_postMessage(channel=server.channels.help_desk.id, text="x")
    assert len(server.workspace.board.channel_messages(server.channels.help_desk.id)) == made


async def test_held_answer_waits_for_its_event(server: Server, client: AsyncWebClient, people: PersonFactory) -> None:
    misaki = await people(server.people.employees[0])
    gate = server.faults.hold("chat.postMessage")
    posting = asyncio.create_task(client.chat_postMessage(channel=server.channels.help_desk.id, text="made"))
    await misaki.message(lambda one: one["text"] == "made")
    assert not posting.done()
    gate.set()
    assert (await posting)["ok"]


async def test_state_file_restores_the_workspace_after_restart(tmp_path: Path, clock: PracticeClock) -> None:
    state = tmp_path / "workspace.json"
    async with (
        serve(Workspace(MANIFEST, clock, state)) as server,
        Person(server.url, server.people.employees[0].id) as misaki,
    ):
        place, dm = server.channels.help_desk.id, await misaki.dm()
        root = await misaki.say(place, "問い")
        await misaki.say(place, "more", thread_ts=root)
        await misaki.say(dm, "direct")
        await misaki.set_locale("en-US")
        client = AsyncWebClient(token=server.bot_token, base_url=server.api_url)
        sent = await client.files_upload_v2(channel=place, filename="a.bin", content=b"\x00\xff")
    assert json.loads(state.read_text("utf-8"))["locales"][misaki.user_id] == "en-US"
    async with serve(Workspace(MANIFEST, clock, state)) as again, Person(again.url, misaki.user_id) as misaki:
        assert misaki.hello["user"]["locale"] == "en-US"
        assert [one["text"] for one in await misaki.replies(place, root)] == ["問い", "more"]
        assert [one["text"] for one in await misaki.history(dm)] == ["direct"]
        assert await misaki.file(sent["files"][0]["id"]) == b"\x00\xff"
        # The clock did not move, but a new message still gets a new ts.
        later = await misaki.say(place, "later", thread_ts=root)
        parent = (await misaki.replies(place, root))[0]
        assert (parent["reply_count"], parent["latest_reply"]) == (2, later)


def test_broken_state_file_is_named_in_the_error(tmp_path: Path) -> None:
    state = tmp_path / "workspace.json"
    state.write_text("{", "utf-8")
    with pytest.raises(ValueError, match=r"workspace\.json is not a workspace's state file"):
        Workspace(MANIFEST, state=state)


async def test_changes_are_saved_while_the_server_runs(tmp_path: Path) -> None:
    state = tmp_path / "workspace.json"
    workspace = Workspace(MANIFEST, state=state)
    async with serve(workspace) as server, Person(server.url, server.people.admin.id) as admin:
        await admin.say(server.channels.general.id, "kept")
        for _ in range(250):
            await asyncio.sleep(0.02)
            if state.exists():
                break
        assert "kept" in state.read_text("utf-8")


async def test_foreign_host_or_origin_is_refused(server: Server) -> None:
    port = server.url.rstrip("/").rpartition(":")[2]
    callers: list[tuple[dict[str, str], int]] = [
        ({}, 200),
        ({"host": f"localhost:{port}", "origin": f"http://localhost:{port}"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1:1"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ]
    bearer = {"authorization": f"Bearer {server.bot_token}"}
    query = {"user": server.people.admin.id, "channel": "C0GENERAL01"}
    async with loopback(server.url) as http:
        for sent, status in callers:
            assert (await http.get("page/history", params=query, headers=sent)).status_code == status
            assert (await http.post("api/auth.test", headers=sent | bearer)).status_code == status


FETCHES: list[tuple[str, str, int]] = [
    ("same-origin", "page/history", 200),
    ("none", "page/history", 200),
    ("cross-site", "page/history", 403),
    ("same-site", "page/history", 403),
    ("cross-site", "api/auth.test", 403),
    ("cross-site", "files-pri/T-F1/x.txt", 403),
    ("cross-site", "page/static/main.js", 403),
    ("same-site", "", 403),
]


@pytest.mark.parametrize(("site", "path", "status"), FETCHES)
async def test_fetch_of_another_site_is_refused(server: Server, site: str, path: str, status: int) -> None:
    """A browser sends no Origin with a GET such as that of an image, but it says which site asks."""
    query = {"user": server.people.admin.id, "channel": "C0GENERAL01"}
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    async with loopback(server.url) as http:
        assert (await http.get(path, params=query, headers=headers)).status_code == status


async def test_link_of_another_site_opens_the_page(server: Server) -> None:
    opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    async with loopback(server.url) as http:
        assert (await http.get("", headers=opened)).status_code == 200
        assert (await http.get("archives/C0GENERAL01/p1", headers=opened)).status_code == 302
        assert (await http.get("page/history", headers=opened)).status_code == 403
        assert (await http.get("", headers=opened | {"sec-fetch-dest": "iframe"})).status_code == 403
        assert (await http.get("", headers=opened | {"host": "rebound.example"})).status_code == 403


async def test_another_site_cannot_open_a_socket(server: Server) -> None:
    for path in ("page/socket", "link/"):
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            with pytest.raises(InvalidStatus):
                await connect(f"{server.url.replace('http', 'ws')}{path}", proxy=None, additional_headers=headers)


async def test_foreign_origin_cannot_open_a_socket(server: Server) -> None:
    url = f"{server.url.replace('http', 'ws')}page/socket?user={server.people.admin.id}"
    with pytest.raises(InvalidStatus):
        await connect(url, proxy=None, additional_headers={"origin": "https://evil.example"})


async def test_window_of_unknown_person_shows_the_first_person(server: Server) -> None:
    async with Person(server.url, "U404") as nobody:
        assert nobody.hello["user"]["id"] == server.people.employees[0].id


@pytest.mark.parametrize(("languages", "person"), [("ja,en;q=0.9", 0), ("en-US,ja;q=0.9", 1), ("fr", 1)])
async def test_window_without_person_uses_the_browsers_language(server: Server, languages: str, person: int) -> None:
    url = f"{server.url.replace('http', 'ws')}page/socket"
    async with connect(url, proxy=None, additional_headers={"accept-language": languages}) as window:
        hello = json.loads(await window.recv())
    assert hello["user"]["id"] == server.people.employees[person].id


async def test_taken_port_is_named_in_the_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 is taken"):
            async with serve(Workspace(MANIFEST), port=port):
                pass


async def test_page_is_served_with_its_security_policy(server: Server) -> None:
    async with loopback(server.url) as http:
        page = await http.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("turns", range(5))
async def test_connection_at_the_end_is_closed(turns: int) -> None:
    """The client connects while the server stops, up to some turns of the event loop before."""
    async with serve(Workspace(MANIFEST)) as server:
        host, _, port = server.url.removeprefix("http://").rstrip("/").partition(":")
        client = socket.create_connection((host, int(port)))
        for _ in range(turns):
            await asyncio.sleep(0)
    with client:
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
