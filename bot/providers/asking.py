"""The request for one classification, in the forms that servers understand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from openai import APIStatusError

from bot.domain.dataset import neutral_reason
from bot.domain.prompt import Prompt
from bot.domain.similar import Example
from bot.providers.wire import named_parameter

ANSWER_TOKENS = 4096
"""Of an answer, with the thoughts of a model that reasons before it; more is taken for a model that lost its way."""

FORMS: tuple[Literal["json_schema"], Literal["json_object"], Literal["text"]] = ("json_schema", "json_object", "text")
_FORMAT_WORDS = ("response_format", "json_schema", "json_object")
_SPEAKING_OF_PARAMETERS = frozenset({400, 403, 422, 500, 501})
"""400 is OpenAI's; it refuses log probabilities with 403, validating servers say 422, and some fall over a schema."""
_WITHOUT_A_WORD = _SPEAKING_OF_PARAMETERS - {403}
"""Those of an error that names nothing and may be about a parameter all the same; a 403 is about the key then."""


@dataclass(frozen=True)
class Task:
    """What is asked: one text under a prompt. `only`: the name of the one category that may be answered."""

    prompt: Prompt
    text: str
    examples: Sequence[Example] = ()
    only: str | None = None

    @property
    def names(self) -> list[str]:
        """The categories that may be answered."""
        return [self.only] if self.only else list(self.prompt.names)

    def earlier(self) -> list[dict[str, str]]:
        """The examples as turns of the conversation, in the form that answers have."""
        turns = []
        for example in self.examples:
            category = self.prompt.category(example.category)
            if category:
                answer = {"reason": neutral_reason(self.prompt.language, category), "category": category.name}
                turns.append({"role": "user", "content": example.text})
                turns.append({"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)})
        return turns


@dataclass(frozen=True)
class Shape:
    """A form of request. The first one is OpenAI's own; each refusal that names a parameter gives the next simpler."""

    form: Literal["json_schema", "json_object", "text"] = "json_schema"
    without: frozenset[str] = frozenset()

    def body(self, model: str, task: Task) -> dict[str, Any]:
        """The parameters of `chat.completions.create`. What never changes stands first, so that it can be cached."""
        asked = task.text if self.form == "json_schema" else f"{task.text}\n\n{_instruction(task.names)}"
        system, question = {"role": "system", "content": task.prompt.text}, {"role": "user", "content": asked}
        body = {
            "model": model,
            "messages": [system, *task.earlier(), question],
            **{name: value for name, value in _options(task.prompt).items() if name not in self.without},
        }
        if self.form == "json_schema":
            body["response_format"] = {"type": "json_schema", "json_schema": _schema(task.names)}
        elif self.form == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def simpler(self, error: APIStatusError, prompt: Prompt) -> "Shape | None":
        """The form to try after this error, or None where the error is about something else."""
        if error.status_code not in _SPEAKING_OF_PARAMETERS:
            return None
        left = [name for name in _options(prompt) if name not in self.without]
        name = named_parameter(error, [*left, *(_FORMAT_WORDS if self.form != "text" else ())])
        if name in _FORMAT_WORDS:
            return Shape(FORMS[FORMS.index(self.form) + 1], self.without)
        if name is None:
            return None
        # Alternatives cannot be asked for without the probabilities themselves.
        return Shape(self.form, self.without | {name} | ({"top_logprobs"} if name == "logprobs" else set()))

    def bare(self, error: APIStatusError, prompt: Prompt) -> "Shape | None":
        """The form with nothing in it that a server could mind; None where the error says what it is about."""
        told = {None, "", error.status_code, str(error.status_code)}
        if error.status_code not in _WITHOUT_A_WORD or error.param or error.code not in told:
            return None
        bare = Shape("text", frozenset(_options(prompt)))
        return None if bare == self else bare

    def plain(self) -> "Shape":
        """The form for a server that takes a schema and does not keep to it."""
        return Shape("text", self.without)


def _options(prompt: Prompt) -> dict[str, Any]:
    return {
        "top_logprobs": 1,  # some servers give log probabilities only along with an alternative
        "logprobs": True,
        "store": False,
        "prompt_cache_key": prompt.id,
        "max_completion_tokens": ANSWER_TOKENS,
        "temperature": 0,
    }


def _schema(names: Sequence[str]) -> dict[str, Any]:
    """The answer in strict mode: fields come in this order, so the reason is thought of before the category."""
    return {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"reason": {"type": "string"}, "category": {"type": "string", "enum": list(names)}},
            "required": ["reason", "category"],
            "additionalProperties": False,
        },
    }


def _instruction(names: Sequence[str]) -> str:
    listed = json.dumps(list(names), ensure_ascii=False)
    return f'Answer with JSON only: {{"reason": "…", "category": "…"}}; the category is one of {listed}.'
