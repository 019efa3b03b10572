import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.proposal import Proposal, ProposalState
from bot.ports import Store
from tests.storage.things import NOW, PROMPT, finetune, manifest, row


def proposal(finetune_id: str = "f1", state: ProposalState = ProposalState.TRAINING) -> Proposal:
    return Proposal(finetune_id=finetune_id, state=state, created_at=NOW, updated_at=NOW, usd=0.5)


@pytest.fixture
async def prepared(store: Store) -> Store:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.datasets.put(manifest(), NOW)
        for one in ("f1", "f2"):
            await transaction.finetunes.add(finetune(one))
    return store


async def test_proposal_moves_from_its_stored_state_only(prepared: Store) -> None:
    opened = proposal().model_copy(update={"state": ProposalState.OPEN, "release_id": "r2", "over": "r1", "fixed": 3})
    async with prepared.transaction() as transaction:
        await transaction.proposals.add(proposal())
        await transaction.proposals.save_shown("f1", {"C1": "1.1"})
        assert not await transaction.proposals.advance(opened, ProposalState.ASKING)
        assert await transaction.proposals.advance(opened, ProposalState.TRAINING)
        stored = opened.model_copy(update={"shown": {"C1": "1.1"}})
        assert await transaction.proposals.get("f1") == stored
        assert await transaction.proposals.within([ProposalState.OPEN]) == [stored]
        assert await transaction.proposals.get("f2") is None


async def test_second_training_proposal_is_refused(prepared: Store) -> None:
    async with prepared.transaction() as transaction:
        await transaction.proposals.add(proposal())
    with pytest.raises(IntegrityError):
        async with prepared.transaction() as transaction:
            await transaction.proposals.add(proposal("f2"))


async def test_rows_settled_since_leave_out_imports(prepared: Store) -> None:
    async with prepared.transaction() as transaction:
        settled = row()
        await transaction.rows.put(settled)
        assert await transaction.rows.settled_since(None) == 1
        assert await transaction.rows.settled_since(settled.settled_at) == 0
