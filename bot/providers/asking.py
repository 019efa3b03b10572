"""The request for one classification, in the forms that different servers accept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.domain.dataset import neutral_reason
from bot.domain.prompt import Prompt
from bot.domain.similar import Example
from bot.providers.sdk import sdk
from bot.providers.wire import named_parameter

ANSWER_TOKENS = 4096
"""Most tokens of one answer, the model's own reasoning included; a longer answer counts as runaway output."""

FORMS: tuple[Literal["json_schema"], Literal["json_object"], Literal["text"]] = ("json_schema", "json_object", "text")
_FORMAT_WORDS = ("response_format", "json_schema", "json_object")
_PARAMETER_STATUSES = frozenset({400, 403, 422, 500, 501})
"""Statuses that may refuse a parameter.

OpenAI answers 400, and 403 for log probabilities. Servers that validate answer 422. Some crash on a schema (500, 501).
"""
_UNEXPLAINED_STATUSES = _PARAMETER_STATUSES - {403}
"""Statuses that may refuse a parameter without naming it; a 403 that names none is about the key."""


@dataclass(frozen=True)
class Task:
    """One text to classify under a prompt.

    Attributes:
        prompt: The system message and the categories.
        text: The question.
        examples: Settled questions that are shown first.
        only: The name of the only category that may be answered; None allows every category.
        explain: Whether a reason is asked for.
    """

    prompt: Prompt
    text: str
    examples: Sequence[Example] = ()
    only: str | None = None
    explain: bool = True

    @property
    def names(self) -> list[str]:
        """The names of the categories that may be answered."""
        return [self.only] if self.only else list(self.prompt.names)

    def example_messages(self) -> list[dict[str, str]]:
        """Return the examples as earlier messages of the conversation, each answered in the required form."""
        messages = []
        for example in self.examples:
            category = self.prompt.category(example.category)
            if category:
                answer = {"reason": neutral_reason(self.prompt.language, category), "category": category.name}
                messages.append({"role": "user", "content": example.text})
                messages.append({"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)})
        return messages


@dataclass(frozen=True)
class Shape:
    """A form of request. The default is OpenAI's own; a refusal that names a parameter leads to a simpler shape.

    Attributes:
        form: How the answer's form is asked for.
        without: Names of the parameters that are left out.
    """

    form: Literal["json_schema", "json_object", "text"] = "json_schema"
    without: frozenset[str] = frozenset()

    def body(self, model: str, task: Task) -> dict[str, Any]:
        """Return the parameters of `chat.completions.create`. Constant text comes first, so that it can be cached."""
        content = task.text if self.form == "json_schema" else f"{task.text}\n\n{_instruction(task.names)}"
        system, question = {"role": "system", "content": task.prompt.text}, {"role": "user", "content": content}
        body = {
            "model": model,
            "messages": [system, *task.example_messages(), question],
            **{name: value for name, value in _options(task.prompt).items() if name not in self.without},
        }
        if self.form == "json_schema":
            body["response_format"] = {"type": "json_schema", "json_schema": _schema(task)}
        elif self.form == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def simpler(self, error: "sdk.APIStatusError", prompt: Prompt) -> "Shape | None":
        """Return the shape to try after this error, or None if the error is not about a parameter."""
        if error.status_code not in _PARAMETER_STATUSES:
            return None
        sent = [name for name in _options(prompt) if name not in self.without]
        name = named_parameter(error, [*sent, *(_FORMAT_WORDS if self.form != "text" else ())])
        if name in _FORMAT_WORDS:
            return Shape(FORMS[FORMS.index(self.form) + 1], self.without)
        if name is None:
            return None
        # `top_logprobs` is invalid without `logprobs`.
        return Shape(self.form, self.without | {name} | ({"top_logprobs"} if name == "logprobs" else set()))

    def bare(self, error: "sdk.APIStatusError", prompt: Prompt) -> "Shape | None":
        """Return the shape without any optional parameter, or None if the error names its cause."""
        says_nothing = {None, "", error.status_code, str(error.status_code)}
        if error.status_code not in _UNEXPLAINED_STATUSES or error.param or error.code not in says_nothing:
            return None
        bare = Shape("text", frozenset(_options(prompt)))
        return None if bare == self else bare

    def plain(self) -> "Shape":
        """Return the shape for a server that accepts a schema and does not follow it."""
        return Shape("text", self.without)


def _options(prompt: Prompt) -> dict[str, Any]:
    return {
        # The alternatives to the label name the next likely categories; five is what every server allows.
        "top_logprobs": 5,
        "logprobs": True,
        "store": False,
        "prompt_cache_key": prompt.id,
        "max_completion_tokens": ANSWER_TOKENS,
        "temperature": 0,
    }


def _schema(task: Task) -> dict[str, Any]:
    """Return the strict schema of an answer. Fields keep this order, so the model writes the reason first."""
    reason = {"reason": {"type": "string"}} if task.explain else {}
    fields = {**reason, "category": {"type": "string", "enum": task.names}}
    return {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": fields,
            "required": [*fields],
            "additionalProperties": False,
        },
    }


def _instruction(names: Sequence[str]) -> str:
    listed = json.dumps(list(names), ensure_ascii=False)
    return f'Answer with JSON only: {{"reason": "…", "category": "…"}}; the category is one of {listed}.'
