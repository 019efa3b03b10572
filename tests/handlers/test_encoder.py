"""Troubles of the embedded model with its encoder: the whole bot, from the service's server to Slack's socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass

import httpx2
import pytest

from bot.app.encoding import EmbeddedModel, encoder_of
from bot.domain.audience import Audience
from bot.domain.dataset import Split
from bot.domain.fallback import Fallback
from bot.domain.release import ModelName
from bot.embedded import LocalModel
from bot.ports import Store
from bot.providers.breaker import REST_S, Breaker, BreakerModel
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from bot.releases.releasing import add_candidate
from tests.bot.embedded.kit import client_of, jsonl, trained
from tests.bot.things import rows_of
from tests.kits.embedding_server import EMBEDDINGS, EmbeddingServer
from tests.kits.fakes import ManualTimer, StepClock
from tests.kits.fakes_acts import MemoryShelf
from tests.kits.openai_server import Reply, refusal
from tests.kits.slack_desk import MODEL, PROMPT, SlackDesk, asked, card, eventually, open_desk, private, texts
from tests.kits.tiny_encoder import TINY_ENCODER

pytestmark = pytest.mark.usefixtures("fast_training")
SERVICE = ModelName(provider="acme", model="embed")
OPS = "C0OPS000001"
FALLBACK = Fallback(model=MODEL, finetuned=True)
ROWS = [(f"{word} {n}", label) for n in range(6) for word, label in (("leave", "Labor 労務"), ("laptop", "IT"))]
"""Training rows; the words have meanings that the stand-in knows."""


@dataclass
class EncoderDesk:
    """A desk whose embedded model has its vectors from a service, and that service."""

    desk: SlackDesk
    service: EmbeddingServer
    shelf: MemoryShelf
    time: ManualTimer

    async def card_text(self, ts: str) -> str:
        return texts(await card(await self.desk.emily(), ts))

    async def told(self) -> list[str]:
        """Return the bot's messages in the ops channel."""
        yuko = await self.desk.window(self.desk.server.people.admin)
        return [texts(m) for m in await yuko.history(OPS) if "bot_id" in m]


OpenEncoderDesk = Callable[..., AbstractAsyncContextManager[EncoderDesk]]


@pytest.fixture
def opened(store: Store) -> OpenEncoderDesk:
    @asynccontextmanager
    async def open_encoder_desk(
        fallback: Fallback = FALLBACK,
        serving: ModelName = MODEL,
        encoder: ModelName | str = SERVICE,
        shelf: MemoryShelf | None = None,
    ) -> AsyncIterator[EncoderDesk]:
        async with AsyncExitStack() as stack:
            shelf = shelf or MemoryShelf()
            service = await stack.enter_async_context(EmbeddingServer().running())
            assert isinstance(service, EmbeddingServer)
            services = Providers([Provider("acme", service.url, "sk-secret", kind="compatible")])
            stack.push_async_callback(services.aclose)
            time = ManualTimer()
            breaker = Breaker(now=time)
            vectors = encoder_of(encoder, services, store, StepClock(), breaker)
            local = await stack.enter_async_context(LocalModel(shelf, encoder=vectors))
            transport = httpx2.ASGITransport(app=local.app, raise_app_exceptions=False)
            providers = Providers([Provider("local", "http://local/v1", kind="compatible", transport=transport)])
            stack.push_async_callback(providers.aclose)
            asking = OpenAIModel(providers)
            live = BreakerModel(asking, lambda: Breaker(now=time))
            desk = await stack.enter_async_context(
                open_desk(
                    store, model=live, judged=asking, serving=serving, fallback=fallback, embedded=EmbeddedModel(local)
                )
            )
            yield EncoderDesk(desk, service, shelf, time)

    return open_encoder_desk


async def train_with_tiny_encoder() -> tuple[ModelName, MemoryShelf]:
    shelf = MemoryShelf()
    async with LocalModel(shelf, encoder=TINY_ENCODER) as local, client_of(local) as client:
        job = await trained(client, jsonl(ROWS, PROMPT.text))
    return ModelName(provider="local", model=str(job.fine_tuned_model)), shelf


@pytest.fixture(scope="module")
def trained_elsewhere(fast_training: None) -> tuple[ModelName, MemoryShelf]:
    """Return a model that another installation trained with another encoder, and the shelf that it stands on."""
    return asyncio.run(train_with_tiny_encoder())


@pytest.fixture
def elsewhere(trained_elsewhere: tuple[ModelName, MemoryShelf]) -> tuple[ModelName, MemoryShelf]:
    """Return that model and a shelf of its own for each test."""
    return deepcopy(trained_elsewhere)


async def test_vectors_are_paid_for_once_and_counted(opened: OpenEncoderDesk) -> None:
    async with opened() as opened_desk:
        desk, service = opened_desk.desk, opened_desk.service
        ts = await asked(desk, "バカンスはどう取りますか")
        assert "Labor 労務" in await opened_desk.card_text(ts), "only the vectors tell"
        assert "Provisional" not in await opened_desk.card_text(ts)
        sent = list(service.texts)
        assert len(sent) == len(set(sent))
        async with desk.store.transaction() as tx:
            counted = await tx.vectors.tokens(desk.clock.now())
        assert counted == {str(SERVICE): sum(map(len, sent))}
        assert (await desk.acts.reporting.status()).spend.unpriced == (str(SERVICE),)


