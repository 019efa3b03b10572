"""Forgetting through Slack: the command, a deleted message, and a person's own questions."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from bot.domain.audit import OPERATOR
from bot.domain.dataset import Split, group_of, split_of
from bot.domain.forgetting import OF_PEOPLE, ForgetKind, ForgetRequest, ForgetState, Scope
from bot.domain.question import Arrival, Place
from bot.practice import Person
from bot.practice.people import TEAM_ID
from storage.store import SqlStore
from storage.tables import posts
from tests.kits.marked_store import holds, places_of
from tests.kits.slack_desk import WATCHED, SlackDesk, asked, card, eventually, private, queue, texts, whispered

MARK = "aardvark-7431"
QUESTION = f"my laptop {MARK} is broken"
REMOVED = "This answer was removed."


async def requests(desk: SlackDesk) -> list[ForgetRequest]:
    return await desk.acts.forgetting.newest(10)


async def done(desk: SlackDesk, count: int = 1) -> ForgetRequest:
    """Wait until this many requests are done, and return the newest."""

    async def all_done() -> bool:
        found = await requests(desk)
        named = [one for one in found if one.kind in OF_PEOPLE and one.target]
        return len(found) == count and not named and all(one.state is ForgetState.DONE for one in found)

    async with desk.time_passes():
        await eventually(all_done, seconds=60)
    return (await requests(desk))[0]


def bot_messages(desk: SlackDesk) -> list[dict[str, Any]]:
    """Return everything that the bot shows: messages in all channels, and views."""
    workspace = desk.server.workspace
    messages = [
        one | {"channel": channel} for channel, known in workspace.board.messages.items() for one in known.values()
    ]
    return [one for one in messages if one.get("bot_id")]


async def nothing_left(desk: SlackDesk, store: SqlStore, mark: str = MARK) -> None:
    assert await places_of(store._database, mark) == set()
    assert [one for one in bot_messages(desk) if holds(one, mark)] == []


async def settled_by_change(desk: SlackDesk, ts: str) -> Person:
    """Change the answer with a reason that holds the mark, so that a row and a card hold it too."""
    priya = await desk.priya()
    await priya.press(await card(priya, ts), "correct.open")
    view = await priya.view()
    labor = next(one for one in view["blocks"][0]["element"]["options"] if one["value"] == "labor")
    values = {
        "category": {"category": {"type": "static_select", "selected_option": labor}},
        "reason.": {"reason": {"type": "plain_text_input", "value": f"because of {MARK}"}},
    }
    assert await priya.submit(view, values) == {}
    await priya.message(lambda m: m.get("thread_ts") == ts and f"because of {MARK}" in texts(m))
    return priya


async def test_admin_forgets_a_person_after_reading_counts(desk: SlackDesk, store: SqlStore) -> None:
    ts = await asked(desk, QUESTION)
    await settled_by_change(desk, ts)
    yuko, emily = await desk.window(desk.server.people.admin), await desk.emily()
    await yuko.command(f"/finetune forget <@{emily.user_id}>")
    question = await yuko.message(private("1"))
    assert [one for one in await desk.rows() if MARK in one.text]
    await yuko.press(question, "forget.confirm")
    request = await done(desk)
    assert (request.kind, request.target) == (ForgetKind.PERSON, None)
    assert request.counts["questions"] == request.counts["rows"] == 1
    assert request.counts["messages"] >= 1
    await nothing_left(desk, store)
    shown = next(m for m in await emily.replies(WATCHED, ts) if m.get("bot_id"))
    assert REMOVED in texts(shown)
    report = next(one for one in bot_messages(desk) if one["channel"].startswith("D") and "消去しました" in texts(one))
    assert "バックアップ" in texts(report)
    for posted in ("/finetune export", "/finetune evaluate", "/finetune review here"):
        assert posted in texts(report), "what only people can delete"
    async with store.transaction() as tx:
        assert emily.user_id not in (await tx.audit.people()).values()


async def test_nobody_else_may_forget(desk: SlackDesk) -> None:
    await asked(desk, QUESTION)
    priya, emily = await desk.priya(), await desk.emily()
    await priya.command(f"/finetune forget {emily.user_id}")
    await priya.message(whispered("admin"))
    assert await requests(desk) == []


async def test_unclear_targets_are_explained(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    for typed in ("", "emily", "before yesterday", "before 2026-13-40", "everything"):
        await yuko.command(f"/finetune forget {typed}")
        await yuko.message(private(f"forget {typed}".strip(), "before 2026-01-31"))
    assert await requests(desk) == []


async def test_link_to_the_answer_means_its_question(desk: SlackDesk, store: SqlStore) -> None:
    ts = await asked(desk, QUESTION)
    yuko, emily = await desk.window(desk.server.people.admin), await desk.emily()
    shown = await card(emily, ts)
    link = (await desk.client.chat_getPermalink(channel=WATCHED, message_ts=shown["ts"]))["permalink"]
    await yuko.command(f"/finetune forget <{link}>")
    await yuko.press(await yuko.message(private("1")), "forget.confirm")
    assert (await done(desk)).kind is ForgetKind.MESSAGE
    await nothing_left(desk, store)


async def test_date_takes_what_is_older(desk: SlackDesk, store: SqlStore) -> None:
    await asked(desk, QUESTION)
    yuko = await desk.window(desk.server.people.admin)
    await yuko.command("/finetune forget before 2001-01-01")
    await yuko.message(private("保存されていません"))
    await yuko.command("/finetune forget before 2099年1月1日")
    await yuko.press(await yuko.message(private("2099年1月1日")), "forget.confirm")
    await done(desk)
    await nothing_left(desk, store)


async def test_kept_is_kept(desk: SlackDesk) -> None:
    await asked(desk, QUESTION)
    yuko = await desk.window(desk.server.people.admin)
    await yuko.command("/finetune forget before 2099-01-01")
    await yuko.press(await yuko.message(private("2099-01-01")), "forget.dismiss")
    await yuko.message(private("何も消去していません"))
    assert await requests(desk) == []


async def test_deleted_message_is_forgotten(desk: SlackDesk, store: SqlStore) -> None:
    ts = await asked(desk, QUESTION)
    await settled_by_change(desk, ts)
    emily = await desk.emily()
    await emily.delete(WATCHED, ts)
    await done(desk)
    await nothing_left(desk, store)
    async with store.transaction() as tx:
        assert await tx.forgetting.is_forgotten(Place(team=TEAM_ID, channel=WATCHED, ts=ts))


@pytest.mark.parametrize("text", [QUESTION, f"my boss hits me, {MARK}"])
async def test_deletion_may_be_heard_before_the_message(
    desk: SlackDesk, store: SqlStore, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A long text takes its time to be masked, and Slack tells of both within a second."""
    receive, stored = desk.answering.receive, asyncio.Event()

    async def slowly(arrival: Arrival) -> bool:
        await stored.wait()
        return await receive(arrival)

    monkeypatch.setattr(desk.answering, "receive", slowly)
    emily = await desk.emily()
    ts = await emily.say(WATCHED, text)
    found = desk.acts.forgetting.message_deleted
    heard = asyncio.Event()

    async def message_deleted(place: Place) -> bool:
        try:
            return await found(place)
        finally:
            heard.set()

    monkeypatch.setattr(desk.acts.forgetting, "message_deleted", message_deleted)
    await emily.delete(WATCHED, ts)
    await heard.wait()
    assert await requests(desk) == []
    stored.set()
    await done(desk)
    await nothing_left(desk, store)


