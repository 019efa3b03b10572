"""Parsing of chat completions: the category, the reason, and the model's confidence in the category.

A field of another shape than the protocol's is read as missing where the answer does not need it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from bot.domain.characters import clean_text
from bot.domain.errors import Trouble
from bot.domain.prompt import Category, Prompt
from bot.providers.wire import ResponseBody
from bot.providers.written_answer import WrittenAnswer, written_answer

LOWEST_LOGPROB, ROUNDING = -100.0, 0.01
"""Limits of a label's log probability; anything beyond is no probability (OpenAI's -9999 means unknown)."""
_FILTERED_ENDS = frozenset({"content_filter", "safety", "prohibited_content", "blocklist", "sensitive"})
"""The ends of an answer that a content filter stopped: of OpenAI and Azure, Gemini and GLM."""
_TEXT_CHUNKS = frozenset({None, "text", "output_text"})
"""The types of chunks that hold the answer; all others (`thinking`, `reasoning`, …) are never read."""


def _none_if_odd(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


OPTIONAL = WrapValidator(_none_if_odd)
"""Reads a value of another shape as None."""


def _joined(content: Any) -> Any:
    """Return the text of a content that may be a list of chunks, or JSON that the server parsed already."""
    if isinstance(content, dict):
        return _chunk(content) if "text" in content else json.dumps(content, ensure_ascii=False)
    if isinstance(content, list):
        return "".join(_chunk(each) for each in content)
    return content


def _chunk(chunk: Any) -> str:
    if not isinstance(chunk, dict):
        return chunk if isinstance(chunk, str) else ""
    text = chunk.get("text")
    text = text.get("value") if isinstance(text, dict) else text
    is_answer = chunk.get("type") in _TEXT_CHUNKS and not chunk.get("thought")
    return text if is_answer and isinstance(text, str) else ""


class TokenLogprob(ResponseBody):
    """One token of an answer. A token may be only a part of a character; then only its bytes identify it."""

    token: str
    octets: Annotated[list[Annotated[int, Field(ge=0, le=255)]] | None, Field(alias="bytes")] = None
    logprob: float
    top_logprobs: Annotated[list["TokenLogprob"] | None, OPTIONAL] = None
    """The likeliest tokens at this position; this token may be one of them."""

    @property
    def raw(self) -> bytes:
        """The token's UTF-8 bytes."""
        return self.token.encode() if self.octets is None else bytes(self.octets)


class Logprobs(ResponseBody):
    """The log probabilities of an answer's tokens, in order."""

    content: list[TokenLogprob] | None = None


class CompletionMessage(ResponseBody):
    """The text that the model wrote, or its refusal."""

    content: Annotated[str | None, BeforeValidator(_joined), OPTIONAL] = None
    refusal: Annotated[str | None, OPTIONAL] = None


class CompletionChoice(ResponseBody):
    """One of a completion's answers; requests ask for one only."""

    message: Annotated[CompletionMessage | None, OPTIONAL] = None
    finish_reason: Annotated[str | None, OPTIONAL] = None
    logprobs: Annotated[Logprobs | None, OPTIONAL] = None


class PromptDetails(ResponseBody):
    """The tokens of a prompt that the provider read from its cache."""

    cached_tokens: int = 0


class Usage(ResponseBody):
    """The billed tokens; None if the provider does not say."""

    prompt_tokens_details: Annotated[PromptDetails | None, OPTIONAL] = None

    prompt_tokens: Annotated[Annotated[int, Field(ge=0, le=2**31 - 1)] | None, OPTIONAL] = None
    completion_tokens: Annotated[Annotated[int, Field(ge=0, le=2**31 - 1)] | None, OPTIONAL] = None

    @property
    def from_cache(self) -> bool:
        """Whether a part of the prompt was read from the provider's cache."""
        return bool(self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens)


class Completion(ResponseBody):
    """The fields of a chat completion that we read."""

    choices: Annotated[list[CompletionChoice] | None, OPTIONAL]
    usage: Annotated[Usage | None, OPTIONAL] = None
    system_fingerprint: Annotated[str | None, OPTIONAL] = None
    error: Any = None

    @model_validator(mode="after")
    def _not_failed(self) -> Self:
        if self.choice.finish_reason == "error" or (self.error and not self.choices):
            raise ValueError("the provider failed while it answered")
        return self

    @property
    def choice(self) -> CompletionChoice:
        """The first choice; an empty one if there is none, as from a server that answers in an odd shape."""
        return self.choices[0] if self.choices else CompletionChoice()


class Probability(ResponseBody):
    """The probability of one choice of a decision, 0..1."""

    value: str | bool
    probability: Annotated[float, Field(ge=0, le=1)]


class DecisionAnswer(ResponseBody):
    """The answer to one question of a decision; a refusal has no probabilities."""

    probabilities: tuple[Probability, ...] = ()


