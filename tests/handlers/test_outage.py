"""Failures of a model's provider, with the whole bot between the provider's HTTP server and Slack's socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from bot.domain.errors import Trouble
from bot.domain.fallback import Fallback
from bot.domain.release import ModelName
from bot.ports import Store
from bot.providers.breaker import REST_S, Breaker, BreakerModel
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.people import People
from tests.kits.fakes import ManualTimer
from tests.kits.openai_server import CHAT, OpenAIServer, Reply, completion, refusal, said
from tests.kits.slack_desk import MODEL, Json, SlackDesk, eventually, open_desk, texts

WATCHED, OPS = "C0HELPDESK1", "C0OPS000001"
ACME = ModelName(provider="acme", model="small")
SERVING_MODEL = ModelName(provider="openai", model="luna")
FALLBACK = Fallback(model=MODEL, finetuned=True)
GOOD_ANSWER = said("IT", "a broken laptop", p=0.9)


@dataclass
class Outage:
    """A desk, the provider of the serving release, the provider of the fallback, and the breaker's clock."""

    desk: SlackDesk
    serving: OpenAIServer
    fallback: OpenAIServer
    time: ManualTimer

    async def ask(self, text: str = "my laptop is broken") -> str:
        """Ask, and wait for a card or a notice."""
        emily = await self.desk.emily()
        ts = await emily.say(WATCHED, text)
        await emily.answer(ts)
        await self.desk.settled()
        return ts

    async def replies(self, ts: str) -> list[Json]:
        return [m for m in await (await self.desk.emily()).replies(WATCHED, ts) if "bot_id" in m]

    async def ops_messages(self) -> list[str]:
        """Return the bot's messages in the ops channel."""
        yuko = await self.desk.window(self.desk.server.people.admin)
        return [texts(m) for m in await yuko.history(OPS) if "bot_id" in m]


OpenOutageDesk = Callable[..., AbstractAsyncContextManager[Outage]]


@pytest.fixture
def opened(store: Store) -> OpenOutageDesk:
    @asynccontextmanager
    async def open_outage(fallback: Fallback = FALLBACK, base: Reply | None = None) -> AsyncIterator[Outage]:
        async with AsyncExitStack() as stack:
            serving = await stack.enter_async_context(OpenAIServer().running())
            local = await stack.enter_async_context(OpenAIServer().running())
            local.on(CHAT, base or said("Labor 労務", "by the base model", p=0.6))
            providers = Providers(
                [Provider("openai", serving.url, "sk-secret"), Provider("local", local.url, kind="compatible")]
            )
            stack.push_async_callback(providers.aclose)
            time = ManualTimer()
            model = BreakerModel(OpenAIModel(providers, timeout_s=0.2), lambda: Breaker(now=time))
            desk = await stack.enter_async_context(
                open_desk(store, model=model, serving=SERVING_MODEL, fallback=fallback)
            )
            yield Outage(desk, serving, local, time)

    return open_outage


