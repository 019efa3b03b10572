"""The permission to train: the question to the admins, the form that gives it, and how it stands."""

from typing import Any

from bot.domain.permission import TrainingPermission
from bot.domain.release import ModelName
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.ids import (
    PERMISSION_ASK,
    PERMISSION_FORM,
    PERMISSION_WITHDRAW,
    NamedPayload,
    PermissionForm,
)
from handlers.views.message import Block, Message, button, date, plain, section


def asked(words: Words, *, paused: bool) -> Message:
    """Return the message that tells admins that training waits for them."""
    text = words("permission.paused" if paused else "permission.enough")
    return Message(text, [section(text), _actions([ask_button(words)])])


def ask_button(words: Words) -> Block:
    """Return the button that opens the form."""
    return button(words("permission.read"), PERMISSION_ASK, NamedPayload(id="now").packed(), style="primary")


def standing(permission: TrainingPermission, words: Words) -> Message:
    """Return whether training is allowed, with the button that changes it; a setting has none."""
    facts = {"where": _trainer(permission, words)}
    if permission.by_setting:
        text = words("permission.by_setting", **facts)
        return Message(text, [section(text)])
    if permission.since is None:
        text = words("permission.not_given", **facts)
        return Message(text, [section(text), _actions([ask_button(words)])])
    text = words("permission.given", since=date(permission.since), **facts)
    withdraw = button(
        words("permission.withdraw"), PERMISSION_WITHDRAW, NamedPayload(id=str(permission.student)).packed()
    )
    return Message(text, [section(text), _actions([withdraw])])


def form(permission: TrainingPermission, private: PermissionForm, words: Words) -> dict[str, Any]:
    """Return the modal that asks whether the company allows training, in plain words."""
    facts = {"where": _trainer(permission, words)}
    if permission.embedded and permission.reads_here:
        leaves = words("permission.form.stays")
    else:
        sent = words("permission.form.read") if permission.embedded else words("permission.form.leaves", **facts)
        reached = "permission.form.private_too" if permission.private else "permission.form.public_only"
        leaves = sent + " " + words(reached)
    lines = [words("permission.form.learns"), leaves, words("permission.form.ends"), words("permission.form.asks")]
    return {
        "type": "modal",
        "callback_id": PERMISSION_FORM,
        "private_metadata": private.packed(),
        "title": plain(words("permission.form.title"), 24),
        "submit": plain(words("permission.form.submit"), 24),
        "close": plain(words("permission.form.close"), 24),
        "blocks": [section(line) for line in lines],
    }


def _trainer(permission: TrainingPermission, words: Words) -> str:
    return words("permission.embedded") if permission.embedded else provider_name(permission.student)


def provider_name(student: ModelName) -> str:
    """Return who trains a student, as mrkdwn."""
    return f"*{escaped(student.provider)}*"


def _actions(elements: list[Block]) -> Block:
    return {"type": "actions", "block_id": "permission", "elements": elements}
