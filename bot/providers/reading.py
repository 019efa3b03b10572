"""What a chat completion says: the category, the reason, and how sure the model was of the category."""

import json
import math
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from bot.domain.prompt import Category, Prompt

_CATEGORY = re.compile(r'"category"\s*:\s*"((?:[^"\\]|\\.)*")')


class TokenLogprob(BaseModel):
    """One token of the answer. A token may be part of a character, then only its bytes tell which."""

    token: str
    octets: Annotated[list[Annotated[int, Field(ge=0, le=255)]] | None, Field(alias="bytes")] = None
    logprob: float

    @property
    def raw(self) -> bytes:
        """Its UTF-8 bytes."""
        return self.token.encode() if self.octets is None else bytes(self.octets)


class Logprobs(BaseModel):
    """The log probabilities of an answer's tokens, in order."""

    content: list[TokenLogprob] | None = None


class CompletionMessage(BaseModel):
    """What the model wrote, or that it would not."""

    content: str | None = None
    refusal: str | None = None


class CompletionChoice(BaseModel):
    """One answer; only one is asked for."""

    message: CompletionMessage
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Usage(BaseModel):
    """Billed tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(BaseModel):
    """A chat completion, as far as it is read."""

    choices: Annotated[list[CompletionChoice], Field(min_length=1)]
    usage: Usage | None = None


class Probability(BaseModel):
    """How likely one choice of a decision is."""

    value: str | bool
    probability: Annotated[float, Field(ge=0, le=1)]


class DecisionAnswer(BaseModel):
    """The answer to one question of a decision; a refusal has no probabilities."""

    probabilities: list[Probability] = []


class DecisionBody(BaseModel):
    """The body that `/v1/decisions` answers, as far as it is read."""

    answers: Annotated[list[DecisionAnswer], Field(min_length=1)]

    def of(self, choice: str) -> float | None:
        """The probability of this choice."""
        return next((p.probability for p in self.answers[0].probabilities if p.value == choice), None)


class Unusable(Exception):  # noqa: N818 - reads as what happened
    """An answer that cannot be shown. The message holds nothing of it.

    Attributes:
        formless: the model wrote what was not asked for, so a plainer request may help.
    """

    def __init__(self, why: str, *, formless: bool = False) -> None:
        super().__init__(why)
        self.formless = formless


class _Given(BaseModel):
    reason: str
    category: str


def category_and_reason(choice: CompletionChoice, prompt: Prompt) -> tuple[Category, str]:
    """What was answered.

    Raises:
        Unusable: a refusal, an answer cut short or filtered, no JSON, or a category that the prompt does not have.
    """
    if choice.message.refusal:
        raise Unusable("the model refused to answer")
    if choice.finish_reason in {"length", "content_filter"}:
        raise Unusable(f"the model's answer is incomplete: {choice.finish_reason}")
    if not (choice.message.content or "").strip():
        raise Unusable("the model's answer is empty")
    given = _first(choice.message.content or "")
    if given is None:
        raise Unusable("the model's answer is not the JSON that was asked for", formless=True)
    category = prompt.named(given.category.strip())
    if category is None:
        raise Unusable("the model answered a category that is not in the list", formless=True)
    return category, given.reason.strip()


def _first(content: str) -> _Given | None:
    """The first JSON object with both fields: models without a strict mode write words or a code fence around it."""
    for brace in re.finditer(r"\{", content):
        try:
            value, _ = json.JSONDecoder().raw_decode(content, brace.start())
            return _Given.model_validate(value)
        except (ValidationError, ValueError, RecursionError):
            continue
    return None


def confidence(content: str, tokens: Sequence[TokenLogprob]) -> float | None:
    """The probability, in 0..1, that the model gave to the category it wrote; None where the tokens do not tell.

    It is the product over all tokens that hold a byte of the label or of the quotation mark that ends it: without the
    mark, "HR" would be given the probability of "HR partner" as well. Bytes are counted, not characters, for a token
    may end inside a Japanese character.
    """
    labels = list(_CATEGORY.finditer(content))
    begin = b"".join(token.raw for token in tokens).find(content.encode())
    if not labels or begin < 0:
        return None
    start, stop = (begin + len(content[:at].encode()) for at in labels[-1].span(1))
    total, position = 0.0, 0
    for token in tokens:
        end = position + len(token.raw)
        if position < stop and end > start:
            total += token.logprob
        position = end
    return math.exp(min(0.0, total)) if not math.isnan(total) else None
