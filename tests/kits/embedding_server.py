"""A stand-in for a service with `/v1/embeddings`: texts that share a word of a subject get like vectors."""

import base64
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from tests.kits.openai_server import OpenAIServer, ReceivedRequest, Reply, refusal

EMBEDDINGS = "POST /v1/embeddings"
SUBJECTS = (
    ("有給", "leave", "バカンス", "休暇"),
    ("laptop", "computers", "ノートパソコン", "IT"),
    ("面接", "interview"),
)


class EmbeddingServer(OpenAIServer):
    """A server that answers each request for vectors, after the replies that were queued for failures.

    Args:
        dimensions: Of the vectors; at least the number of `SUBJECTS`.
        most_texts: Larger requests are refused.
        longest_text: Longer texts are refused, in characters.
        as_base64: Whether vectors are sent as base64, as some servers always do.
        with_usage: Whether the billed tokens are told.
    """

    def __init__(
        self,
        dimensions: int = 16,
        *,
        most_texts: int = 2_048,
        longest_text: int = 30_000,
        as_base64: bool = False,
        with_usage: bool = True,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.most_texts = most_texts
        self.longest_text = longest_text
        self.as_base64 = as_base64
        self.with_usage = with_usage
        self.wait_s = 0.0
        """Delay before vectors are given, in seconds."""
        self.down: Reply | None = None
        """Answers every request while it is set."""

    @property
    def texts(self) -> list[str]:
        """All texts that were asked for, in their order."""
        return [text for got in self.sent(EMBEDDINGS) for text in got.json["input"]]

    def choose(self, got: ReceivedRequest) -> Reply:
        if self.down:
            return self.down
        if got.route != EMBEDDINGS or self._queues[EMBEDDINGS]:
            return super().choose(got)
        texts = got.json["input"]
        if len(texts) > self.most_texts:
            return refusal(422, f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}")
        if max(map(len, texts)) > self.longest_text or not min(map(len, texts)):
            return refusal(400, "input is too long, or empty")
        return Reply(self._body(texts), wait_s=self.wait_s)

    def _body(self, texts: Sequence[str]) -> Mapping[str, object]:
        vectors = [self.vector(text) for text in texts]
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if self.as_base64 else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(len(text) for text in texts)
        usage = {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}} if self.with_usage else {}
        # In any order: the index tells which text a vector belongs to.
        return {"object": "list", "model": "e", "data": data[::-1], **usage}

    def vector(self, text: str) -> np.ndarray:
        """Return the vector of a text: its subjects, and a little of its own."""
        found = np.zeros(self.dimensions, dtype=np.float32)
        found[: len(SUBJECTS)] = [3.0 * any(word in text for word in words) for words in SUBJECTS]
        own = hashlib.sha256(text.encode()).digest()[: self.dimensions]
        return found + np.frombuffer(own.ljust(self.dimensions, b"\0"), dtype=np.uint8).astype(np.float32) / 255