TROUBLES = {
    "429": refusal(429, "slow down"),
    "429 with Retry-After": Reply({"error": {"message": "slow down"}}, 429, {"retry-after": "60"}),
    "quota gone": refusal(429, "quota", code="insufficient_quota"),
    "500": refusal(500, "oh"),
    "dropped connection": Reply(lost=True),
    "slow": Reply(wait_s=1),
    "half JSON": Reply('{"choices": [{"mess'),
    "half JSON in the answer": completion('{"reason": "x", "cat'),
    "empty": completion(""),
    "refusal": completion(None, refused="I will not"),
    "a category outside the list": completion('{"reason": "x", "category": "Legal"}'),
    "401": refusal(401, "bad key"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_failure_gives_one_provisional_card(opened: OpenOutageDesk, trouble: str) -> None:
    async with opened() as outage:
        outage.serving.on(CHAT, TROUBLES[trouble])
        ts = await outage.ask()
        (card,) = await outage.replies(ts)
        assert "Labor 労務" in texts(card)
        assert "Provisional" in texts(card)
        await eventually(outage.ops_messages)
        (message,) = await outage.ops_messages()
        assert "`local/base` answers" in message
        assert "laptop" not in message
        assert "sk-secret" not in message


async def test_cards_are_corrected_after_provider_recovers(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        outage.serving.on(CHAT, refusal(500, "oh"))
        tss = [await outage.ask() for _ in range(4)]
        outage.serving.on(CHAT, GOOD_ANSWER)

        async def all_corrected() -> bool:
            cards = [await outage.replies(ts) for ts in tss]
            return all(len(card) == 1 and "Provisional" not in texts(card[0]) for card in cards)

        async with outage.desk.time_passes():
            outage.desk.clock.advance(seconds=300)
            outage.time.seconds += REST_S
            await eventually(all_corrected)
        for ts in tss:
            (card,) = await outage.replies(ts)
            assert "IT" in texts(card)
            assert "a broken laptop" in texts(card)
        assert len(await outage.ops_messages()) == 1, "once an hour"


async def test_fallback_answers_while_breaker_is_open(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        outage.serving.on(CHAT, refusal(401, "bad key"))
        await outage.ask()
        for _ in range(3):
            await outage.ask()
        assert len(outage.serving.sent(CHAT)) == 1
        assert len(outage.fallback.sent(CHAT)) == 4


async def test_asker_and_operators_are_told_without_fallback(opened: OpenOutageDesk) -> None:
    async with opened(Fallback()) as outage:
        outage.serving.on(CHAT, refusal(401, "bad key"))
        ts = await outage.ask()
        (notice,) = await outage.replies(ts)
        assert "ask a colleague" in texts(notice)
        await eventually(outage.ops_messages)
        (message,) = await outage.ops_messages()
        assert "OPENAI_API_KEY" in message
        assert "Nothing answers meanwhile" in message
        assert outage.fallback.requests == []


async def test_asker_is_told_when_fallback_fails_too(opened: OpenOutageDesk) -> None:
    async with opened(base=refusal(404, "gone")) as outage:
        outage.serving.on(CHAT, refusal(500, "oh"))
        async with outage.desk.time_passes():
            ts = await outage.ask()
            (notice,) = await outage.replies(ts)
        assert "ask a colleague" in texts(notice)
        (message,) = await outage.ops_messages()
        assert "Nothing answers meanwhile" in message


async def test_correction_ends_provisional_state(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        outage.serving.on(CHAT, refusal(500, "oh"))
        priya = await outage.desk.priya()
        card = await priya.answer(await outage.ask())
        await priya.press(card, "correct.change.0")
        settled = await priya.message(lambda m: m["ts"] == card["ts"] and "corrected by" in texts(m))
        assert "Provisional" not in texts(settled)
        question = await outage.desk.question(WATCHED, card["thread_ts"])
        assert question is not None
        assert [c.category for c in await outage.desk.corrections(question)] == ["it"]


@pytest.mark.parametrize(("language", "words"), [("ja", "再起動してください"), (None, "and restart")])
async def test_trouble_is_told_in_configured_language(desk: SlackDesk, language: str | None, words: str) -> None:
    people = People(desk.client, desk.people.home, language)
    announcer = SlackAnnouncer(desk.client, people, OPS)
    for again in (False, True):
        await announcer.tell_trouble(ACME, Trouble.KEY, None, message_id="1", again=again)
    yuko = await desk.window(desk.server.people.admin)
    (message,) = [m for m in await yuko.history(OPS) if "bot_id" in m]
    assert words in texts(message)
    assert "BOT_PROVIDERS__ACME__API_KEY" in texts(message)
    await SlackAnnouncer(desk.client, people).tell_trouble(ACME, Trouble.KEY, None, message_id="2", again=False)
    assert len([m for m in await yuko.history(OPS) if "bot_id" in m]) == 1, "without an ops channel nothing is posted"


@pytest.mark.parametrize(("language", "words"), [("ja", "上限に達しています"), (None, "accepts no more traces")])
async def test_operators_are_told_once(desk: SlackDesk, language: str | None, words: str) -> None:
    people = People(desk.client, desk.people.home, language)
    announcer = SlackAnnouncer(desk.client, people, OPS)
    for again in (False, True):
        await announcer.tell_operators("tracker.trace_quota", {}, message_id="1", again=again)
    yuko = await desk.window(desk.server.people.admin)
    (message,) = [m for m in await yuko.history(OPS) if "bot_id" in m]
    assert words in texts(message)
    await SlackAnnouncer(desk.client, people).tell_operators("tracker.down", {}, message_id="2", again=False)
    assert len([m for m in await yuko.history(OPS) if "bot_id" in m]) == 1