FAILURES = {
    "key": (refusal(401, "bad key"), "BOT_PROVIDERS__ACME__API_KEY"),
    "model": (refusal(404, "no such model", code="model_not_found"), "has no model `embed`"),
    "quota": (refusal(429, "quota", code="insufficient_quota"), "is not paid for any more"),
    "down": (refusal(500, "oh"), "answers with errors of its own"),
    "lost": (Reply(lost=True), "cannot be reached"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_service_down_gives_provisional_card(opened: OpenEncoderDesk, failure: str) -> None:
    reply, said = FAILURES[failure]
    async with opened() as opened_desk:
        opened_desk.service.down = reply
        for _ in range(2):
            ts = await asked(opened_desk.desk, "I want leave")
            assert "Provisional" in await opened_desk.card_text(ts)
        await eventually(opened_desk.told)
        (message,) = await opened_desk.told()
        assert said in message
        assert "acme" in message
        assert "Meanwhile v2 answers" in message
        assert "leave" not in message

        async def corrected() -> bool:
            return "Provisional" not in await opened_desk.card_text(ts)

        opened_desk.service.down = None
        opened_desk.time.seconds += REST_S
        async with opened_desk.desk.time_passes():
            opened_desk.desk.clock.advance(seconds=300)
            await eventually(corrected)


async def test_fallback_answers_without_its_encoder_too(opened: OpenEncoderDesk) -> None:
    async with opened(serving=ModelName(provider="gone", model="m")) as opened_desk:
        opened_desk.service.down = refusal(500, "oh")
        ts = await asked(opened_desk.desk, "I want leave")
        assert "Provisional" in await opened_desk.card_text(ts)
        await eventually(opened_desk.told)
        (message,) = await opened_desk.told()
        assert "No provider gone is set up" in message, "the serving model's own trouble"
        assert "Meanwhile v3 answers" in message


async def test_nothing_is_asked_of_a_dead_service(opened: OpenEncoderDesk) -> None:
    async with opened() as opened_desk:
        opened_desk.service.down = refusal(401, "bad key")
        for _ in range(4):
            await asked(opened_desk.desk)
        assert len(opened_desk.service.sent(EMBEDDINGS)) == 1


async def test_no_fallback_means_that_the_asker_is_told(opened: OpenEncoderDesk) -> None:
    async with opened(Fallback()) as opened_desk:
        opened_desk.service.down = refusal(401, "bad key")
        ts = await asked(opened_desk.desk)
        assert "ask a colleague" in await opened_desk.card_text(ts)
        await eventually(opened_desk.told)


@pytest.mark.parametrize("encoder", [SERVICE, "none"])
async def test_version_of_another_encoder_is_explained(
    opened: OpenEncoderDesk, elsewhere: tuple[ModelName, MemoryShelf], encoder: ModelName | str
) -> None:
    model, shelf = elsewhere
    async with opened(serving=model, encoder=encoder, shelf=shelf) as opened_desk:
        for _ in range(2):
            ts = await asked(opened_desk.desk, "I want leave")
            assert "Provisional" in await opened_desk.card_text(ts)
        await eventually(opened_desk.told)
        (message,) = await opened_desk.told()
        for part in (f"`{model}`", f"BOT_ENCODER={TINY_ENCODER}", "`/finetune start`", "Meanwhile v"):
            assert part in message
        assert opened_desk.service.requests == [], "this trouble is none of the service's"


@pytest.mark.parametrize(("locale", "said"), [("en-US", "Nothing was changed"), ("ja-JP", "に戻して再起動するか")])
async def test_switch_to_another_encoders_version_is_refused(
    opened: OpenEncoderDesk, elsewhere: tuple[ModelName, MemoryShelf], locale: str, said: str
) -> None:
    model, shelf = elsewhere
    async with opened(shelf=shelf) as opened_desk:
        desk = opened_desk.desk
        async with desk.store.transaction() as tx:
            await add_candidate(tx, desk.clock.now(), model, prompt_id=PROMPT.id, by="U9", why="a test")
        yuko = await desk.window(desk.server.people.admin)
        await yuko.set_locale(locale)
        await yuko.command(f"/finetune switch {model}")
        answer = texts(await yuko.message(private(said)))
        assert f"BOT_ENCODER={TINY_ENCODER}" in answer
        assert (await desk.acts.releasing.serving()).model == MODEL


@pytest.mark.parametrize(("locale", "said"), [("en-US", "Set BOT_ENCODER"), ("ja-JP", "に戻して再起動するか")])
async def test_status_warns_of_another_encoder(
    opened: OpenEncoderDesk, elsewhere: tuple[ModelName, MemoryShelf], locale: str, said: str
) -> None:
    model, shelf = elsewhere
    async with opened(serving=model, shelf=shelf) as opened_desk:
        yuko = await opened_desk.desk.window(opened_desk.desk.server.people.admin)
        await yuko.set_locale(locale)
        await yuko.command("/finetune status")
        assert f"`{model}`" in texts(await yuko.message(private("⚠️", said)))


async def test_service_is_asked_no_private_rows(opened: OpenEncoderDesk) -> None:
    """It reads a question to answer it; nothing that few may read is sent for a training."""
    async with opened() as opened_desk:
        desk = opened_desk.desk
        few = [one.model_copy(update={"audience": Audience.PRIVATE}) for one in rows_of(Split.TRAIN, "labor", 8)]
        async with desk.store.transaction() as tx:
            await tx.rows.put(*few, *rows_of(Split.TRAIN, "it", 8))
        frozen = await desk.acts.exporting.export(student=MODEL)
        assert (frozen.manifest.rows, frozen.manifest.left_out) == (8, {"private": 8})
        ts = await asked(desk, "I want leave")
        await opened_desk.card_text(ts)
        assert opened_desk.service.texts
        assert not {one.text for one in few} & set(opened_desk.service.texts)
