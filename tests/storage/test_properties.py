"""Invariants of the queues and the releases under random sequences of operations."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from bot.domain.question import Ending, InboxItem
from bot.domain.release import ReleaseState
from bot.ports import Inbox, Outbox, OutboxItem, Store
from storage.database import Database
from storage.store import SqlStore
from tests.storage.conftest import MakeDatabase
from tests.storage.things import LEASE, NOW, PROMPT, arrival, release

Step = tuple[str, int]

few_examples = settings(max_examples=15, deadline=None)


def steps(*verbs: str) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(st.sampled_from(verbs), st.integers(0, 5)), max_size=30)


@contextlib.asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    database = Database(url)
    try:
        yield SqlStore(database)
    finally:
        await database.close()


class ModelInbox:
    """A minimal inbox that the real one must agree with after each step."""

    def __init__(self) -> None:
        self.now = NOW
        self.known: set[str] = set()
        self.due: dict[str, datetime] = {}
        self.token: dict[str, str] = {}
        self.claims: list[InboxItem] = []

    async def step(self, inbox: Inbox, verb: str, n: int) -> None:
        match verb:
            case "add":
                event_id = arrival(n).event_id
                assert await inbox.add(arrival(n), self.now) is (event_id not in self.known)
                if event_id not in self.known:
                    self.due[event_id] = self.now
                self.known.add(event_id)
            case "claim":
                await self._claim(inbox)
            case "wait":
                self.now += LEASE * n / 4
            case _ if self.claims:
                await self._end_claim(inbox, verb, self.claims[n % len(self.claims)])
            case _:
                pass
        assert await inbox.open() == len(self.due)

    async def _claim(self, inbox: Inbox) -> None:
        item = await inbox.claim("w", self.now, LEASE)
        claimable = [event_id for event_id, due in self.due.items() if due <= self.now]
        if item is None:
            assert claimable == []
            return
        event_id = item.arrival.event_id
        assert event_id == claimable[0]
        assert item.token not in {claim.token for claim in self.claims}
        self.due[event_id] = self.now + LEASE
        self.token[event_id] = item.token
        self.claims.append(item)

    async def _end_claim(self, inbox: Inbox, verb: str, item: InboxItem) -> None:
        event_id = item.arrival.event_id
        holds = self.token.get(event_id) == item.token
        if verb == "finish":
            assert await inbox.finish(item, Ending.ANSWERED, None, self.now) is holds
        else:
            assert await inbox.postpone(item, self.now + LEASE / 2) is holds
        if not holds:
            return
        del self.token[event_id]
        if verb == "finish":
            del self.due[event_id]
        else:
            self.due[event_id] = self.now + LEASE / 2


@few_examples
@given(sequence=steps("add", "claim", "claim", "wait", "finish", "postpone"))
def test_each_arrival_has_one_live_holder(make_migrated: MakeDatabase, sequence: list[Step]) -> None:
    async def run() -> None:
        async with open_store(make_migrated()) as store:
            model = ModelInbox()
            for verb, n in sequence:
                async with store.transaction() as transaction:
                    await model.step(transaction.inbox, verb, n)

    asyncio.run(run())


class ModelOutbox:
    """A minimal outbox that the real one must agree with after each step.

    Entries of a key leave in order, none is lost, and none is claimed twice while it is held.
    """

    def __init__(self) -> None:
        self.now = NOW
        self.added = 0
        self.open: dict[int, str] = {}
        self.done: dict[str, list[int]] = {}
        self.due: dict[int, datetime] = {}
        self.held: dict[int, OutboxItem] = {}
        self.claims: list[OutboxItem] = []

    async def step(self, outbox: Outbox, verb: str, n: int) -> None:
        match verb:
            case "add":
                self.added += 1
                self.open[self.added] = f"k{n % 2}"
                self.due[self.added] = self.now
                await outbox.add("card", f"k{n % 2}", {"n": str(self.added)}, self.now)
            case "claim":
                await self._claim(outbox)
            case "wait":
                self.now += LEASE * n / 4
            case _ if self.claims:
                await self._end_claim(outbox, verb, self.claims[n % len(self.claims)])
            case _:
                pass
        assert (await outbox.lag(self.now))[0] == len(self.open)

    async def _claim(self, outbox: Outbox) -> None:
        item = await outbox.claim("w", self.now, LEASE)
        heads = sorted({key: n for n, key in sorted(self.open.items(), reverse=True)}.values())
        claimable = [n for n in heads if self.due[n] <= self.now]
        if item is None:
            assert claimable == []
            return
        n = int(item.payload["n"])
        assert n == claimable[0]
        self.due[n] = self.now + LEASE
        self.held[n] = item
        self.claims.append(item)

    async def _end_claim(self, outbox: Outbox, verb: str, item: OutboxItem) -> None:
        n = int(item.payload["n"])
        if verb == "done":
            await outbox.done(item)
        else:
            await outbox.retry(item, self.now + LEASE / 2, "no answer")
        if self.held.get(n) != item:
            return
        del self.held[n]
        if verb == "done":
            self.done.setdefault(self.open.pop(n), []).append(n)
        else:
            self.due[n] = self.now + LEASE / 2


@few_examples
@given(sequence=steps("add", "add", "claim", "claim", "wait", "done", "retry"))
def test_entries_of_one_key_leave_in_order(make_migrated: MakeDatabase, sequence: list[Step]) -> None:
    async def run() -> None:
        async with open_store(make_migrated()) as store:
            model = ModelOutbox()
            for verb, n in sequence:
                async with store.transaction() as transaction:
                    await model.step(transaction.outbox, verb, n)
            assert all(order == sorted(order) for order in model.done.values())

    asyncio.run(run())


@few_examples
@given(sequence=st.lists(st.tuples(st.sampled_from(ReleaseState), st.integers(0, 2)), max_size=15))
def test_at_most_one_release_serves(make_migrated: MakeDatabase, sequence: list[tuple[ReleaseState, int]]) -> None:
    async def run() -> None:
        states = [ReleaseState.CANDIDATE] * 3
        events = [(f"r{n}", ReleaseState.CANDIDATE) for n in range(3)]
        async with open_store(make_migrated()) as store:
            async with store.transaction() as transaction:
                await transaction.prompts.put(PROMPT)
                for n in range(3):
                    await transaction.releases.add(release(f"r{n}"), "U1", "made")
            for minute, (state, n) in enumerate(sequence):
                is_second = state is ReleaseState.SERVING and ReleaseState.SERVING in states[:n] + states[n + 1 :]
                at = NOW + timedelta(minutes=minute)
                try:
                    async with store.transaction() as transaction:
                        await transaction.releases.enter(f"r{n}", state, "U1", "tried", at)
                    assert not is_second
                    states[n] = state
                    events.append((f"r{n}", state))
                except IntegrityError:
                    assert is_second
            async with store.transaction() as transaction:
                serving = await transaction.releases.serving()
                assert (serving and serving.id) == next(
                    (f"r{n}" for n, state in enumerate(states) if state is ReleaseState.SERVING), None
                )
                history = await transaction.releases.history()
                assert [(event.release_id, event.state) for event in reversed(history)] == events

    asyncio.run(run())
