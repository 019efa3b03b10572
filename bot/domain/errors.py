"""The errors that are reported to people.

Exception
├── Refused           a person's request is not allowed or not possible; the reason has a text in handlers/texts/
├── Unable            an operator's request is not possible; each problem has a text there too (domain/faults.py)
├── Undelivered       Slack did not accept a message
├── TrackerError      the tracker did not accept a copy or did not answer a query
│   ├── TrackerDown      retry later: timeout, connection, 429, 5xx
│   │   └── TracesDown      429 for traces
│   └── TrackerRefused   permanent until somebody acts; the reason has a text in handlers/texts/
└── ModelError        the provider gave no usable answer
    ├── ModelDown     retry later: timeout, connection, 429, 5xx
    └── ModelRefused  a retry will not help: 4xx, an unusable answer, an unknown model
        ├── FileNotReady     the provider still reads the training file: nothing was created, try again later
        └── OutcomeUnknown   a paid creation got no answer: never send it again, search for it
"""

from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """The reason for a refusal. Each reason has a text in each language under `refused.<value>`."""

    OTHER_CONTROL = "other_control"
    """A button or form holds what this version of the bot cannot read."""
    NOT_STAFF = "not_staff"
    NOT_ADMIN = "not_admin"
    NOT_AUTHOR = "not_author"
    NOT_ASKER = "not_asker"
    NOT_PUBLIC = "not_public"
    NOT_AN_OWNER = "not_an_owner"
    UNKNOWN_QUESTION = "unknown_question"
    FORGET_WHAT = "forget_what"
    FORGOTTEN_MEANWHILE = "forgotten_meanwhile"
    """Something was forgotten since it was read to be posted."""
    NOT_SENT = "not_sent"
    ALREADY_SENT = "already_sent"
    UNKNOWN_CATEGORY = "unknown_category"
    NOTHING_TO_UNDO = "nothing_to_undo"
    SETTLED_MEANWHILE = "settled_meanwhile"
    NO_ROWS = "no_rows"
    TOO_FEW_ROWS = "too_few_rows"
    TRAINING_NOT_ALLOWED = "training_not_allowed"
    TOO_FEW_PUBLIC = "too_few_public"
    PLAN_HOLDS_PRIVATE = "plan_holds_private"
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
    WITHDRAW_WHOM = "withdraw_whom"
    """The words after `/finetune withdraw` name no person."""
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


class Refused(Exception):  # noqa: N818 - nothing failed, so it is not called an error
    """A refusal of a request that was understood.

    Attributes:
        reason: The text to show.
        facts: Values for the text's placeholders.
    """

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(f"{reason.value} {facts}" if facts else reason.value)
        self.reason = reason
        self.facts = facts


class Trouble(StrEnum):
    """A problem of a provider or model. A text for each, in each language, says what to do: `trouble.<value>`."""

    KEY = "key"
    """The provider refuses the API key (401, 403)."""
    QUOTA = "quota"
    """The account's quota or credit is used up."""
    UNKNOWN_PROVIDER = "unknown_provider"
    """No provider of this name is configured."""
    UNKNOWN_MODEL = "unknown_model"
    OTHER_ENCODER = "other_encoder"
    """The embedded model's version was trained with another encoder than the configured one."""
    NOT_DEPLOYED = "not_deployed"
    """Nothing is deployed under the model's name (Azure's 404 DeploymentNotFound)."""
    UNKNOWN_ADDRESS = "unknown_address"
    """Nothing answers questions at the provider's address (a 404 that is not about the model)."""
    BUSY = "busy"
    """The rate limit is exceeded."""
    SLOW = "slow"
    """No answer before the deadline."""
    DOWN = "down"
    """The provider answers 5xx."""
    UNREACHABLE = "unreachable"
    """The connection failed or was dropped."""
    CERTIFICATE = "certificate"
    """The provider's certificate is not trusted."""
    BROKEN = "broken"
    """The answer violates the protocol."""
    CUT = "cut"
    """The provider reads only a part of the prompt. Its answers stand."""
    UNUSABLE = "unusable"
    """The answer is a refusal, truncated, empty, of an odd shape, or names no category of the list."""
    FILTERED = "filtered"
    """A content filter stopped the question or the answer; the service is well."""
    REFUSED = "refused"
    """The provider refuses this request (any other 4xx)."""

    @property
    def lasting(self) -> bool:
        """Whether only people can end the trouble; a retry brings the same answer."""
        return self in {
            Trouble.KEY,
            Trouble.QUOTA,
            Trouble.UNKNOWN_PROVIDER,
            Trouble.UNKNOWN_MODEL,
            Trouble.OTHER_ENCODER,
            Trouble.NOT_DEPLOYED,
            Trouble.UNKNOWN_ADDRESS,
            Trouble.CERTIFICATE,
        }

    @property
    def of_this_question(self) -> bool:
        """Whether the trouble concerns only this question; the provider may answer others."""
        return self in {Trouble.UNUSABLE, Trouble.REFUSED, Trouble.FILTERED}


