"""Ids of everything that can be pressed, and the data in it. Ids route; handlers/slack/guard.py checks permissions."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.errors import Reason, Refused
from bot.domain.feedback import FeedbackKind
from bot.domain.forgetting import ForgetKind

ASK = "ask_madoguchi"
WHY = "why_this_answer"
KEEP = "keep_this_answer"

AGREE = "correct.agree"
CHANGE = "correct.change"
CHANGES = re.compile(r"^correct\.change(\.\d+)?$")
"""Matches each button, and the menu of older cards: an action id must be unique within its block."""
ANYWAY = "correct.anyway"
UNDO = "correct.undo"
CORRECT_OPEN = "correct.open"
MODAL = "correct.modal"
CATEGORY_INPUT = "category"
REASON_INPUT = "reason"
USE_DRAFT = "correct.use_draft"

FOLLOW_UP_YES = "follow_up.yes"
FOLLOW_UP_NO = "follow_up.no"
DIRECT_SEND = "direct.send"
DIRECT_KEEP = "direct.keep"
DIRECT_NAMED = "direct.named"
DIRECT_UNNAMED = "direct.unnamed"
DIRECT_NOT_NOW = "direct.not_now"

CONSENT_YES = "consent.yes"
CONSENT_NO = "consent.no"

FEEDBACK = "feedback"
FEEDBACK_WHY = "feedback.why"
FEEDBACK_WHYS = re.compile(r"^feedback\.why\.\w+$")
"""Matches each reason's button."""
FEEDBACK_OPEN = "feedback.open"
FEEDBACK_FORM = "feedback.form"

KEEP_FORM = "keep.form"
KEEP_AS = "keep.as"
KEEP_AS_GUIDE = "guide"
KEEP_AS_EXAMPLE = "example"

FINETUNE_CONFIRM = "finetune.confirm"
FINETUNE_DISMISS = "finetune.dismiss"
FINETUNE_CANCEL = "finetune.cancel"
FINETUNE_WAIT = "finetune.wait"
FINETUNE_SWITCH = "finetune.switch"
FINETUNE_OVERRIDE = "finetune.override"
FINETUNE_PLAN = "finetune.plan"
FINETUNE_COMPARE = "finetune.compare"
FINETUNE_ROLLBACK = "finetune.rollback"
UNSURE_AUTO = "unsure.auto"
SHADOW_STOP = "shadow.stop"
DETAILS = "details"
HELP_ALL = "help.all"
OVERRIDE_MODAL = "override.modal"
SENTENCE_INPUT = "sentence"

REVIEW_SETTLE = "review.settle"
REVIEW_SETTLES = re.compile(r"^review\.settle\.\d+$")
"""Matches each button and the menu."""
REVIEW_NEXT = "review.next"

QUEUE_SETTLE = "queue.settle"
QUEUE_SETTLES = re.compile(r"^queue\.settle\.\d+$")
"""Matches each button and the menu."""
QUEUE_SKIP = "queue.skip"
QUEUE_ASIDE = "queue.aside"
QUEUE_UNDO = "queue.undo"
QUEUE_RESUME = "queue.resume"
QUEUE_OPEN = "queue.open"

ASIDE_LOOK = "aside.look"
ASIDE_KEEP = "aside.keep"
ASIDE_LEAVE = "aside.leave"
WITHDRAW_CONFIRM = "withdraw.confirm"
WITHDRAW_DISMISS = "withdraw.dismiss"
WITHDRAW_UNDO = "withdraw.undo"

PROPOSAL_AGREE = "proposal.agree"
PROPOSAL_DECLINE = "proposal.decline"

DIGEST_STOP = "digest.stop"
DIGEST_RESUME = "digest.resume"

FORGET_CONFIRM = "forget.confirm"
FORGET_DISMISS = "forget.dismiss"
FORGET_OWN = "forget.own"
FORGET_FORM = "forget.form"
FORGET_SHORTCUT = "forget_my_questions"

HOME_TRAIN = "home.train"

