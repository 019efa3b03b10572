"""The audit log: who did what to what and when, as a chain of hashes. It holds no text of a question."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from bot.domain.thing import Thing

ALIAS = "person-"
"""Beginning of the alias of a person."""
OPERATOR = "operator"
"""The person at the command line."""


class AuditAct(StrEnum):
    """An act in the audit log. Each has a text in each language under `audit.act.<value>`."""

    SETTLED = "settled"
    """A person's settlements since the last entry, in counts."""
    REFUSED = "refused"
    """Somebody tried what their role does not allow."""
    LOOKUP_FAILED = "lookup_failed"
    """Slack did not tell who has a role, so nobody had it."""
    EXPORTED = "exported"
    TRAINING_ALLOWED = "training_allowed"
    """An admin said that the company allows trainings by a provider."""
    TRAINING_FORBIDDEN = "training_forbidden"
    """An admin took that back."""
    TRAINING_STARTED = "training_started"
    TRAINING_CANCELLED = "training_cancelled"
    SWITCHED = "switched"
    OVERRIDDEN = "overridden"
    """A switch without a pass of the gate, with a recorded reason."""
    ROLLED_BACK = "rolled_back"
    PROMPT_CHANGED = "prompt_changed"
    RECALL_CHANGED = "recall_changed"
    SHADOW_CHANGED = "shadow_changed"
    ASIDE_KEPT = "aside_kept"
    """Rows that were set aside are trained on again. The thing is the alias of the person who settled them."""
    ASIDE_LEFT_OUT = "aside_left_out"
    WITHDRAWN = "withdrawn"
    """A person's settlements were taken back. The thing is this person's alias."""
    WITHDRAWAL_UNDONE = "withdrawal_undone"
    THRESHOLD_CHANGED = "threshold_changed"
    FORGET_ASKED = "forget_asked"
    FORGOTTEN = "forgotten"
    RETIRED = "retired"
    """Entries that were too old gave way to a checkpoint; `thing` is the hash of the last of them."""


class AuditEntry(Thing):
    """One entry of the log.

    Attributes:
        seq: Its number, from 1 without a gap.
        at: When it happened.
        who: The alias of a person, OPERATOR, or `system`.
        act: What was done.
        thing: The name or id of what it was done to; may be empty.
        facts: Counts and names.
        before: The hash of the entry before; empty for the first.
        hash: SHA-256 over all other fields.
    """

    seq: int
    at: datetime
    who: str
    act: AuditAct
    thing: str
    facts: Mapping[str, str | int]
    before: str
    hash: str = ""

    def sealed(self) -> "AuditEntry":
        """Return the entry with its hash."""
        return self.model_copy(update={"hash": self._digest()})

    @property
    def is_intact(self) -> bool:
        return self.hash == self._digest()

    def _digest(self) -> str:
        fields = [
            self.seq,
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            self.who,
            self.act.value,
            self.thing,
            dict(self.facts),
            self.before,
        ]
        written = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()


class AuditCheckpoint(Thing):
    """A checkpoint in the place of entries that retention took.

    Attributes:
        seq: The number of the last entry that was taken.
        hash: The hash of that entry, from which the next one follows.
        entries: How many were taken, ever.
        at: When the last ones were taken.
        signature: An HMAC over the other fields.
    """

    seq: int
    hash: str
    entries: int
    at: datetime
    signature: str = ""

    def signed(self, key: bytes) -> "AuditCheckpoint":
        """Return the checkpoint with its signature."""
        return self.model_copy(update={"signature": self._sign(key)})

    def is_signed(self, key: bytes) -> bool:
        return hmac.compare_digest(self.signature, self._sign(key))

    def _sign(self, key: bytes) -> str:
        written = f"{self.seq}|{self.hash}|{self.entries}|{self.at.astimezone(UTC).isoformat()}"
        return hmac.new(key, written.encode(), hashlib.sha256).hexdigest()


def first_broken(entries: Iterable[AuditEntry], after: AuditEntry | AuditCheckpoint | None = None) -> int | None:
    """Return the number of the first entry that was changed, removed or added later; None if the chain holds.

    The end of the chain proves itself only against a copy: whoever can write to the table can cut it.

    Args:
        entries: Consecutive entries.
        after: The entry or checkpoint before the first of them; None if the first is entry 1.
    """
    seq, before = (after.seq, after.hash) if after else (0, "")
    for entry in entries:
        seq += 1
        if entry.seq != seq or entry.before != before or not entry.is_intact:
            return seq
        before = entry.hash
    return None