class ModelError(Exception):
    """A failure of a provider to give a usable answer. The message is the provider's, without any question text.

    Attributes:
        trouble: What is wrong.
        usual: The trouble if none is given.
        wait_s: Seconds that the provider asks to wait before a retry; None if it does not say.
        model: The full name of the model that has the trouble; None if the request was about no model.
        encoder: The encoder that causes the trouble: the one that the model was trained with (OTHER_ENCODER), or the
            one that gives no vectors. None for other troubles.
    """

    usual = Trouble.REFUSED

    def __init__(self, message: str, trouble: Trouble | None = None, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble or self.usual
        self.wait_s = wait_s
        self.model: str | None = None
        self.encoder: str | None = None


class ModelDown(ModelError):  # noqa: N818 - reads as what happened
    """A temporary failure; a later retry may succeed."""

    usual = Trouble.DOWN


class ModelRefused(ModelError):  # noqa: N818 - reads as what happened
    """A permanent failure; no retry will help."""


class FileNotReady(ModelRefused):
    """The refusal of a job whose training file the provider has not finished reading. Nothing was created."""


class OutcomeUnknown(ModelRefused):
    """The loss of the answer to a paid creation, so that the job or batch may exist."""


class TrackerError(Exception):
    """A failure of the tracker to do what was asked. The message holds a status at most, never a text or key."""


class TrackerDown(TrackerError):  # noqa: N818 - reads as what happened
    """A temporary failure; a later retry may succeed.

    Attributes:
        after: How long the tracker asks to wait before a retry; None if it does not say.
    """

    def __init__(self, what: str, after: timedelta | None = None) -> None:
        super().__init__(what)
        self.after = after


class TracesDown(TrackerDown):
    """A temporary failure of traces alone: their limit is reached. The tracker may accept everything else."""


class TrackerReason(StrEnum):
    """The reason for a tracker's refusal. Each reason has a text in each language under `tracker.<value>`."""

    WRONG_ADDRESS = "wrong_address"
    """The server at this address is not a tracker."""
    WEB_ADDRESS = "web_address"
    """The address is that of the tracker's pages for people, not of its API."""
    CERTIFICATE = "certificate"
    """The tracker's certificate is not trusted."""
    WRONG_KEY = "wrong_key"
    WRONG_WORKSPACE = "wrong_workspace"
    """The key is valid but lacks the permission in this workspace."""
    DATASET_GONE = "dataset_gone"
    """The dataset was deleted in the tracker; a new one must be filled from the start."""
    UNKNOWN_TRACE = "unknown_trace"
    """The trace that feedback refers to is not there: not yet, or no longer."""
    NOT_TAKEN = "not_taken"
    """The tracker rejects this one item and accepts others."""


class TrackerRefused(TrackerError):  # noqa: N818 - reads as what happened
    """A failure that lasts until somebody acts."""

    def __init__(self, reason: TrackerReason, what: str) -> None:
        super().__init__(f"{reason.value}: {what}")
        self.reason = reason


class Undelivered(Exception):  # noqa: N818 - reads as what happened
    """A message that Slack did not accept.

    Attributes:
        final: A retry will not help (the channel is gone, the bot is not in it).
    """

    def __init__(self, error: str, *, final: bool) -> None:
        super().__init__(error)
        self.final = final


class ThreadGone(Undelivered):
    """A reply without a place, because the message at the root of its thread was deleted."""

    def __init__(self) -> None:
        super().__init__("thread_not_found", final=True)