PERMISSION_ASK = "permission.ask"
PERMISSION_WITHDRAW = "permission.withdraw"
PERMISSION_FORM = "permission.form"

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
TEAM = "team"
GUIDE = "guide"
TASK = "task"
INTO = "into"


class Payload(BaseModel):
    """Data that a control carries as JSON: up to 2,000 characters in a button, 150 in an option, 3,000 in a modal."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True, defer_build=True
    )

    def packed(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def unpacked(cls, text: str) -> Self:
        """Parse what `packed` returned.

        Raises:
            Refused: The text is anything else, such as what an older version of the bot wrote.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            raise Refused(Reason.OTHER_CONTROL) from None


def value_of(action: Mapping[str, Any]) -> str:
    """Return the value of a pressed button, or of the chosen option of a menu.

    Raises:
        Refused: The control has none.
    """
    value = action.get("value") or (action.get("selected_option") or {}).get("value")
    if not isinstance(value, str):
        raise Refused(Reason.OTHER_CONTROL)
    return value


class NamedPayload(Payload):
    """The id of what a control is about: a fine-tune, a release or an entry. Subclasses may carry more."""

    model_config = ConfigDict(extra="ignore")

    id: str


class ForgetPayload(NamedPayload):
    """The scope of a request to forget: `id` is the target of this kind."""

    kind: ForgetKind


class WithdrawPayload(NamedPayload):
    """A person whose settlements are withdrawn: since when, or when that was done."""

    at: datetime | None = None


class CategoryChoice(Payload):
    """A category for a question. `seen` is the newest correction on the card that was pressed."""

    question: Annotated[str, Field(alias="q")]
    seen: Annotated[int, Field(alias="s")]
    category: Annotated[str, Field(alias="c")]
    reason: Annotated[str | None, Field(alias="r")] = None


class QuestionPayload(Payload):
    """A question."""

    question: Annotated[str, Field(alias="q")]


class ReplyPayload(Payload):
    """A reply in the thread of an answer, in the channel of the press."""

    ts: Annotated[str, Field(alias="t")]


class DirectChoice(Payload):
    """A direct message, and the category whose people would get it."""

    question: Annotated[str, Field(alias="q")]
    category: Annotated[str, Field(alias="c")]


class Said(Payload):
    """An asker's feedback on the answer to a question."""

    question: Annotated[str, Field(alias="q")]
    kind: Annotated[FeedbackKind, Field(alias="k")]


class FeedbackForm(Payload):
    """The private data of the form for an asker's sentence. A private answer goes to `channel` and `thread`."""

    question: str
    channel: str | None = None
    thread: str | None = None


class SeenPayload(Payload):
    """A question. `seen` is the newest correction on the card that was pressed."""

    question: Annotated[str, Field(alias="q")]
    seen: Annotated[int, Field(alias="s")]


class Form(Payload):
    """The private data of the correction form. A private answer goes to `channel` and `thread`."""

    question: str
    seen: int
    channel: str | None = None
    thread: str | None = None
    draft: str | None = None
    """The suggested reason that stands beside the input."""
    filled: str | None = None
    """The suggestion that the person put into the input; a text that differs from it is the person's own."""
    filled_for: str | None = None
    """The category that `filled` was suggested for."""


class PromptForm(Payload):
    """The private data of a prompt form. `seen` is the id of the prompt that the person saw."""

    seen: str
    category: str | None = None
    channel: str | None = None


class TrainingStep(StrEnum):
    """The step at which a person was asked for the permission to train."""

    NOTHING = "nothing"
    PLAN = "plan"
    TRAIN = "train"
    CONFIRM = "confirm"
    AGREE = "agree"


class PermissionForm(Payload):
    """The private data of the form that allows training. A private answer goes to `channel` and `thread`."""

    student: str
    step: TrainingStep = TrainingStep.NOTHING
    id: str = ""
    """The fine-tune that the step is about."""
    channel: str | None = None
    thread: str | None = None


class Override(Payload):
    """The private data of the override form. A private answer goes to `channel` and `thread`."""

    release: str
    channel: str | None = None
    thread: str | None = None
