"""Vectors of texts, from a service over HTTP, through the real SDK and a real database."""

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from bot.domain.errors import ModelDown, ModelError, ModelRefused, Trouble
from bot.domain.release import ModelName
from bot.ports import Store
from bot.providers.breaker import REST_S, Breaker
from bot.providers.embedding import MOST_CHARACTERS, MOST_TEXTS, Embeddings
from bot.providers.providers import Provider, Providers
from bot.providers.tokens import OfflineEstimator
from tests.kits.embedding_server import EMBEDDINGS, EmbeddingServer
from tests.kits.fakes import ManualTimer, StepClock
from tests.kits.openai_server import Reply, refusal

MODEL = ModelName(provider="openai", model="text-embedding-3-small")
SECRET = "私の給料は一千万円です"


@pytest.fixture
async def service() -> AsyncIterator[EmbeddingServer]:
    async with EmbeddingServer().running() as running:
        assert isinstance(running, EmbeddingServer)
        yield running


@pytest.fixture
async def opened(service: EmbeddingServer, store: Store, clock: StepClock) -> AsyncIterator[Callable[..., Embeddings]]:
    providers = Providers([Provider("openai", service.url, "sk-secret")])

    def open_again(model: ModelName = MODEL, breaker: Breaker | None = None, timeout_s: float = 2.0) -> Embeddings:
        """Return the vectors as another process finds them."""
        estimator = OfflineEstimator()
        return Embeddings(model, providers, store, clock, estimator=estimator, breaker=breaker, timeout_s=timeout_s)

    yield open_again
    await providers.aclose()


async def test_each_text_is_paid_for_once(opened: Callable[..., Embeddings], service: EmbeddingServer) -> None:
    first = await opened().vectors(["有給", "laptop", "有給"])
    assert first.shape == (3, service.dimensions)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-3)
    expected = service.vector("laptop") / np.linalg.norm(service.vector("laptop"))
    assert np.allclose(first[1], expected, atol=2e-3)
    again = await opened().vectors(["laptop", "有給", "new"])
    assert np.allclose(again[:2], first[[1, 0]], atol=2e-3)
    assert service.texts == ["有給", "laptop", "new"]
    await opened(ModelName(provider="openai", model="other")).vectors(["有給"])
    assert service.texts[-1] == "有給", "another model gives other vectors"


async def test_requests_are_bounded(opened: Callable[..., Embeddings], service: EmbeddingServer) -> None:
    texts = [f"question {n}" for n in range(300)] + ["長" * 60_000, "", "  "]
    found = await opened().vectors(texts)
    assert len(found) == len(texts)
    sizes = [len(got.json["input"]) for got in service.sent(EMBEDDINGS)]
    assert sum(sizes) == len(texts)
    assert max(sizes) <= MOST_TEXTS
    assert max(map(len, service.texts)) == MOST_CHARACTERS
    assert min(map(len, service.texts)) == 1, "servers refuse an empty text"
    assert all(set(got.json) == {"input", "model", "encoding_format"} for got in service.sent(EMBEDDINGS))


async def test_tokens_of_one_request_are_bounded(opened: Callable[..., Embeddings], service: EmbeddingServer) -> None:
    await opened().vectors([f"{n} " + "学習データ" * 1_000 for n in range(40)])
    estimator = OfflineEstimator()
    totals = [sum(map(estimator.words, got.json["input"])) for got in service.sent(EMBEDDINGS)]
    assert len(totals) > 1
    assert max(totals) <= 50_000


async def test_smaller_requests_follow_a_refusal(opened: Callable[..., Embeddings], service: EmbeddingServer) -> None:
    service.most_texts, service.longest_text = 10, 1_500
    embeddings = opened()
    found = await embeddings.vectors([f"question {n}" for n in range(100)] + ["x" * 5_000])
    assert len(found) == 101
    before = len(service.sent(EMBEDDINGS))
    await embeddings.vectors([f"later {n}" for n in range(100)])
    later = [len(got.json["input"]) for got in service.sent(EMBEDDINGS)[before:]]
    assert max(later) <= 10, "the size that the server takes is remembered"


