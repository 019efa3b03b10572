"""Block Kit for forgetting: the question before it, the form for a person's own questions, and the report."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.domain.forgetting import AGES, ForgetKind, ForgetRequest, Scope
from handlers.texts.escape import escaped, mention
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import ForgetPayload, NamedPayload
from handlers.views.message import Block, Message, button, context, plain, section

FIRST = ("questions", "rows")
"""The stores that the first line counts."""


def ask(scope: Scope, counts: Mapping[str, int], words: Words) -> Message:
    """Return the message that asks for confirmation before forgetting: the counts, and a button to cancel."""
    text = words(f"forget.ask.{scope.kind.value}", what=_what(scope.kind, scope.target))
    payload = ForgetPayload(id=scope.target, kind=scope.kind).packed()
    blocks = [section(f"*{text}*"), section(_counted(counts, words)), context(words("forget.final"))]
    controls = [
        button(words("forget.confirm"), ids.FORGET_CONFIRM, payload, style="danger"),
        button(words("forget.keep"), ids.FORGET_DISMISS, NamedPayload(id=scope.target).packed()),
    ]
    return Message(text, [*blocks, {"type": "actions", "block_id": "forget", "elements": controls}])


def own_form(counts: Mapping[str, int], words: Words) -> dict[str, Any]:
    """Return the form in which a person lets their own questions be forgotten."""
    found = bool(counts.get("questions") or counts.get("inbox"))
    body = [section(_counted(counts, words)), context(words("forget.own_final"))] if found else []
    view: dict[str, Any] = {
        "type": "modal",
        "callback_id": ids.FORGET_FORM,
        "title": plain(words("forget.own"), 24),
        "close": plain(words("forget.keep"), 24),
        "blocks": [section(words("forget.own_ask" if found else "forget.nothing")), *body],
    }
    return view | ({"submit": plain(words("forget.confirm"), 24)} if found else {})


def own_button(words: Words) -> list[Block]:
    """Return the button in App Home that opens the form."""
    return [
        {
            "type": "actions",
            "block_id": "forget.own",
            "elements": [button(words("forget.own"), ids.FORGET_OWN, NamedPayload(id="own").packed())],
        }
    ]


def report(request: ForgetRequest, versions: Sequence[int], words: Words) -> Message:
    """Return what was forgotten, what could not be, and which versions had learned from it."""
    what = _what(request.kind, request.target or "")
    text = words(f"forget.done.{request.kind.value}", what=what)
    blocks = [section(f"✅ {text}"), section(_counted(request.counts, words, first_only=True))]
    if versions:
        named = ", ".join(f"v{version}" for version in versions)
        blocks.append(section(words("forget.trained", versions=named)))
    left = left_lines(request.left, words)
    blocks.append(section("\n".join(f"• {line}" for line in [*left, words("forget.backups")])))
    blocks.append(context(_counted(request.counts, words)))
    return Message(text, blocks)


def left_lines(left: Mapping[str, int], words: Words) -> list[str]:
    """Return a line for each reason why something is left. A refusal of Slack comes with its error and its place."""
    lines = []
    for reason, n in left.items():
        name, _, refused = reason.partition(":")
        why, _, channel = refused.partition(":")
        where = mention(channel) or (f"<#{channel}>" if channel else "Slack")
        lines.append(words(f"forget.left.{name}", n=n, why=why, where=where))
    return lines


def _counted(counts: Mapping[str, int], words: Words, *, first_only: bool = False) -> str:
    names = FIRST if first_only else [*FIRST, *(name for name in counts if name not in FIRST)]
    told = [words(f"forget.store.{name}", n=counts[name]) for name in names if counts.get(name)]
    return ", ".join(told) or words("forget.nothing")


def _what(kind: ForgetKind, target: str) -> str:
    """Return the target as people read it."""
    if kind in {ForgetKind.PERSON, ForgetKind.OWN}:
        return mention(target) or escaped(target)
    return f"{datetime.fromisoformat(target):%Y-%m-%d}" if kind in AGES and target else ""
