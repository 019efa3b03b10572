"""Parsing of chat completions: the category, the reason, and the model's confidence in the category."""

import json
import math
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from bot.domain.prompt import Category, Prompt

_CATEGORY = re.compile(r'"category"\s*:\s*"((?:[^"\\]|\\.)*")')


class TokenLogprob(BaseModel):
    """One token of an answer. A token may be only a part of a character; then only its bytes identify it."""

    token: str
    octets: Annotated[list[Annotated[int, Field(ge=0, le=255)]] | None, Field(alias="bytes")] = None
    logprob: float

    @property
    def raw(self) -> bytes:
        """The token's UTF-8 bytes."""
        return self.token.encode() if self.octets is None else bytes(self.octets)


class Logprobs(BaseModel):
    """The log probabilities of an answer's tokens, in order."""

    content: list[TokenLogprob] | None = None


class CompletionMessage(BaseModel):
    """The text that the model wrote, or its refusal."""

    content: str | None = None
    refusal: str | None = None


class CompletionChoice(BaseModel):
    """One of a completion's answers; requests ask for one only."""

    message: CompletionMessage
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Usage(BaseModel):
    """The billed tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(BaseModel):
    """The fields of a chat completion that we read."""

    choices: Annotated[list[CompletionChoice], Field(min_length=1)]
    usage: Usage | None = None


class Probability(BaseModel):
    """The probability of one choice of a decision, 0..1."""

    value: str | bool
    probability: Annotated[float, Field(ge=0, le=1)]


class DecisionAnswer(BaseModel):
    """The answer to one question of a decision; a refusal has no probabilities."""

    probabilities: list[Probability] = []


class DecisionBody(BaseModel):
    """The fields of a `/v1/decisions` response that we read."""

    answers: Annotated[list[DecisionAnswer], Field(min_length=1)]

    def probability_of(self, choice: str) -> float | None:
        """Return the probability of this choice, 0..1, or None if it is not listed."""
        return next((p.probability for p in self.answers[0].probabilities if p.value == choice), None)


class UnusableAnswer(Exception):  # noqa: N818 - reads as what happened
    """An answer that cannot be shown. The message quotes nothing of it.

    Attributes:
        wrong_form: the answer is not in the requested form, so a plainer request may help.
    """

    def __init__(self, why: str, *, wrong_form: bool = False) -> None:
        super().__init__(why)
        self.wrong_form = wrong_form


class _ParsedAnswer(BaseModel):
    reason: str
    category: str


def category_and_reason(choice: CompletionChoice, prompt: Prompt) -> tuple[Category, str]:
    """Return the answered category and the reason.

    Raises:
        UnusableAnswer: a refusal, an answer cut short or filtered, no JSON, or a category that is not in the prompt.
    """
    if choice.message.refusal:
        raise UnusableAnswer("the model refused to answer")
    if choice.finish_reason in {"length", "content_filter"}:
        raise UnusableAnswer(f"the model's answer is incomplete: {choice.finish_reason}")
    if not (choice.message.content or "").strip():
        raise UnusableAnswer("the model's answer is empty")
    parsed = _first_answer(choice.message.content or "")
    if parsed is None:
        raise UnusableAnswer("the model's answer is not the requested JSON", wrong_form=True)
    category = prompt.named(parsed.category.strip())
    if category is None:
        raise UnusableAnswer("the model answered a category that is not in the list", wrong_form=True)
    return category, parsed.reason.strip()


def _first_answer(content: str) -> _ParsedAnswer | None:
    """Return the first JSON object with both fields; models without a strict mode wrap it in prose or a code fence."""
    for brace in re.finditer(r"\{", content):
        try:
            value, _ = json.JSONDecoder().raw_decode(content, brace.start())
            return _ParsedAnswer.model_validate(value)
        except (ValidationError, ValueError, RecursionError):
            continue
    return None


def confidence(content: str, tokens: Sequence[TokenLogprob]) -> float | None:
    """Return the probability, 0..1, that the model gave to the category it wrote; None if the tokens do not show it.

    It is the product over all tokens with a byte of the label or of its closing quotation mark. Without the mark, "HR"
    would include the probability of "HR partner". Positions are bytes, because a token may end inside a Japanese
    character.
    """
    labels = list(_CATEGORY.finditer(content))
    begin = b"".join(token.raw for token in tokens).find(content.encode())
    if not labels or begin < 0:
        return None
    start, stop = (begin + len(content[:at].encode()) for at in labels[-1].span(1))
    total, position = 0.0, 0  # the sum of log probabilities
    for token in tokens:
        end = position + len(token.raw)
        if position < stop and end > start:
            total += token.logprob
        position = end
    return math.exp(min(0.0, total)) if not math.isnan(total) else None
