"""The act that tells a cry for help from a question. It asks no model outside of this process."""

import asyncio
import logging
import re
from collections.abc import Sequence

from bot.care.meaning import SURE_ENOUGH, kernel
from bot.care.phrases import has_phrase
from bot.ports import TextEncoder

log = logging.getLogger(__name__)

SENTENCE = re.compile(r"[^。．.!?！？\n]+[。．.!?！？]*")
SHORTEST_SENTENCE = 6
"""Number of characters from which the meaning of a sentence is looked at."""
MOST_SENTENCES = 20
"""Upper bound of the sentences whose meaning is looked at: half of them from the beginning, half from the end."""
LONGEST_PIECE = 300
"""Number of characters up to which a text is encoded as a whole; the embedded model does so too."""


class Caring:
    """A detector of cries for help: by their phrases and, if the encoder is in this process, by their meaning.

    Args:
        encoder: The encoder `meaning.ENCODER`; None if another one or none is set.
    """

    def __init__(self, encoder: TextEncoder | None = None) -> None:
        self._encoder = encoder

    async def needs_help(self, text: str) -> bool:
        """Return whether a text tells of harassment, self-harm, violence, wrongdoing or an emergency. Never raises."""
        # A thread costs more than a short text, and a long text would keep the event loop.
        short = len(text) <= LONGEST_PIECE
        if _has_phrase(text) if short else await asyncio.to_thread(_has_phrase, text):
            return True
        return await self._means_cry(pieces_of(text))

    async def _means_cry(self, pieces: Sequence[str]) -> bool:
        """Return whether one of these pieces of a text means a cry for help, as far as the encoder can tell."""
        if not pieces or self._encoder is None:
            return False
        try:
            vectors = await self._encoder.vectors(pieces)
        except Exception as error:  # noqa: BLE001 - an asker must not go without an answer because of the encoder
            log.warning("the encoder failed, so phrases alone tell cries for help: %s", type(error).__name__)
            return False
        return vectors is not None and bool((kernel().scores(vectors) > SURE_ENOUGH).any())


def pieces_of(text: str) -> list[str]:
    """Return the whole text, if it is short, and its sentences: a cry drowns in the meaning of what stands beside."""
    long = [one[:LONGEST_PIECE] for one in _sentences(text) if len(one) >= SHORTEST_SENTENCE]
    half = MOST_SENTENCES // 2
    some = long if len(long) <= MOST_SENTENCES else [*long[:half], *long[-half:]]
    whole = [text] if text.strip() and len(text) <= LONGEST_PIECE else []
    return list(dict.fromkeys([*whole, *some]))


def _has_phrase(text: str) -> bool:
    return any(map(has_phrase, _sentences(text)))


def _sentences(text: str) -> list[str]:
    return [found[0].strip() for found in SENTENCE.finditer(text)]
