"""Failures of a model's provider, with the whole bot between the provider's HTTP server and Slack's socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from bot.domain.dataset import Split
from bot.domain.errors import Trouble
from bot.domain.fallback import Fallback
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName, Release
from bot.domain.trouble import TroubleReport
from bot.ports import Store
from bot.providers.breaker import REST_S, Breaker, BreakerModel
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from bot.releases.releasing import add_candidate
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.people import People
from tests.bot.things import rows_of
from tests.kits.fakes import ManualTimer
from tests.kits.openai_server import CHAT, OpenAIServer, Reply, completion, refusal, said
from tests.kits.slack_desk import MODEL, PROMPT, Json, SlackDesk, eventually, open_desk, private, texts

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

    async def command(self, text: str, said: str = "") -> str:
        """Type a command as the admin, who reads English, and return the answer that holds `said`."""
        yuko = await self.desk.window(self.desk.server.people.admin)
        await yuko.set_locale("en-US")
        await yuko.command(text)
        return texts(await yuko.message(private(said)))

    async def candidate(self, model: ModelName) -> Release:
        """Add a candidate release of this model."""
        async with self.desk.store.transaction() as tx:
            return await add_candidate(
                tx, self.desk.clock.now(), model, prompt_id=PROMPT.id, by="U9", why="a test", finetune_id=None
            )

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
    async def open_outage(
        fallback: Fallback = FALLBACK, base: Reply | None = None, prompt: Prompt = PROMPT
    ) -> AsyncIterator[Outage]:
        async with AsyncExitStack() as stack:
            serving = await stack.enter_async_context(OpenAIServer().running())
            local = await stack.enter_async_context(OpenAIServer().running())
            local.on(CHAT, base or said("Labor 労務", "by the base model", p=0.6))
            providers = Providers(
                [Provider("openai", serving.url, "sk-secret"), Provider("local", local.url, kind="compatible")]
            )
            stack.push_async_callback(providers.aclose)
            time = ManualTimer()
            asked = OpenAIModel(providers, timeout_s=0.2)
            model = BreakerModel(asked, lambda: Breaker(now=time))
            desk = await stack.enter_async_context(
                open_desk(store, prompt, model=model, serving=SERVING_MODEL, fallback=fallback, judged=asked)
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
        assert "Meanwhile v2 answers" in message
        assert "laptop" not in message
        assert "sk-secret" not in message


async def test_cards_are_corrected_after_provider_recovers(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        outage.serving.on(CHAT, refusal(500, "oh"))
        tss = [await outage.ask() for _ in range(4)]
        outage.serving.on(CHAT, GOOD_ANSWER)

        async def all_corrected() -> bool:
            cards = [await outage.replies(ts) for ts in tss]
            return all("Provisional" not in texts(card[0]) for card in cards)

        async with outage.desk.time_passes():
            outage.desk.clock.advance(seconds=300)
            outage.time.seconds += REST_S
            await eventually(all_corrected)
        for ts in tss:
            card, *told = await outage.replies(ts)
            assert all("is now with" in texts(message) for message in told)
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
        settled = await priya.message(lambda m: m["ts"] == card["ts"] and "Changed by" in texts(m))
        assert "Provisional" not in texts(settled)
        question = await outage.desk.question(WATCHED, card["thread_ts"])
        assert question is not None
        assert [c.category for c in await outage.desk.corrections(question)] == ["it"]


@pytest.mark.parametrize(("language", "words"), [("ja", "再起動してください"), (None, "and restart")])
async def test_trouble_is_told_in_configured_language(desk: SlackDesk, language: str | None, words: str) -> None:
    people = People(desk.client, desk.people.home, language)
    announcer, report = SlackAnnouncer(desk.client, people, OPS), TroubleReport(model=str(ACME), trouble=Trouble.KEY)
    for again in (False, True):
        await announcer.tell_trouble(report, message_id="1", again=again)
    yuko = await desk.window(desk.server.people.admin)
    (message,) = [m for m in await yuko.history(OPS) if "bot_id" in m]
    assert words in texts(message)
    assert "BOT_PROVIDERS__ACME__API_KEY" in texts(message)
    await SlackAnnouncer(desk.client, people).tell_trouble(report, message_id="2", again=False)
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


FILTER = refusal(400, "The response was filtered by the content management policy.", code="content_filter")
NOT_DEPLOYED = refusal(404, "The API deployment for this resource does not exist.", code="DeploymentNotFound")


@pytest.mark.parametrize("filtered", [FILTER, completion(None, finish_reason="content_filter")])
async def test_each_filtered_question_is_told_with_its_link(opened: OpenOutageDesk, filtered: Reply) -> None:
    async with opened() as outage:
        outage.serving.on(CHAT, filtered)
        tss = [await outage.ask(f"question {n} about a laptop") for n in range(4)]

        async def all_told() -> bool:
            return len(await outage.ops_messages()) == 4

        await eventually(all_told)
        told = await outage.ops_messages()
        for ts in tss:
            (message,) = [m for m in told if f"p{ts.replace('.', '')}" in m]
            assert "itself is well" in message
            assert "v2 answered it instead" in message
            assert "laptop" not in message
        outage.serving.on(CHAT, GOOD_ANSWER)
        (card,) = await outage.replies(await outage.ask())
        assert "Provisional" not in texts(card), "the breaker is closed, so the next question is asked"


async def test_filtered_direct_message_has_no_link(opened: OpenOutageDesk) -> None:
    async with opened(Fallback()) as outage:
        outage.serving.on(CHAT, FILTER)
        emily = await outage.desk.emily()
        await emily.say(await emily.dm(), "my laptop is broken")
        await eventually(outage.ops_messages)
        (message,) = await outage.ops_messages()
        assert "a question in a direct message" in message
        assert "Nobody answered it" in message
        assert "http" not in message


async def test_undeployed_model_is_told_with_its_name(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        await outage.candidate(ModelName(provider="openai", model="other"))
        outage.serving.on(CHAT, NOT_DEPLOYED)
        await outage.ask()
        await eventually(outage.ops_messages)
        (message,) = await outage.ops_messages()
        assert "nothing is deployed under the name `luna`" in message
        assert "/finetune switch" not in message


@pytest.mark.parametrize(
    ("reply", "advised"),
    [
        (refusal(404, "The model `luna` does not exist", code="model_not_found"), True),
        (completion("no idea"), True),
        (Reply({"detail": "Not Found"}, 404), False),
        (refusal(401, "bad key"), False),
        (refusal(429, "quota", code="insufficient_quota"), False),
        (refusal(500, "oh"), False),
        (FILTER, False),
    ],
)
async def test_switch_is_advised_only_where_it_helps(opened: OpenOutageDesk, reply: Reply, *, advised: bool) -> None:
    async with opened() as outage:
        await outage.candidate(ModelName(provider="openai", model="other"))
        outage.serving.on(CHAT, reply)
        await outage.ask()
        await eventually(outage.ops_messages)
        assert [("/finetune switch" in message) for message in await outage.ops_messages()] == [advised]


async def test_switch_is_not_advised_without_another_model(opened: OpenOutageDesk) -> None:
    async with opened(Fallback()) as outage:
        outage.serving.on(CHAT, refusal(404, "The model `luna` does not exist", code="model_not_found"))
        await outage.ask()
        await eventually(outage.ops_messages)
        assert "/finetune switch" not in (await outage.ops_messages())[0]


async def test_switch_to_undeployed_model_says_how_to_deploy(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        async with outage.desk.store.transaction() as tx:
            await tx.rows.put(*rows_of(Split.HELD_OUT, "labor", 4))
        tuned = await outage.candidate(ModelName(provider="openai", model="gpt-4.1-mini.ft-0ab"))
        outage.serving.on(CHAT, NOT_DEPLOYED)
        for command in (f"/finetune switch {tuned.id}", f"/finetune evaluate {tuned.id}"):
            assert "under the name `gpt-4.1-mini.ft-0ab`" in await outage.command(command, "Nothing was changed")


async def test_filtered_evaluation_goes_on_and_counts_them(opened: OpenOutageDesk) -> None:
    async with opened() as outage:
        async with outage.desk.store.transaction() as tx:
            await tx.rows.put(*rows_of(Split.HELD_OUT, "labor", 4))
        other = await outage.candidate(ModelName(provider="openai", model="other"))
        outage.serving.on(CHAT, FILTER)
        await outage.command(f"/finetune evaluate {other.name}", "I am comparing v")
        yuko = await outage.desk.window(outage.desk.server.people.admin)
        told = await yuko.message(lambda m: "content filter stopped 4 questions" in texts(m))
        assert "right on 0 of 4" in texts(told)


async def test_cut_prompt_is_told_once_and_in_status(opened: OpenOutageDesk) -> None:
    """The fake bills 120 tokens for each request, as Ollama does for a small context."""
    long = PROMPT.changed(template="Choose the category of each question. " * 100)
    async with opened(prompt=long) as outage:
        outage.serving.on(CHAT, GOOD_ANSWER)
        for _ in range(3):
            (card,) = await outage.replies(await outage.ask())
            assert "Provisional" not in texts(card)
        await eventually(outage.ops_messages)
        (message,) = await outage.ops_messages()
        assert "reads only a part of the instructions" in message
        assert "120 tokens where about" in message
        assert "120 of about" in await outage.command("/finetune status")
        well = {**GOOD_ANSWER.body, "usage": {"prompt_tokens": 700, "completion_tokens": 9}}  # type: ignore[dict-item] # a body
        outage.serving.on(CHAT, Reply(well))
        await outage.ask()
        assert "only a part" not in await outage.command("/finetune status")
        assert len(await outage.ops_messages()) == 1


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": "many"}, {"prompt_tokens": 480}])
async def test_whole_prompt_is_not_told(opened: OpenOutageDesk, usage: Json | None) -> None:
    long = PROMPT.changed(template="Choose the category of each question. " * 100)
    async with opened(prompt=long) as outage:
        outage.serving.on(CHAT, Reply({**GOOD_ANSWER.body, "usage": usage}))  # type: ignore[dict-item] # a body
        await outage.ask()
        assert "only a part" not in await outage.command("/finetune status")
        assert await outage.ops_messages() == []