@pytest.mark.parametrize("odd", ["base64", "no usage"])
async def test_odd_servers_are_understood(
    opened: Callable[..., Embeddings], service: EmbeddingServer, store: Store, clock: StepClock, odd: str
) -> None:
    service.as_base64, service.with_usage = odd == "base64", odd != "no usage"
    found = await opened().vectors(["laptop", "有給"])
    assert found[0, 1] > 0.5 > found[0, 0]
    async with store.transaction() as tx:
        assert (await tx.vectors.tokens(clock.now()))[str(MODEL)] > 0


MALFORMED = {
    "too few": {"data": []},
    "two lengths": {"data": [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [1]}]},
    "not a number": '{"data": [{"embedding": [NaN, 1]}, {"embedding": [1, 2]}]}',
    "broken base64": {"data": [{"embedding": "!"}, {"embedding": "!"}]},
    "no data": {"error": None},
    "half JSON": '{"data": [{"emb',
}
FAILURES = [
    (refusal(401, "bad key sk-secret"), ModelRefused, Trouble.KEY),
    (refusal(429, "quota", code="insufficient_quota"), ModelRefused, Trouble.QUOTA),
    (refusal(404, "no such model", code="model_not_found"), ModelRefused, Trouble.UNKNOWN_MODEL),
    (refusal(404, "Not Found"), ModelRefused, Trouble.UNKNOWN_ADDRESS),
    (refusal(429, "slow down"), ModelDown, Trouble.BUSY),
    (refusal(500, f"oh: {SECRET}"), ModelDown, Trouble.DOWN),
    (Reply(lost=True), ModelDown, Trouble.UNREACHABLE),
    (Reply(wait_s=3), ModelDown, Trouble.SLOW),
    *((Reply(body), ModelDown, Trouble.BROKEN) for body in MALFORMED.values()),
]


@pytest.mark.parametrize(("reply", "kind", "trouble"), FAILURES)
async def test_failure_names_model_and_no_text(
    opened: Callable[..., Embeddings],
    service: EmbeddingServer,
    reply: Reply,
    kind: type[ModelError],
    trouble: Trouble,
) -> None:
    service.down = reply
    with pytest.raises(kind) as raised:
        await opened(timeout_s=0.1).vectors([SECRET, "a"])
    assert (raised.value.trouble, raised.value.model) == (trouble, str(MODEL))
    assert SECRET[:8] not in str(raised.value)
    assert "sk-secret" not in str(raised.value)


async def test_failed_try_is_repeated(opened: Callable[..., Embeddings], service: EmbeddingServer) -> None:
    service.on(EMBEDDINGS, refusal(500, "oh"), refusal(429, "slow down"))
    assert len(await opened().vectors(["a"])) == 1
    assert len(service.sent(EMBEDDINGS)) == 3


async def test_breaker_spares_a_dead_service(opened: Callable[..., Embeddings], service: EmbeddingServer) -> None:
    time = ManualTimer()
    embeddings = opened(breaker=Breaker(now=time))
    service.down = refusal(401, "bad key")
    for _ in range(4):
        with pytest.raises(ModelError) as raised:
            await embeddings.vectors(["a"])
        assert raised.value.trouble is Trouble.KEY
    assert len(service.sent(EMBEDDINGS)) == 1
    service.down = None
    time.seconds += REST_S
    assert len(await embeddings.vectors(["a"])) == 1


async def test_other_dimensions_replace_stored_vectors(
    opened: Callable[..., Embeddings], service: EmbeddingServer
) -> None:
    await opened().vectors(["a", "b"])
    service.dimensions = 8
    found = await opened().vectors(["a", "c"])
    assert found.shape == (2, 8)
    assert (await opened().vectors(["a", "b", "c"])).shape == (3, 8)


async def test_question_does_not_wait_for_a_training(
    opened: Callable[..., Embeddings], service: EmbeddingServer
) -> None:
    embeddings = opened()
    service.wait_s = 0.1
    training = asyncio.create_task(embeddings.vectors([f"row {n}" for n in range(20 * MOST_TEXTS)]))
    while not service.requests:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    await embeddings.vectors(["a question"])
    assert not training.done()
    assert len(await training) == 20 * MOST_TEXTS
