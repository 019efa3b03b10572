"""The names of what can be pressed, and what a press brings along. Ids route; they give no rights (handlers/guard)."""

import re
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

ASK = "ask_madoguchi"
WHY = "why_this_answer"

AGREE = "correct.agree"
CHANGE = "correct.change"
CHANGES = re.compile(r"^correct\.change(\.\d+)?$")
"""The select, and each button: an action id may stand once in a block."""
ANYWAY = "correct.anyway"
UNDO = "correct.undo"
CORRECT_OPEN = "correct.open"
MODAL = "correct.modal"
CATEGORY_INPUT = "category"
REASON_INPUT = "reason"

FINETUNE_CONFIRM = "finetune.confirm"
FINETUNE_DISMISS = "finetune.dismiss"
FINETUNE_SWITCH = "finetune.switch"
FINETUNE_OVERRIDE = "finetune.override"
OVERRIDE_MODAL = "override.modal"
SENTENCE_INPUT = "sentence"

REVIEW_SETTLE = "review.settle"
REVIEW_SETTLES = re.compile(r"^review\.settle\.\d+$")
"""Each button, and the menu."""
REVIEW_NEXT = "review.next"

PROMPT_EDIT = "prompt.edit"
PROMPT_ADD = "prompt.add"
PROMPT_TASK = "prompt.task"
PROMPT_FORM = "prompt.form"
PROMPT_TASK_FORM = "prompt.task_form"
PROMPT_RETIRE_FORM = "prompt.retire_form"
NAME = "name"
RULE = "rule"
EXAMPLES = "examples"
OWNER = "owner"
GUIDE = "guide"
TASK = "task"
INTO = "into"


class Payload(BaseModel):
    """What a control carries, as JSON: up to 2,000 characters in a button, 150 in an option, 3,000 in a modal."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def packed(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def unpacked(cls, text: str) -> Self:
        """Raises pydantic.ValidationError on anything but what `packed` makes."""
        return cls.model_validate_json(text)


class CategoryChoice(Payload):
    """A category for a question, pressed on a card that showed correction number `seen`."""

    question: Annotated[str, Field(alias="q")]
    seen: Annotated[int, Field(alias="s")]
    category: Annotated[str, Field(alias="c")]
    reason: Annotated[str | None, Field(alias="r")] = None


class SeenPayload(Payload):
    """A question, as the card showed it."""

    question: Annotated[str, Field(alias="q")]
    seen: Annotated[int, Field(alias="s")]


class Form(Payload):
    """What a correction's modal must remember; `channel` and `thread` are where a private answer goes."""

    question: str
    seen: int
    channel: str | None = None
    thread: str | None = None
    draft: str | None = None
    """The reason that was put in for the chosen category; what differs from it is the person's own."""


class PromptForm(Payload):
    """What a modal of the prompt must remember: the version that the person saw, and the category it is about."""

    seen: str
    category: str | None = None
    channel: str | None = None


class Override(Payload):
    """What the modal of an override must remember; `channel` and `thread` are where a private answer goes."""

    release: str
    channel: str | None = None
    thread: str | None = None
