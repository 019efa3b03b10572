"""The one way to change a proposal: its state, and the messages that show it."""

from datetime import datetime

from bot.domain.proposal import PROPOSAL_TOPIC, SHOWN_STATES, Proposal, ProposalState
from bot.ports import Transaction


async def move_proposal(
    tx: Transaction, proposal: Proposal, was: ProposalState, now: datetime, **changes: object
) -> bool:
    """Save a proposal with these changes and tell people, if its stored state is still `was`; else return False."""
    moved = proposal.model_copy(update={**changes, "updated_at": now})
    if not await tx.proposals.advance(moved, was):
        return False
    if moved.state in SHOWN_STATES or was is ProposalState.ASKING:
        await tx.outbox.add(PROPOSAL_TOPIC, proposal.finetune_id, {}, now)
    return True