class DecisionBody(ResponseBody):
    """The fields of a `/v1/decisions` response that we read."""

    answers: Annotated[list[DecisionAnswer], Field(min_length=1)]

    def probability_of(self, choice: str) -> float | None:
        """Return the probability of this choice, 0..1, or None if it is not listed."""
        return next((p.probability for p in self.answers[0].probabilities if p.value == choice), None)

    def ranked(self) -> list[str]:
        """Return the listed choices, the likeliest first."""
        return [str(p.value) for p in sorted(self.answers[0].probabilities, key=lambda p: -p.probability)]


class UnusableAnswer(Exception):  # noqa: N818 - reads as what happened
    """An answer that cannot be shown. The message quotes nothing of it.

    Attributes:
        wrong_form: The answer is not in the requested form, so a plainer request may help.
        trouble: What is wrong if the next answer is no better.
    """

    def __init__(self, why: str, *, wrong_form: bool = False, trouble: Trouble = Trouble.UNUSABLE) -> None:
        super().__init__(why)
        self.wrong_form = wrong_form
        self.trouble = trouble


def category_and_answer(choice: CompletionChoice, prompt: Prompt) -> tuple[Category, WrittenAnswer]:
    """Return the answered category, and the answer as the model wrote it.

    Raises:
        UnusableAnswer: A refusal, an answer cut short or filtered, no answer in the text, or one that plainly means
            none of the prompt's categories.
    """
    content = content_of(choice)
    if choice.message and choice.message.refusal:
        raise UnusableAnswer("the model refused to answer")
    finish = (choice.finish_reason or "").lower()
    if finish in _FILTERED_ENDS:
        raise UnusableAnswer("the provider's content filter stopped the answer", trouble=Trouble.FILTERED)
    if finish in {"length", "max_tokens"}:
        raise UnusableAnswer(f"the model's answer is incomplete: {finish}")
    if not content.strip():
        raise UnusableAnswer("the model's answer is empty")
    answer = written_answer(content, lambda label: prompt.meant(label) is not None, prompt.explained)
    if answer is None:
        raise UnusableAnswer("the model's answer is not the requested JSON", wrong_form=True)
    category = prompt.meant(answer.category) if answer.category else None
    if category is None and answer.category and (explained := prompt.explained(answer.category)):
        label, why = explained
        category, answer = prompt.meant(label), replace(answer, reason=answer.reason or why)
    if category is None:
        raise UnusableAnswer("the model answered a category that is not in the list", wrong_form=True)
    return category, answer


def content_of(choice: CompletionChoice) -> str:
    """Return the text that the model wrote; empty if there is none."""
    return clean_text((choice.message and choice.message.content) or "")


def confidence(content: str, tokens: Sequence[TokenLogprob], span: tuple[int, int] | None) -> float | None:
    """Return the probability, 0..1, that the model gave to the category it wrote; None if the tokens do not show it.

    It is the product over all tokens with a byte of the label or of its closing quotation mark. Without the mark, "HR"
    would include the probability of "HR partner". Positions are bytes, because a token may end inside a Japanese
    character.

    Args:
        content: The text that the model wrote.
        tokens: Its tokens, in order.
        span: The place of the label in the text, with its closing mark.
    """
    begin = b"".join(token.raw for token in tokens).find(content.encode())
    if span is None or begin < 0:
        return None
    start, stop = (begin + len(content[:at].encode()) for at in span)
    total, position = 0.0, 0  # the sum of log probabilities
    for token in tokens:
        end = position + len(token.raw)
        if position < stop and end > start:
            total += token.logprob
        position = end
    return math.exp(min(0.0, total)) if LOWEST_LOGPROB <= total <= ROUNDING else None


def next_likely(
    content: str, tokens: Sequence[TokenLogprob], span: tuple[int, int] | None, names: Sequence[str]
) -> list[str]:
    """Return the names that the alternatives to the label's first token begin, the likeliest first.

    Args:
        content: The text that the model wrote.
        tokens: Its tokens, in order, with their alternatives.
        span: The place of the label in the text, with its closing mark.
        names: The names that may be answered.
    """
    begin = b"".join(token.raw for token in tokens).find(content.encode())
    if span is None or begin < 0:
        return []
    start, position = begin + len(content[: span[0]].encode()), 0
    written = {name: json.dumps(name, ensure_ascii=False)[1:-1].encode() for name in names}
    for token in tokens:
        end = position + len(token.raw)
        if end > start:
            before = token.raw[: start - position]
            ranked = sorted(token.top_logprobs or (), key=lambda other: -other.logprob)
            begun = [other.raw[len(before) :] for other in ranked if other.raw.startswith(before)]
            return [*dict.fromkeys(name for part in begun for name in names if part and written[name].startswith(part))]
        position = end
    return []
