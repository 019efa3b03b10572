"""The errors that people can be told about.

Exception
├── Refused           a person asked for what may not or cannot be done; the reason has words in handlers/texts/
├── Unable            an operator asked for what cannot be done; what is wrong has words there too (domain/faults.py)
├── Undelivered       Slack did not take a message
├── TrackerError      the tracker did not take a copy, or did not tell what was asked of it
│   ├── TrackerDown      try again later: timeout, connection, 429, 5xx
│   └── TrackerRefused   it stays so until somebody does something; the reason has words in handlers/texts/
└── ModelError        the model side did not give a usable answer
    ├── ModelDown     try again later: timeout, connection, 429, 5xx
    └── ModelRefused  trying again will not help: 4xx, an unusable answer, an unknown model
        └── OutcomeUnknown   a paid creation was sent and no answer came: never send it again, look for it
"""

from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused. Each has a text in each language under `refused.<value>`."""

    NOT_STAFF = "not_staff"
    NOT_ADMIN = "not_admin"
    UNKNOWN_QUESTION = "unknown_question"
    UNKNOWN_CATEGORY = "unknown_category"
    NOTHING_TO_UNDO = "nothing_to_undo"
    SETTLED_MEANWHILE = "settled_meanwhile"
    NO_ROWS = "no_rows"
    TOO_FEW_ROWS = "too_few_rows"
    ONE_CATEGORY = "one_category"
    NOT_DISJOINT = "not_disjoint"
    TRAINING_FILE_INVALID = "training_file_invalid"
    FINETUNE_RUNNING = "finetune_running"
    NO_FINETUNE = "no_finetune"
    ALREADY_CONFIRMED = "already_confirmed"
    NOT_CANCELLABLE = "not_cancellable"
    UNKNOWN_RELEASE = "unknown_release"
    AMBIGUOUS_RELEASE = "ambiguous_release"
    NOT_SUCCEEDED = "not_succeeded"
    ALREADY_SERVING = "already_serving"
    SERVING_CHANGED = "serving_changed"
    SENTENCE_TOO_SHORT = "sentence_too_short"
    NO_PREVIOUS_RELEASE = "no_previous_release"
    NO_BATCHES = "no_batches"
    BATCH_TOO_LARGE = "batch_too_large"
    BATCH_RUNNING = "batch_running"
    OVER_BUDGET = "over_budget"
    UNKNOWN_PROMPT = "unknown_prompt"
    PROMPT_CHANGED = "prompt_changed"
    NAME_TAKEN = "name_taken"
    CATEGORY_KEPT = "category_kept"
    TOO_LONG_FOR_A_FORM = "too_long_for_a_form"
    NO_SHADOW = "no_shadow"
    NOT_A_RECALL = "not_a_recall"
    NOT_A_THRESHOLD = "not_a_threshold"
    NO_THRESHOLD = "no_threshold"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_DOWN = "provider_down"


class Refused(Exception):  # noqa: N818 - it is no fault of ours, so it is not called an error
    """A request that was understood and is refused.

    Attributes:
        reason: which text to show.
        facts: what the text's placeholders stand for.
    """

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(f"{reason.value} {facts}" if facts else reason.value)
        self.reason = reason
        self.facts = facts


class Trouble(StrEnum):
    """What is wrong with the model side. Each has a text in each language under `trouble.<value>`: what to do."""

    KEY = "key"
    """The API key is refused (401, 403)."""
    QUOTA = "quota"
    """It is not paid for any more."""
    UNKNOWN_MODEL = "unknown_model"
    BUSY = "busy"
    """A rate limit."""
    SLOW = "slow"
    """No answer within the time."""
    DOWN = "down"
    """5xx."""
    UNREACHABLE = "unreachable"
    """No connection, or it was dropped."""
    BROKEN = "broken"
    """An answer that is not what the protocol says."""
    UNUSABLE = "unusable"
    """A refusal, or an answer that is cut short, filtered, empty, or of no category of the list."""
    REFUSED = "refused"
    """Any other 4xx: this request."""

    @property
    def lasting(self) -> bool:
        """Only people end it: to ask again brings the same answer."""
        return self in {Trouble.KEY, Trouble.QUOTA, Trouble.UNKNOWN_MODEL}

    @property
    def of_this_question(self) -> bool:
        """The provider is well: another question may be answered."""
        return self in {Trouble.UNUSABLE, Trouble.REFUSED}


class ModelError(Exception):
    """The model side gave no usable answer; the message is the provider's, without any question text.

    Attributes:
        trouble: what is wrong.
        wait_s: seconds after which the provider wants to be asked again, where it says so.
    """

    usual = Trouble.REFUSED

    def __init__(self, message: str, trouble: Trouble | None = None, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble or self.usual
        self.wait_s = wait_s


class ModelDown(ModelError):  # noqa: N818 - reads as what happened
    """It may work later."""

    usual = Trouble.DOWN


class ModelRefused(ModelError):  # noqa: N818 - reads as what happened
    """It will not work however often it is tried."""


class OutcomeUnknown(ModelRefused):
    """A creation was sent and its answer is lost: it may exist."""


class TrackerError(Exception):
    """The tracker did not do it. The message holds a status at most: no text, no key."""


class TrackerDown(TrackerError):  # noqa: N818 - reads as what happened
    """It may work later.

    Attributes:
        after: how long the tracker asked to be left alone, where it did.
    """

    def __init__(self, what: str, after: timedelta | None = None) -> None:
        super().__init__(what)
        self.after = after


class TrackerReason(StrEnum):
    """Why a tracker refuses. Each has a text in each language under `tracker.<value>`."""

    WRONG_ADDRESS = "wrong_address"
    """What answers there is no such tracker."""
    WRONG_KEY = "wrong_key"
    WRONG_WORKSPACE = "wrong_workspace"
    """The key is known, and may not do this there."""
    DATASET_GONE = "dataset_gone"
    """It was deleted over there. A new one has to be filled from the beginning."""
    UNKNOWN_TRACE = "unknown_trace"
    """Feedback on a trace that is not there: not yet, or not any more."""
    NOT_TAKEN = "not_taken"
    """This very thing is not taken, whatever the reason; others are."""


class TrackerRefused(TrackerError):  # noqa: N818 - reads as what happened
    """Trying again does not help before somebody does something."""

    def __init__(self, reason: TrackerReason, what: str) -> None:
        super().__init__(f"{reason.value}: {what}")
        self.reason = reason


class Undelivered(Exception):  # noqa: N818 - reads as what happened
    """Slack did not take a message.

    Attributes:
        final: trying again will not help (the channel is gone, the bot is not in it).
    """

    def __init__(self, error: str, *, final: bool) -> None:
        super().__init__(error)
        self.final = final
