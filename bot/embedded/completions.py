"""`/v1/chat/completions`: one classification, written like the answer of a chat model."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.embedded import pieces, tokens
from bot.embedded.answers import Prediction, Shot, classify, texts_to_encode
from bot.embedded.errors import RequestRefused
from bot.embedded.fetched import with_vectors
from bot.embedded.models import Models
from bot.embedded.pages import parse_body, require_text
from bot.embedded.prompt import guess_labels
from bot.embedded.rows import label_of, text_of
from bot.embedded.schemas import Field, fields_of
from bot.embedded.trained import TrainedModel

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_NOTHING_TO_CHOOSE = (
    "This model classifies. Give it categories: an enum in response_format, or headings in the system message."
)


@dataclass(frozen=True)
class Chat:
    """The system prompt, the example questions with their labels, the question, and the texts of all messages."""

    prompt: str
    shots: tuple[Shot, ...]
    question: str
    texts: tuple[str, ...]


class Completions:
    """Endpoint for chats; equal requests get equal answers, whatever their temperature and seed."""

    def __init__(self, models: Models, clock: Callable[[], float]) -> None:
        self._models = models
        self._clock = clock
        self.routes = [Route("/v1/chat/completions", self._create, methods=["POST"])]

    async def _create(self, request: Request) -> Response:
        body = await parse_body(request)
        name = require_text(body, "model")
        chat = parse_chat(body)
        _check_options(body)
        fields = fields_of(body.get("response_format"))
        top = _top_logprobs(body)
        if _is_json_object(body) and not any("json" in text.casefold() for text in chat.texts):
            raise RequestRefused(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                param="messages",
            )
        model = await self._models.get(name)
        texts = _texts_to_encode(model, chat, fields) if model.encoder else []
        written = await with_vectors(model.encoder, texts, lambda: write_answer(model, chat, fields))
        await self._models.prompts.keep()
        token_limit = body.get("max_completion_tokens") or body.get("max_tokens") or len(written)
        shown = written[:token_limit]
        prompt_tokens = tokens.count_messages(list(chat.texts))
        return JSONResponse(
            {
                "id": f"chatcmpl-{secrets.token_hex(12)}",
                "object": "chat.completion",
                "created": int(self._clock()),
                "model": name,
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "".join(piece.text for piece in shown),
                            "refusal": None,
                            "annotations": [],
                        },
                        "logprobs": None
                        if top is None
                        else {"content": [piece.as_json(top) for piece in shown], "refusal": None},
                        "finish_reason": "stop" if len(shown) == len(written) else "length",
                    }
                ],
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": len(shown),
                    "total_tokens": prompt_tokens + len(shown),
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
                },
                "service_tier": "default",
                "system_fingerprint": self._models.revision(name),
            }
        )


def write_answer(model: TrainedModel, chat: Chat, fields: Sequence[Field]) -> list[pieces.Piece]:
    """Write the answer: a JSON object with the fields in their order, or the bare label if there are no fields."""
    explain = any(field.kind == "reason" for field in fields)
    choices = {field.name: field.values for field in fields if field.kind == "category"}
    answers = {name: _classify(model, chat, values, explain=explain) for name, values in choices.items()}
    main = next((one for one in answers.values() if one), None) or _classify(model, chat, (), explain=explain)
    if not fields:
        return _label_pieces(main) if main else pieces.cut_text(_NOTHING_TO_CHOOSE)
    written: list[pieces.Piece] = []
    for number, field in enumerate(fields):
        written += pieces.cut_text(("{" if number == 0 else ",") + _to_json(field.name) + ":")
        answer = answers.get(field.name)
        if answer:
            written += [*pieces.cut_text('"'), *_label_pieces(answer), *pieces.cut_text('"')]
        else:
            written += pieces.cut_text(_to_json(_field_value(field, main)))
    return [*written, *pieces.cut_text("}")]


def _texts_to_encode(model: TrainedModel, chat: Chat, fields: Sequence[Field]) -> list[str]:
    choices = [field.values for field in fields if field.kind == "category"] or [()]
    labels = [values or model.labels or tuple(guess_labels(chat.prompt)) for values in choices]
    return [text for one in labels for text in texts_to_encode(model, chat.prompt, one, chat.question, chat.shots)]


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _classify(model: TrainedModel, chat: Chat, values: Sequence[str], *, explain: bool) -> Prediction | None:
    labels = values or model.labels or tuple(guess_labels(chat.prompt))
    return classify(model, chat.prompt, labels, chat.question, chat.shots, explain=explain) if labels else None


def _label_pieces(answer: Prediction) -> list[pieces.Piece]:
    written = [_to_json(label)[1:-1] for label in answer.labels]
    return pieces.cut_label(written, answer.probabilities, answer.labels.index(answer.label))


def _field_value(field: Field, answer: Prediction | None) -> object:
    if field.kind == "fixed":
        return field.value
    if field.kind == "confidence":
        return round(answer.confidence, 4) if answer else 0.0
    return answer.reason if answer else _NOTHING_TO_CHOOSE


def parse_chat(body: dict[str, Any]) -> Chat:
    """Read the messages of a request.

    Raises:
        RequestRefused: The messages are malformed or hold no question.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestRefused(
            "Missing required parameter: 'messages', a list with at least one message.", param="messages"
        )
    turns = [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]
    user_turns = [at for at, (role, _) in enumerate(turns) if role == "user"]
    if not user_turns:
        raise RequestRefused("'messages' must hold a message of the role 'user'.", param="messages")
    shots = [
        (text, label_of(answer))
        for (role, text), (next_role, answer) in pairwise(turns[: user_turns[-1]])
        if role == "user" and next_role == "assistant"
    ]
    prompt = "\n\n".join(text for role, text in turns if role in {"system", "developer"})
    return Chat(prompt, tuple(shots), turns[user_turns[-1]][1], tuple(text for _, text in turns))


