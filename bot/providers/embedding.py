"""Vectors of texts from any OpenAI-compatible `/v1/embeddings`, kept in the database."""

import asyncio
import base64
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.domain.errors import ModelDown, ModelError, Trouble
from bot.domain.release import ModelName
from bot.ports import Clock, Estimator, Store
from bot.providers.breaker import Breaker
from bot.providers.providers import Providers
from bot.providers.reading import Usage
from bot.providers.sdk import sdk
from bot.providers.wire import ResponseBody, is_filtered, is_unpaid, read, translate_errors

FloatMatrix = NDArray[np.float32]
MOST_TEXTS = 128
"""Texts of one request. A server that takes fewer refuses, and gets half as many from then on."""
MOST_TOKENS = 50_000
"""Tokens of one request by our own count; OpenAI allows 300,000."""
MOST_CHARACTERS = 8_000
"""Characters of a text that are sent. Less is sent to a server that refuses so many."""
SHORTEST_TEXT = 250
AT_ONCE = 4
"""Requests in flight for one call, so that a question never waits for all texts of a training."""
TRY_S, REQUEST_BUDGET_S = 10.0, 30.0
"""Deadlines in seconds of one try and of a request with its retries: less than a question's own (model.py)."""
LOOKED_UP = 500
"""Hashes of one query of the database."""
_TOO_MUCH = frozenset({400, 413, 422})
_STORED = np.dtype("<f2")
_BLANK = "."
"""Sent in place of a text without any character, which servers refuse."""


class _Vector(ResponseBody):
    index: int | None = None
    embedding: list[float] | str


class _Vectors(ResponseBody):
    data: list[_Vector]
    usage: Usage | None = None


