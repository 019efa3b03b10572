"""The reader of messages: it takes any shape, and never the words of an author or channel that is not verified."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.consent import Consent
from bot.domain.question import Arrival, Place, Via
from handlers.slack.channels import ChannelAudiences
from handlers.slack.people import Home, People
from handlers.slack.reading import MessageReader, Reading

Json = dict[str, Any]
HERE, ASKER = "C0HERE", "U0ASKER"
HOME = Home("T0", "U0BOT")
PEOPLE: dict[str, Json] = {
    "U0ASKER": {},
    "U0MEMBER": {},
    "U0GUEST": {"is_restricted": True},
    "U0STRANGER": {"is_stranger": True, "team_id": "T9"},
    "U0FOREIGN": {"team_id": "T9"},
    "U0GONE": {"deleted": True},
    "U0APP": {"is_bot": True},
}
CHANNELS: dict[str, Json] = {
    "C0PUBLIC": {"is_private": False},
    HERE: {"is_private": True},
    "C0PRIVATE": {"is_private": True},
    "C0SHARED": {"is_private": False, "is_ext_shared": True},
    "C0UNTOLD": {},
}
MEMBERS, OPEN = {"U0ASKER", "U0MEMBER"}, {"C0PUBLIC", HERE}


class KnownSlack:
    """The three look-ups of a Web API that knows these people, these channels and one thread."""

    def __init__(self, thread: Any = ()) -> None:
        self._thread = thread

    async def users_info(self, user: str, **_more: object) -> Json:
        return {"user": {"id": user, "team_id": "T0"} | found(PEOPLE, user, "user_not_found")}

    async def conversations_info(self, channel: str) -> Json:
        return {"channel": {"id": channel} | found(CHANNELS, channel, "channel_not_found")}

    async def conversations_replies(self, **_query: object) -> Json:
        return {"messages": self._thread}


def found(known: Mapping[str, Json], name: str, error: str) -> Json:
    if name not in known:
        refusal: Any = SlackApiError
        raise refusal(error, type("Response", (), {"data": {"error": error}})())
    return known[name]


def reader(thread: Any = ()) -> MessageReader:
    client = cast(AsyncWebClient, KnownSlack(thread))
    return MessageReader(client, People(client, HOME), ChannelAudiences(client))


def read(message: Json) -> Reading:
    return asyncio.run(reader().read_message({"user": ASKER, "ts": "9.000100"} | message, HERE))


def read_thread(thread: Any) -> Arrival:
    place = Place(team="T0", channel=HERE, ts="9.000100", thread_ts="1.000100")
    arrival = Arrival(event_id="Ev1", via=Via.MENTION, place=place, asker=ASKER, text="this?")
    return asyncio.run(reader(thread).read(arrival))


WORDS = st.text("abc<&|漢 ", min_size=1, max_size=4)
NAMES = ("type", "text", "user", "ts", "elements", "blocks", "message", "message_blocks", "files", "attachments")
FACTS = ("is_share", "author_id", "channel_id", "channel_team", "bot_id", "subtype", "rows", "fields", "name", "value")
VALUES = st.sampled_from(["table", "rich_text", "section", *PEOPLE, *CHANNELS, "1.000100", "9.000100", "T0", "T9"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | WORDS | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES + FACTS), inner, max_size=6),
    max_leaves=25,
)
MESSAGE = st.fixed_dictionaries(
    {"ts": VALUES, "user": VALUES, "text": JSON, "attachments": JSON}, optional={"subtype": JSON, "bot_id": JSON}
)
FORWARD = st.fixed_dictionaries({"is_share": st.just(value=True), "text": JSON, "author_id": JSON, "channel_id": JSON})


@settings(deadline=None)
@given(JSON, st.lists(JSON | FORWARD, max_size=3) | JSON, st.lists(JSON | MESSAGE, max_size=3) | JSON)
@example("", [{"is_share": True, "author_id": ["U"], "channel_id": {}}], [None])
@example("", [], [{"ts": "1.000100", "user": "U0MEMBER", "subtype": ["odd"]}])
def test_no_shape_of_message_raises(text: Any, attachments: Any, thread: Any) -> None:
    for found_authors in (read({"text": text, "attachments": attachments}).authors, read_thread(thread).authors):
        assert {author.id for author in found_authors} <= MEMBERS - {ASKER}


MAYBE = {"bot_id": st.sampled_from(["", "B0"]), "msg_subtype": st.sampled_from([None, "bot_message"])}
FORWARDS = st.fixed_dictionaries(
    {
        "author_id": st.sampled_from([*PEOPLE, "U0NOBODY", None]),
        "channel_id": st.sampled_from([*CHANNELS, "C0X", None]),
    },
    optional={"channel_team": st.sampled_from(["T0", "T9"]), **MAYBE},
)
REPLIES = st.fixed_dictionaries(
    {"user": st.sampled_from([*PEOPLE, "U0NOBODY", None])},
    optional={"user_team": st.sampled_from(["T0", "T9"]), "subtype": st.sampled_from([None, "tombstone"]), **MAYBE},
)


def verified(facts: Json) -> bool:
    """Return whether every fact says that the words are a member's, from an open channel."""
    who, team = facts.get("author_id", facts.get("user")), facts.get("channel_team", facts.get("user_team"))
    in_open = "author_id" not in facts or facts["channel_id"] in OPEN
    return who in MEMBERS and in_open and team != "T9" and not facts.get("bot_id") and not facts.get("subtype")


@settings(deadline=None)
@given(st.lists(FORWARDS, max_size=3))
def test_only_verified_forwards_are_read(forwards: list[Json]) -> None:
    shown = [facts | {"is_share": True, "text": f"words{n}"} for n, facts in enumerate(forwards)]
    reading = read({"text": "please", "attachments": shown})
    expected = [n for n, facts in enumerate(forwards) if verified(facts) and not facts.get("msg_subtype")]
    assert reading.quotes == [f"words{n}" for n in expected]
    assert [author.id for author in reading.authors] == [forwards[n]["author_id"] for n in expected]
    assert all((author.consent is Consent.YES) == (author.id == ASKER) for author in reading.authors)
    assert (":forward" in reading.unread) == (len(expected) < len(forwards))


@settings(deadline=None)
@given(REPLIES, st.none() | REPLIES)
def test_only_members_words_of_thread_are_read(root: Json, before: Json | None) -> None:
    thread = [root | {"ts": "1.000100", "text": "root words"}]
    thread += [before | {"ts": "2.000100", "text": "later words"}] if before else []
    reading = read_thread([*thread, {"ts": "9.000100", "text": "itself"}])
    expected = ["root words"] if verified(root) else []
    expected += ["later words"] if before and verified(before) else []
    assert list(reading.quotes) == expected
    silent = before is None or verified(before) or bool(before.get("bot_id"))
    assert (":thread" in reading.unread) == (not verified(root) or not silent)