async def test_message_found_deleted_is_forgotten(desk: SlackDesk, store: SqlStore) -> None:
    """Slack told nobody, as while the bot was away: the worker finds no thread to answer in."""
    await desk.answerers.stop(0)
    emily = await desk.emily()
    ts = await emily.say(WATCHED, QUESTION)
    await eventually(lambda: waiting(desk))
    await desk.away()
    await emily.delete(WATCHED, ts)
    await desk.back()
    desk.answerers.start()
    await done(desk)
    await nothing_left(desk, store)


async def waiting(desk: SlackDesk) -> bool:
    async with desk.store.transaction() as tx:
        return await tx.inbox.open() == 1


async def test_deleted_root_takes_the_reply_below(desk: SlackDesk, store: SqlStore) -> None:
    emily = await desk.emily()
    general = desk.server.channels.general.id
    root = await emily.say(general, QUESTION)
    reply = await emily.say(general, "@madoguchi", thread_ts=root)
    await emily.message(lambda m: m.get("thread_ts") == root and bool(m.get("bot_id")))
    await desk.settled()
    question = await desk.question(general, reply)
    assert question is not None
    assert MARK in question.text
    await emily.delete(general, root)
    await done(desk)
    await nothing_left(desk, store)


async def test_own_questions_are_forgotten_from_home(desk: SlackDesk, store: SqlStore) -> None:
    ts = await asked(desk, QUESTION)
    await settled_by_change(desk, ts)
    emily = await desk.emily()
    await emily.open_home()
    home = (await emily.wait_for(lambda frame: frame["type"] == "home"))["view"]
    await emily.press(home, "forget.own")
    view = await emily.view()
    assert "1 question" in texts(view)
    assert await emily.submit(view) == {}
    request = await done(desk)
    assert (request.kind, request.target, request.by) == (ForgetKind.OWN, None, "")
    await nothing_left(desk, store)
    report = next(one for one in bot_messages(desk) if "Everything that you asked is forgotten." in texts(one))
    assert report["channel"].startswith("D")
    # Forgotten people may go on asking.
    again = await asked(desk, "my laptop is broken again")
    assert await desk.question(WATCHED, again) is not None