class Embeddings:
    """The vectors of one embedding model. Their number of dimensions is the model's.

    Args:
        model: The embedding model.
        providers: The SDK clients.
        store: Keeps vectors by the hash of the text, and the tokens that they cost.
        clock: The time of a use.
        estimator: Counts the tokens of a text.
        breaker: Stops requests to a service that is down.
        timeout_s: Deadline of one try, in seconds.
    """

    def __init__(  # noqa: PLR0913 - the ports, and what is known of the service
        self,
        model: ModelName,
        providers: Providers,
        store: Store,
        clock: Clock,
        *,
        estimator: Estimator,
        breaker: Breaker | None = None,
        timeout_s: float = TRY_S,
    ) -> None:
        self._model = model
        self._providers = providers
        self._store = store
        self._clock = clock
        self._estimator = estimator
        self._breaker = breaker or Breaker()
        self._timeout_s = timeout_s
        self._most_texts = MOST_TEXTS

    async def vectors(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one vector of length 1 per text. Vectors that are not stored yet are asked for, and stored.

        Raises:
            ModelDown: The service is down, overloaded or too slow.
            ModelRefused: The service refused.
        """
        by_hash = {_hash(text): text for text in texts}
        known = await self._stored(list(by_hash))
        dimensions = {len(vector) for vector in known.values()}
        missing = {key: text for key, text in by_hash.items() if key not in known}
        if len(dimensions) > 1:  # another model answers by this name now
            known, missing = {}, by_hash
        if missing:
            known |= (found := await self._fetch(missing))
            if {len(vector) for vector in found.values()} != {len(vector) for vector in known.values()}:
                known = found | await self._fetch({k: text for k, text in by_hash.items() if k not in found})
        rows = [np.frombuffer(known[_hash(text)], dtype=_STORED).astype(np.float32) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    async def _stored(self, hashes: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(hashes), LOOKED_UP):
            async with self._store.transaction() as tx:
                part = hashes[start : start + LOOKED_UP]
                found |= await tx.vectors.get(str(self._model), part, self._clock.now())
        return found

    async def _fetch(self, texts: dict[str, str]) -> dict[str, bytes]:
        """Ask for vectors in bounded requests. Each request's vectors are stored when it is answered.

        None is stored once a text was erased, for it may be the vector of that one.
        """
        found: dict[str, bytes] = {}
        room = asyncio.Semaphore(AT_ONCE)
        async with self._store.transaction() as tx:
            erasures = await tx.forgetting.erasures()

        async def fetch(keys: Sequence[str]) -> None:
            async with room:
                vectors = await self._within_breaker([texts[key] for key in keys])
            answered = dict(zip(keys, (vector.astype(_STORED).tobytes() for vector in vectors), strict=True))
            async with self._store.transaction() as tx:
                if await tx.forgetting.unerased(erasures):
                    await tx.vectors.put(str(self._model), answered, self._clock.now())
            found.update(answered)

        batches = await asyncio.to_thread(lambda: list(self._batches(texts)))
        results = await asyncio.gather(*(fetch(keys) for keys in batches), return_exceptions=True)
        for failure in results:
            if failure:
                raise failure
        return found

    def _batches(self, texts: dict[str, str]) -> Iterator[list[str]]:
        batch: list[str] = []
        total = 0
        for key, text in texts.items():
            tokens = self._estimator.words(text[:MOST_CHARACTERS])
            if batch and (len(batch) >= self._most_texts or total + tokens > MOST_TOKENS):
                yield batch
                batch, total = [], 0
            batch.append(key)
            total += tokens
        yield batch

    async def _within_breaker(self, texts: Sequence[str]) -> FloatMatrix:
        try:
            if not self._breaker.admits():
                raise ModelDown(f"the circuit breaker of {self._model} is open", self._breaker.trouble)
            vectors = await self._request([text.strip()[:MOST_CHARACTERS] or _BLANK for text in texts])
            self._breaker.succeeded()
        except ModelError as error:
            error.model = str(self._model)
            raise
        return vectors

    async def _request(self, texts: Sequence[str]) -> FloatMatrix:
        """Ask for the vectors of these texts; where the service refuses so many or so long ones, ask for less."""
        try:
            with translate_errors(hide="\n".join(texts)):
                answer = await self._answer(texts)
        except ModelError as error:
            if not error.trouble.of_this_question:
                self._breaker.failed(error.trouble, error.wait_s)
            raise
        if answer is None:
            self._most_texts = max(1, min(self._most_texts, len(texts) // 2)) if len(texts) > 1 else self._most_texts
            return np.concatenate([await self._request(part) for part in _smaller(texts)])
        await self._note_cost(texts, answer.usage)
        return _matrix(answer, len(texts))

    async def _answer(self, texts: Sequence[str]) -> _Vectors | None:
        """Return the service's answer; None if a smaller request may succeed."""
        client = self._providers[self._model.provider].with_options(timeout=self._timeout_s)
        call = client.embeddings.with_raw_response.create(
            model=self._model.model, input=list(texts), encoding_format="float"
        )
        try:
            async with asyncio.timeout(REQUEST_BUDGET_S):
                return await read(call, _Vectors)
        except sdk.APIStatusError as error:
            if not _is_too_much(error) or not _smaller(texts):
                raise
            return None

    async def _note_cost(self, texts: Sequence[str], usage: Usage | None) -> None:
        tokens = usage.prompt_tokens if usage else None
        if tokens is None:
            tokens = sum([await asyncio.to_thread(self._estimator.words, text) for text in texts])
        async with self._store.transaction() as tx:
            await tx.vectors.spend(str(self._model), tokens, self._clock.now())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _is_too_much(error: "sdk.APIStatusError") -> bool:
    return error.status_code in _TOO_MUCH and not is_filtered(error) and not is_unpaid(error.response)


def _smaller(texts: Sequence[str]) -> list[Sequence[str]]:
    """Split a request in two, or shorten its only text; return an empty list if neither is possible."""
    if len(texts) > 1:
        return [texts[: len(texts) // 2], texts[len(texts) // 2 :]]
    half = texts[0][: len(texts[0]) // 2]
    return [[half]] if len(half) >= SHORTEST_TEXT else []


def _matrix(answer: _Vectors, texts: int) -> FloatMatrix:
    """Return the vectors in the order of the texts, scaled to length 1.

    Raises:
        ModelDown: With BROKEN, if the service gave other vectors than asked for.
    """
    data = answer.data
    if all(one.index is not None for one in data):
        data = sorted(data, key=lambda one: one.index or 0)
    rows = [_numbers(one.embedding) for one in data]
    if len(rows) != texts or len({len(row) for row in rows}) != 1 or not len(rows[0]):
        raise ModelDown("the service did not give one vector per text", Trouble.BROKEN)
    found = np.stack(rows)
    if not np.isfinite(found).all():
        raise ModelDown("the service gave a vector that is no number", Trouble.BROKEN)
    scaled: FloatMatrix = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return scaled


def _numbers(embedding: list[float] | str) -> FloatMatrix:
    """Return a vector's numbers; some servers always send them as base64."""
    if isinstance(embedding, str):
        try:
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float32)
        except ValueError:
            raise ModelDown("the service gave a vector that cannot be read", Trouble.BROKEN) from None
    return np.array(embedding, dtype=np.float32)
