"""Proposals of trained versions and of paid trainings."""

from collections.abc import Collection

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.proposal import Proposal, ProposalState
from storage.tables import proposals


class SqlProposals:
    """The table `proposals`. The database refuses a second open one, and a second one in preparation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, proposal: Proposal) -> None:
        await self._connection.execute(insert(proposals).values(proposal.model_dump()))

    async def get(self, finetune_id: str) -> Proposal | None:
        query = select(proposals).where(proposals.c.finetune_id == finetune_id)
        found = (await self._connection.execute(query)).mappings().one_or_none()
        return Proposal.model_validate(dict(found)) if found else None

    async def within(self, states: Collection[ProposalState]) -> list[Proposal]:
        query = select(proposals).where(proposals.c.state.in_([state.value for state in states]))
        found = await self._connection.execute(query.order_by(proposals.c.created_at))
        return [Proposal.model_validate(dict(row)) for row in found.mappings()]

    async def advance(self, proposal: Proposal, was: ProposalState) -> bool:
        values = proposal.model_dump(exclude={"finetune_id", "created_at", "shown"})
        stored = (proposals.c.finetune_id == proposal.finetune_id) & (proposals.c.state == was.value)
        return (await self._connection.execute(update(proposals).where(stored).values(values))).rowcount > 0

    async def save_shown(self, finetune_id: str, shown: dict[str, str]) -> None:
        statement = update(proposals).where(proposals.c.finetune_id == finetune_id)
        await self._connection.execute(statement.values(shown=shown))
