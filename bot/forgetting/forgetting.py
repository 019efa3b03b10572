"""The act that takes requests to forget. `Reaching` carries them out."""

import logging
import uuid

from bot.domain.audit import AuditAct
from bot.domain.forgetting import FORGET_TOPIC, ForgetRequest, Retention, Scope
from bot.domain.question import Place
from bot.domain.release import SYSTEM
from bot.ports import Clock, Store, Transaction

log = logging.getLogger(__name__)


class Forgetting:
    """The intake of requests to forget: from admins, from people about themselves, from Slack, and from retention.

    Args:
        store: The database.
        clock: The time.
        retention: After how long things are forgotten by themselves.
    """

    def __init__(self, store: Store, clock: Clock, retention: Retention | None = None) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention or Retention()

    async def scope_of(self, place: Place) -> Scope:
        """Return the scope of a message. An answer of the bot stands for the question that it answers."""
        async with self._store.snapshot() as tx:
            question = await tx.questions.of_message(place.team, place.channel, place.ts)
        return Scope.message(question.place if question else place)

    async def plan(self, scope: Scope) -> dict[str, int]:
        """Return what would be forgotten: store → how much. Nothing is changed."""
        async with self._store.snapshot() as tx:
            return await tx.forgetting.found(scope)

    async def forget(self, scope: Scope, by: str, language: str) -> ForgetRequest:
        """Store a request; it is carried out from the outbox. A second one of the same scope joins the first.

        Args:
            scope: What is forgotten.
            by: Who asked: a user id, OPERATOR, or SYSTEM.
            language: The language of the report.
        """
        async with self._store.transaction() as tx:
            return await self._take(tx, scope, by, language)

    async def message_deleted(self, place: Place) -> bool:
        """Forget a message that was deleted in Slack. Return False if nothing is stored of it."""
        scope = Scope.message(place)
        if not await self.plan(scope):  # most deleted messages are none of ours, and nobody waits for a snapshot
            return False
        await self.forget(scope, SYSTEM, "en")
        return True

    async def retain(self) -> None:
        """Forget what is older than the retention times. A periodic task of one replica calls this."""
        now = self._clock.now()
        for scope in self._retention.scopes(now):
            if await self.plan(scope):
                await self.forget(scope, SYSTEM, "en")
        if self._retention.audit is not None:
            async with self._store.transaction() as tx:
                checkpoint = await tx.audit.retire(now - self._retention.audit, now)
            if checkpoint:
                log.info("audit log: entries up to %s were replaced by a checkpoint", checkpoint.seq)

    async def newest(self, most: int) -> list[ForgetRequest]:
        """Return the last requests with their reports, newest first."""
        async with self._store.snapshot() as tx:
            return await tx.forgetting.newest(most)

    async def _take(self, tx: Transaction, scope: Scope, by: str, language: str) -> ForgetRequest:
        known = await tx.forgetting.under_way(scope)
        if known:
            return known
        now = self._clock.now()
        request = ForgetRequest(
            id=uuid.uuid4().hex[:12],
            kind=scope.kind,
            target=scope.target,
            by=by,
            language=language,
            created_at=now,
            updated_at=now,
        )
        await tx.forgetting.add(request)
        await tx.outbox.add(FORGET_TOPIC, request.id, {}, now)
        # A person's own wish to be forgotten puts no name into the log.
        await tx.audit.add(SYSTEM if by == scope.target else by, AuditAct.FORGET_ASKED, now, scope.kind.value)
        return request
