"""`/v1/decisions`: typed questions about an input, answered with probabilities."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.embedded import tokens
from bot.embedded.answers import Prediction, classified
from bot.embedded.errors import RequestRefused
from bot.embedded.models import Models
from bot.embedded.pages import body_of, text_in
from bot.embedded.rows import text_of
from bot.embedded.trained import Trained

_MOST_QUESTIONS = 400
_CHOICES = (2, 255)


class Decisions:
    """Answers questions of the type `choice`; those of other types get a refusal, as the protocol allows."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.routes = [Route("/v1/decisions", self._create, methods=["POST"])]

    async def _create(self, request: Request) -> Response:
        body = await body_of(request)
        name = text_in(body, "model")
        prompt, text = _input(body.get("input"))
        questions = body.get("questions")
        if not isinstance(questions, list) or not 1 <= len(questions) <= _MOST_QUESTIONS:
            raise RequestRefused(f"'questions' must hold 1 to {_MOST_QUESTIONS} questions.", param="questions")
        model = await self._models.get(name)
        answers = [_answer(model, prompt, text, question, f"questions[{at}]") for at, question in enumerate(questions)]
        read = tokens.of_messages([prompt, text]) + sum(tokens.count(str(question)) for question in questions)
        return JSONResponse(
            {
                "object": "decision",
                "model": name,
                "answers": answers,
                "usage": {
                    "input_tokens": read,
                    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                    "output_tokens": len(answers),
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": read + len(answers),
                },
            }
        )


def _input(value: object) -> tuple[str, str]:
    """Return what the system said and what was asked."""
    if isinstance(value, str) and value:
        return "", value
    messages = value if isinstance(value, list) else []
    said: dict[str, list[str]] = {"system": [], "developer": [], "user": [], "assistant": []}
    for at, message in enumerate(messages):
        try:
            said[message["role"]].append(text_of(message["content"]))
        except (KeyError, TypeError, ValueError):
            raise RequestRefused(
                f"Invalid 'input[{at}]': this model reads messages of text.", param=f"input[{at}]"
            ) from None
    if not said["user"]:
        raise RequestRefused("'input' must be a text, or messages with at least one from the user.", param="input")
    return "\n\n".join([*said["system"], *said["developer"]]), said["user"][-1]


def _answer(model: Trained, prompt: str, text: str, question: object, at: str) -> dict[str, Any]:
    if not isinstance(question, dict) or question.get("type") not in {"choice", "predicate", "score"}:
        raise RequestRefused(f"Invalid '{at}.type': use 'choice', 'predicate' or 'score'.", param=f"{at}.type")
    name = question.get("name")
    if question["type"] != "choice":
        return {"type": "refusal", "name": name}
    choices = question.get("choices")
    least, most = _CHOICES
    if not isinstance(choices, list) or not least <= len(choices) <= most:
        raise RequestRefused(f"'{at}.choices' must hold {least} to {most} choices.", param=f"{at}.choices")
    values = _values(choices, at)
    labels = [str(value).lower() if isinstance(value, bool) else value for value in values]
    answer = classified(model, _prompt(prompt, question, choices, labels, at), labels, text)
    return _choice(name, values, answer)


def _values(choices: list[object], at: str) -> list[str | bool]:
    values = [choice.get("value") if isinstance(choice, dict) else None for choice in choices]
    fine = [value for value in values if isinstance(value, bool) or (isinstance(value, str) and value)]
    if len(fine) < len(values) or len({str(value).casefold() for value in fine}) < len(values):
        raise RequestRefused(
            f"Each of '{at}.choices' needs a value of its own, a string or a boolean.", param=f"{at}.choices"
        )
    return fine


def _prompt(
    prompt: str, question: dict[str, Any], choices: Sequence[dict[str, Any]], labels: Sequence[str], at: str
) -> str:
    """Write the question as the prompt that a chat would have had."""
    try:
        instructions = text_of(question.get("instructions"))
    except ValueError:
        raise RequestRefused(
            f"Invalid '{at}.instructions': this model reads text.", param=f"{at}.instructions"
        ) from None
    parts = [f"## {label}\n{choice.get('description') or ''}" for label, choice in zip(labels, choices, strict=True)]
    return "\n\n".join([prompt, instructions, *parts])


def _choice(name: object, values: Sequence[str | bool], answer: Prediction) -> dict[str, Any]:
    shares = [
        {"value": value, "probability": float(share)} for value, share in zip(values, answer.probabilities, strict=True)
    ]
    best = values[answer.labels.index(answer.label)]
    return {"type": "choice", "name": name, "choice": best, "confidence": answer.confidence, "probabilities": shares}
