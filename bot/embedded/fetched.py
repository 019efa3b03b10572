"""An encoder whose vectors come from a service, and the errors that it has."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np

from bot.embedded.encoders import Encoder, Vectors, unit_rows

MOST_PREPARED = 8192
"""Number of vectors that stay in memory beyond `PREPARED_SECONDS`."""
PREPARED_SECONDS = 120.0
"""How long a prepared vector stays in memory at least, in seconds: longer than the deadline of any answer."""
_LATE_TEXTS = 3
"""How often work may turn out to need further texts."""

Done = TypeVar("Done")


class EncoderUnavailable(Exception):  # noqa: N818 - reads as what happened
    """A failure of an encoder's service to give vectors.

    Args:
        message: For logs; it quotes no text.
        encoder: The name of the encoder.
        trouble: One word for the cause, which the caller of the model is told.
    """

    def __init__(self, message: str, encoder: str, trouble: str) -> None:
        super().__init__(message)
        self.encoder = encoder
        self.trouble = trouble


class NotPrepared(LookupError):  # noqa: N818 - reads as what happened
    """An attempt to encode texts that nobody prepared. The message holds no text."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(f"{len(texts)} texts were encoded without `prepare`")
        self.texts = texts


class FetchedEncoder:
    """An encoder whose vectors a service gives: `prepare` fetches them, and `encode` finds them in memory.

    Args:
        name: The name that artifacts carry.
        fetch: Returns one vector per text; raises EncoderUnavailable.
        clock: A monotonic clock in seconds.
    """

    in_package = False

    def __init__(
        self,
        name: str,
        fetch: Callable[[Sequence[str]], Awaitable[Vectors]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._fetch = fetch
        self._clock = clock
        self._prepared: OrderedDict[str, tuple[Vectors, float]] = OrderedDict()

    async def prepare(self, texts: Sequence[str]) -> None:
        """Fetch the vectors that are not in memory.

        Raises:
            EncoderUnavailable: The service gave no vectors.
        """
        wanted = list(dict.fromkeys(texts))
        found = {text: self._prepared[text][0] for text in wanted if text in self._prepared}
        if missing := [text for text in wanted if text not in found]:
            vectors = unit_rows(await self._fetch(missing)).astype(np.float16)
            found |= dict(zip(missing, vectors, strict=True))
        now = self._clock()
        for text in wanted:
            self._prepared[text] = found[text], now
            self._prepared.move_to_end(text)
        while len(self._prepared) > MOST_PREPARED:
            oldest, (_, at) = next(iter(self._prepared.items()))
            if now - at < PREPARED_SECONDS:
                break
            del self._prepared[oldest]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of prepared texts.

        Raises:
            NotPrepared: `prepare` was not called for some of the texts.
        """
        found = [self._prepared.get(text) for text in texts]
        if missing := [text for text, vector in zip(texts, found, strict=True) if vector is None]:
            raise NotPrepared(missing)
        vectors = [vector for vector, _ in filter(None, found)]
        return unit_rows(np.stack(vectors)) if vectors else np.zeros((0, 0), dtype=np.float32)


async def with_vectors(encoder: Encoder | None, texts: Sequence[str], work: Callable[[], Done]) -> Done:
    """Run `work` in a thread once the vectors of these texts are there.

    Which words a reason tries depends on the answer, so the work may need some more texts; they are fetched then.

    Raises:
        EncoderUnavailable: The service gave no vectors.
        NotPrepared: The work goes on to need new texts.
    """
    if encoder is None:
        return await asyncio.to_thread(work)
    await encoder.prepare(texts)
    for _ in range(_LATE_TEXTS):
        try:
            return await asyncio.to_thread(work)
        except NotPrepared as late:
            await encoder.prepare(late.texts)
    return await asyncio.to_thread(work)
