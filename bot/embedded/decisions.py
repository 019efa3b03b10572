"""`/v1/decisions`: typed questions about an input, answered with probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.embedded import tokens
from bot.embedded.answers import Prediction, classify, texts_to_encode
from bot.embedded.errors import RequestRefused
from bot.embedded.fetched import with_vectors
from bot.embedded.models import Models
from bot.embedded.pages import parse_body, require_text
from bot.embedded.rows import text_of
from bot.embedded.trained import TrainedModel

_MAX_QUESTIONS = 400
_CHOICE_COUNT = (2, 255)


class Decisions:
    """Endpoint for questions of the type `choice`; other types get a refusal, as the protocol allows."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.routes = [Route("/v1/decisions", self._create, methods=["POST"])]

    async def _create(self, request: Request) -> Response:
        body = await parse_body(request)
        name = require_text(body, "model")
        prompt, text = _parse_input(body.get("input"))
        questions = body.get("questions")
        if not isinstance(questions, list) or not 1 <= len(questions) <= _MAX_QUESTIONS:
            raise RequestRefused(f"'questions' must hold 1 to {_MAX_QUESTIONS} questions.", param="questions")
        model = await self._models.get(name)
        parsed = [_parse_question(question, prompt, f"questions[{at}]") for at, question in enumerate(questions)]
        texts = [one for choice in parsed if choice and model.encoder for one in choice.texts(model, text)]
        answers = await with_vectors(
            model.encoder,
            texts,
            lambda: [
                choice.answer(model, text) if choice else {"type": "refusal", "name": question.get("name")}
                for choice, question in zip(parsed, questions, strict=True)
            ],
        )
        await self._models.prompts.keep()
        input_tokens = tokens.count_messages([prompt, text]) + sum(
            tokens.count(str(question)) for question in questions
        )
        return JSONResponse(
            {
                "object": "decision",
                "model": name,
                "answers": answers,
                "usage": {
                    "input_tokens": input_tokens,
                    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                    "output_tokens": len(answers),
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": input_tokens + len(answers),
                },
            }
        )


def _parse_input(value: object) -> tuple[str, str]:
    """Return the system message and the question."""
    if isinstance(value, str) and value:
        return "", value
    messages = value if isinstance(value, list) else []
    by_role: dict[str, list[str]] = {"system": [], "developer": [], "user": [], "assistant": []}
    for at, message in enumerate(messages):
        try:
            by_role[message["role"]].append(text_of(message["content"]))
        except (KeyError, TypeError, ValueError):
            raise RequestRefused(
                f"Invalid 'input[{at}]': this model reads messages of text.", param=f"input[{at}]"
            ) from None
    if not by_role["user"]:
        raise RequestRefused("'input' must be a text, or messages with at least one from the user.", param="input")
    return "\n\n".join([*by_role["system"], *by_role["developer"]]), by_role["user"][-1]


@dataclass(frozen=True)
class _ChoiceQuestion:
    """A question of the type `choice`, as the equivalent chat prompt."""

    name: object
    values: list[str | bool]
    labels: tuple[str, ...]
    prompt: str

    def texts(self, model: TrainedModel, text: str) -> list[str]:
        return texts_to_encode(model, self.prompt, self.labels, text, ())

    def answer(self, model: TrainedModel, text: str) -> dict[str, Any]:
        return _choice_answer(self.name, self.values, classify(model, self.prompt, self.labels, text, explain=False))


def _parse_question(question: object, prompt: str, at: str) -> _ChoiceQuestion | None:
    """Return a question of the type `choice`, or None for the other types, which get a refusal."""
    if not isinstance(question, dict) or question.get("type") not in ("choice", "predicate", "score"):
        raise RequestRefused(f"Invalid '{at}.type': use 'choice', 'predicate' or 'score'.", param=f"{at}.type")
    name = question.get("name")
    if question["type"] != "choice":
        return None
    choices = question.get("choices")
    minimum, maximum = _CHOICE_COUNT
    if not isinstance(choices, list) or not minimum <= len(choices) <= maximum:
        raise RequestRefused(f"'{at}.choices' must hold {minimum} to {maximum} choices.", param=f"{at}.choices")
    values = _choice_values(choices, at)
    labels = [str(value).lower() if isinstance(value, bool) else value for value in values]
    return _ChoiceQuestion(name, values, tuple(labels), _question_prompt(prompt, question, choices, labels, at))


def _choice_values(choices: list[object], at: str) -> list[str | bool]:
    values = [choice.get("value") if isinstance(choice, dict) else None for choice in choices]
    valid = [value for value in values if isinstance(value, bool) or (isinstance(value, str) and value)]
    if len(valid) < len(values) or len({str(value).casefold() for value in valid}) < len(values):
        raise RequestRefused(
            f"Each of '{at}.choices' needs a value of its own, a string or a boolean.", param=f"{at}.choices"
        )
    return valid


def _question_prompt(
    prompt: str, question: dict[str, Any], choices: Sequence[dict[str, Any]], labels: Sequence[str], at: str
) -> str:
    """Write the question as an equivalent chat prompt."""
    try:
        instructions = text_of(question.get("instructions"))
    except ValueError:
        raise RequestRefused(
            f"Invalid '{at}.instructions': this model reads text.", param=f"{at}.instructions"
        ) from None
    parts = [f"## {label}\n{choice.get('description') or ''}" for label, choice in zip(labels, choices, strict=True)]
    return "\n\n".join([prompt, instructions, *parts])


def _choice_answer(name: object, values: Sequence[str | bool], answer: Prediction) -> dict[str, Any]:
    shares = [
        {"value": value, "probability": float(share)} for value, share in zip(values, answer.probabilities, strict=True)
    ]
    best = values[answer.labels.index(answer.label)]
    return {"type": "choice", "name": name, "choice": best, "confidence": answer.confidence, "probabilities": shares}
