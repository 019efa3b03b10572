"""Proposals: a version that was trained by itself and is clearly better, or a training that costs money."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from bot.domain.thing import Thing

PROPOSAL_TOPIC = "proposal"
"""Outbox topic: a proposal whose message has to be posted or changed."""
NEW_ANSWERS = 20
"""Number of questions confirmed since the last training that start the next one."""


class ProposalState(StrEnum):
    """The state of a proposal.

    asking → training → open → taken | declined | superseded. A training that fails or whose version is not clearly
    better ends as `dropped`. Only a training that costs money begins with `asking`.
    """

    ASKING = "asking"
    TRAINING = "training"
    OPEN = "open"
    TAKEN = "taken"
    DECLINED = "declined"
    SUPERSEDED = "superseded"
    """A newer proposal, or another switch, has made it void."""
    DROPPED = "dropped"


PREPARED = frozenset({ProposalState.ASKING, ProposalState.TRAINING})
SHOWN_STATES = frozenset(ProposalState) - {ProposalState.TRAINING}
"""States that people are told of. A training after `asking` changes the message that asked."""


class Proposal(Thing):
    """One proposal. A fine-tune has at most one."""

    finetune_id: str
    state: ProposalState
    created_at: datetime
    updated_at: datetime
    release_id: str | None = None
    """The version that was trained; None before it is compared."""
    over: str | None = None
    """The serving release that it was compared with."""
    fixed: int = 0
    broken: int = 0
    missing: int | None = None
    """Number of answers to confirm before a comparison can pass; None if it passed or no number would be enough."""
    usd: float | None = None
    """The price of the training; 0 if it is free, None if it is unknown."""
    by: str | None = None
    """The person who took or declined it."""
    shown: dict[str, str] = Field(default_factory=dict)
    """The messages that show it: channel → ts."""