async def test_shortcut_opens_the_same_form(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await emily.shortcut("forget_my_questions")
    assert "Nothing of that is stored." in texts(await emily.view())


async def test_forgotten_message_is_not_read_again(desk: SlackDesk, store: SqlStore) -> None:
    ts = await asked(desk, QUESTION)
    emily, priya = await desk.emily(), await desk.priya()
    await emily.shortcut("forget_my_questions")
    await emily.submit(await emily.view())
    await done(desk)
    message = next(one for one in await priya.history(WATCHED) if one["ts"] == ts)
    await priya.shortcut("ask_madoguchi", message | {"channel": WATCHED})
    await priya.message(private("was forgotten"))
    await emily.edit(WATCHED, ts, f"{QUESTION} still")
    await desk.settled()
    desk.clock.advance(seconds=7200)
    await desk.catch_up.tick()
    await desk.settled()
    await nothing_left(desk, store)


async def test_operator_gets_no_message(desk: SlackDesk, store: SqlStore) -> None:
    ts = await asked(desk, QUESTION)
    emily = await desk.emily()
    await desk.acts.forgetting.forget(Scope.person(emily.user_id), OPERATOR, "en")
    assert (await done(desk)).by == OPERATOR
    await nothing_left(desk, store)
    shown = next(m for m in await emily.replies(WATCHED, ts) if m.get("bot_id"))
    assert REMOVED in texts(shown)
    assert [one for one in bot_messages(desk) if one["channel"].startswith("D")] == []


@pytest.mark.parametrize("kind", ["app_uninstalled", "tokens_revoked"])
async def test_removed_app_is_heard_without_harm(desk: SlackDesk, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    workspace = desk.server.workspace
    event = {"type": kind, "tokens": {"oauth": [], "bot": [workspace.app.bot_user]}}
    for _ in range(2):
        await workspace.delivery.ask("events_api", workspace._callback(event), accepts_response_payload=False)
    await asked(desk, QUESTION)
    assert "docs/forgetting.md" in caplog.text
    assert "Unhandled" not in caplog.text


async def listed_and_uploaded(desk: SlackDesk) -> tuple[Person, str]:
    """Let a list of the queue and a training file show questions with the mark; return the admin and the list's ts."""
    ts = await asked(desk, next(trained(QUESTION)))
    await settled_by_change(desk, ts)
    await asked(desk, f"another {MARK}")
    yuko, priya = await desk.window(desk.server.people.admin), await desk.priya()
    listed = await queue(priya, "here")
    await yuko.command("/finetune export")
    await yuko.message(private("件"))
    assert holds(listed, MARK)
    assert uploaded(desk) == 2
    return yuko, str(listed["ts"])


def trained(text: str) -> Iterator[str]:
    """Yield variants of a text that a training file may hold."""
    variants = (f"{text} again {n}" for n in itertools.count())
    return (one for one in variants if split_of(group_of(one)) is Split.TRAIN)


def uploaded(desk: SlackDesk) -> int:
    return len([*desk.server.workspace.files.completed()])


async def test_files_and_lists_in_slack_go(desk: SlackDesk, store: SqlStore) -> None:
    yuko, listed = await listed_and_uploaded(desk)
    emily = await desk.emily()
    await yuko.command(f"/finetune forget {emily.user_id}")
    await yuko.press(await yuko.message(private("2")), "forget.confirm")
    request = await done(desk)
    assert (request.counts["posts"], request.left) == (3, {})
    assert uploaded(desk) == 0
    await nothing_left(desk, store)
    shown = next(one for one in bot_messages(desk) if one["ts"] == listed)
    assert "removed" in texts(shown)
    assert "actions" not in {block["type"] for block in shown["blocks"]}
    async with store.transaction() as tx:
        assert await tx.posts.holding([emily.user_id]) == []


async def test_files_of_earlier_versions_go(desk: SlackDesk, store: SqlStore) -> None:
    """Nothing is noted of what they show, so any forgetting takes them; later files are not touched again."""
    yuko, _ = await listed_and_uploaded(desk)
    async with store._database.begin() as connection:
        await connection.execute(delete(posts))
    await yuko.command("/finetune export")

    async def both() -> bool:
        return uploaded(desk) == 4

    await eventually(both)
    desk.clock.advance(hours=2)
    misaki = await desk.misaki()
    for n, left in enumerate([2, 2], start=1):
        ts = await misaki.say(WATCHED, f"有給は何日ありますか {'あい'[n - 1] * 9}")
        await misaki.answer(ts)
        await misaki.delete(WATCHED, ts)
        request = await done(desk, n)
        assert (uploaded(desk), request.left) == (left, {})
    assert [one.counts.get("posts", 0) for one in await requests(desk)] == [0, 2]


@pytest.mark.parametrize("told", ["the ids", "nothing"])
async def test_files_without_names_go_or_are_reported(desk: SlackDesk, store: SqlStore, told: str) -> None:
    """An app without `files:read` may hear less of its own files than their names."""
    yuko, _ = await listed_and_uploaded(desk)
    async with store._database.begin() as connection:
        await connection.execute(delete(posts))
    for message in (one for known in desk.server.workspace.board.messages.values() for one in known.values()):
        ids = [{"id": file["id"]} for file in message.pop("files", [])]
        message.update({"files": ids} if told == "the ids" else {})
    desk.clock.advance(hours=2)
    emily = await desk.emily()
    await desk.acts.forgetting.forget(Scope.own(emily.user_id), yuko.user_id, "en")
    request = await done(desk)
    if told == "the ids":
        assert (uploaded(desk), request.left) == (0, {})
        return
    dm = (await desk.client.conversations_open(users=yuko.user_id))["channel"]["id"]
    assert request.left == {f"forget_older_unnamed::{dm}": 1}
    report = next(one for one in bot_messages(desk) if "消去しました" in texts(one))
    assert f"<#{dm}>" in texts(report)
    assert "files:read" in texts(report)


async def test_posts_of_others_stay(desk: SlackDesk) -> None:
    await listed_and_uploaded(desk)
    misaki = await desk.misaki()
    ts = await misaki.say(WATCHED, "有給は何日ありますか")
    await misaki.answer(ts)
    await misaki.delete(WATCHED, ts)
    request = await done(desk)
    assert "posts" not in request.counts
    assert uploaded(desk) == 2


async def test_file_that_slack_keeps_is_named(desk: SlackDesk) -> None:
    yuko, _ = await listed_and_uploaded(desk)
    app = desk.server.workspace.app
    desk.server.workspace.app = replace(app, scopes=app.scopes - {"files:write"})
    emily = await desk.emily()
    await desk.acts.forgetting.forget(Scope.own(emily.user_id), yuko.user_id, "en")
    request = await done(desk)
    dm = (await desk.client.conversations_open(users=yuko.user_id))["channel"]["id"]
    assert request.left == {f"forget_post:missing_scope:{dm}": 1}
    report = next(one for one in bot_messages(desk) if "消去しました" in texts(one))
    assert "missing_scope" in texts(report)
    assert f"<#{dm}>" in texts(report)