def _message(message: object, at: str) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(role, str) or role not in _ROLES:
        raise RequestRefused(
            f"Invalid '{at}.role': use one of {', '.join(sorted(_ROLES))}.", param=f"{at}.role", code="invalid_value"
        )
    content = message.get("content")
    if content is None and role == "assistant":
        return role, ""
    try:
        return role, text_of(content)
    except ValueError:
        words = f"Invalid '{at}.content': this model reads a string or a list of text parts."
        raise RequestRefused(words, param=f"{at}.content", code="invalid_value") from None


def _check_options(body: dict[str, Any]) -> None:
    if body.get("stream"):
        raise RequestRefused(
            "This model does not stream: its answers come at once. Leave 'stream' out.",
            param="stream",
            code="unsupported_value",
        )
    if body.get("n") not in (None, 1):
        raise RequestRefused("This model gives one answer: 'n' must be 1.", param="n", code="unsupported_value")
    if body.get("tools") or body.get("functions"):
        raise RequestRefused("This model calls no tools.", param="tools", code="unsupported_parameter")
    for name in ("max_completion_tokens", "max_tokens"):
        token_limit = body.get(name)
        if token_limit is not None and (
            isinstance(token_limit, bool) or not isinstance(token_limit, int) or token_limit < 1
        ):
            raise RequestRefused(
                f"Invalid '{name}': expected a whole number of 1 or more.", param=name, code="invalid_value"
            )


def _top_logprobs(body: dict[str, Any]) -> int | None:
    """Return the number of alternatives per piece, or None if no log probabilities are requested."""
    top = body.get("top_logprobs")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or not 0 <= top <= 20):
        raise RequestRefused(
            "Invalid 'top_logprobs': expected a whole number from 0 to 20.", param="top_logprobs", code="invalid_value"
        )
    if body.get("logprobs") not in (None, True, False):
        raise RequestRefused("Invalid type for 'logprobs': expected a boolean.", param="logprobs", code="invalid_type")
    if top is not None and not body.get("logprobs"):
        raise RequestRefused("'top_logprobs' needs 'logprobs' to be true.", param="top_logprobs", code="invalid_value")
    return (top or 0) if body.get("logprobs") else None


def _is_json_object(body: dict[str, Any]) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") == "json_object"
