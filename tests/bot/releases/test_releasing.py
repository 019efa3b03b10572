"""Releases: exactly one serves, the history only grows, and a rollback returns to the previous release."""

import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bot.domain.errors import Reason, Refused
from bot.domain.prompt import Prompt
from bot.domain.release import SYSTEM, ModelName, Release, ReleaseEvent, ReleaseState
from bot.releases.releasing import Releasing, add_candidate
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, PROMPT
from tests.kits.fakes import StepClock

OTHER_PROMPT = Prompt(language="ja", template="もう一つの指示", categories=PROMPT.categories)


class ReleaseDesk:
    """A store with releases, and the acts on them."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        self.store = store
        self.clock = clock
        self.releasing = Releasing(store, clock)

    async def candidate(self, model: str, prompt: Prompt = PROMPT) -> Release:
        async with self.store.transaction() as tx:
            await tx.prompts.put(prompt)
            name = ModelName(provider="local", model=model)
            return await add_candidate(tx, self.clock.now(), name, prompt_id=prompt.id, by="U9", why="test")

    async def history(self) -> list[ReleaseEvent]:
        async with self.store.transaction() as tx:
            return await tx.releases.history(limit=1_000)

    async def all(self) -> list[Release]:
        async with self.store.transaction() as tx:
            return await tx.releases.all()


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock) -> ReleaseDesk:
    return ReleaseDesk(store, clock)


async def test_configured_release_serves_at_first_start(desk: ReleaseDesk) -> None:
    serving = await desk.releasing.serving()
    assert (serving.model, serving.prompt_id, serving.state) == (BASE, PROMPT.id, ReleaseState.SERVING)
    assert await desk.releasing.ensure(PROMPT, BASE) == serving
    assert len(await desk.all()) == 1


async def test_nothing_serves_before_the_first_start(fresh: Fresh, clock: StepClock) -> None:
    database = Database(fresh())
    try:
        with pytest.raises(LookupError):
            await Releasing(SqlStore(database), clock).serving()
    finally:
        await database.close()


async def test_changed_prompt_replaces_configured_release(desk: ReleaseDesk) -> None:
    first = await desk.releasing.serving()
    second = await desk.releasing.ensure(OTHER_PROMPT, BASE)
    assert second.prompt_id == OTHER_PROMPT.id
    assert await desk.releasing.serving() == second
    assert await desk.releasing.ensure(PROMPT, BASE) == first.model_copy(update={"state": ReleaseState.SERVING})
    assert len(await desk.all()) == 2


async def test_persons_choice_survives_restart_with_changed_prompt(desk: ReleaseDesk) -> None:
    chosen = await desk.releasing.switch((await desk.candidate("ft:1")).id, "U9")
    assert (await desk.releasing.ensure(OTHER_PROMPT, BASE)).id == chosen.id
    assert next(r.prompt_id for r in await desk.releasing.choices()) == OTHER_PROMPT.id


async def test_switch_changes_model_and_prompt_and_is_announced(desk: ReleaseDesk) -> None:
    candidate = await desk.candidate("ft:1", OTHER_PROMPT)
    served = await desk.releasing.switch(candidate.id, "U9")
    assert await desk.releasing.serving() == served == candidate.model_copy(update={"state": ReleaseState.SERVING})
    async with desk.store.transaction() as tx:
        assert (await tx.outbox.lag(desk.clock.now()))[0] == 1


async def test_impossible_switch_and_rollback_are_refused(desk: ReleaseDesk) -> None:
    serving = await desk.releasing.serving()
    for name, reason in (("nobody", Reason.UNKNOWN_RELEASE), (serving.id, Reason.ALREADY_SERVING)):
        with pytest.raises(Refused) as refused:
            await desk.releasing.switch(name, "U9")
        assert refused.value.reason is reason
    with pytest.raises(Refused) as refused:
        await desk.releasing.rollback("U9")
    assert refused.value.reason is Reason.NO_PREVIOUS_RELEASE
    assert await desk.releasing.serving() == serving


async def test_release_is_found_by_each_of_its_names(desk: ReleaseDesk) -> None:
    one, two = await desk.candidate("ft:base:1"), await desk.candidate("ft:base:2")
    for name in (one.name, one.name.upper(), one.id, "local/ft:base:1", "ft:base:1"):
        assert await desk.releasing.named(name) == one
    start = next(two.id[:n] for n in range(1, 9) if not one.id.startswith(two.id[:n]))
    async with desk.store.transaction() as tx:
        is_unique = sum(release.id.startswith(start) for release in await tx.releases.all()) == 1
    assert not is_unique or await desk.releasing.named(start) == two
    for name, reason in (("nobody", Reason.UNKNOWN_RELEASE), ("", Reason.AMBIGUOUS_RELEASE)):
        with pytest.raises(Refused) as refused:
            await desk.releasing.named(name)
        assert refused.value.reason is reason


async def test_model_name_means_its_newest_release(desk: ReleaseDesk) -> None:
    await desk.candidate("ft:1", PROMPT)
    newer = await desk.candidate("ft:1", OTHER_PROMPT)
    assert await desk.releasing.named("ft:1") == newer


async def test_concurrent_switches_leave_one_serving(desk: ReleaseDesk) -> None:
    candidates = [await desk.candidate(f"ft:{n}") for n in range(4)]
    await asyncio.gather(*(desk.releasing.switch(one.id, "U9") for one in candidates))
    assert sum(release.state is ReleaseState.SERVING for release in await desk.all()) == 1


class Admins(RuleBasedStateMachine):
    """A state machine of switches, rollbacks and restarts in any order."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = Database(fresh())
        self.desk = ReleaseDesk(SqlStore(self.database), StepClock())
        first = self.run(self.desk.releasing.ensure(PROMPT, BASE))
        self.ids = [first.id, *(self.run(self.desk.candidate(f"ft:{n}")).id for n in range(3))]
        self.served = [first.id]
        """Ids of the releases that served, oldest first; a rollback removes the newest."""
        self.history: list[ReleaseEvent] = []
        self.by_person = False

    def run(self, verb: Any) -> Any:
        return self.runner.run(verb)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()

    @rule(n=st.integers(0, 3))
    def switch(self, n: int) -> None:
        self.desk.clock.advance(seconds=1)
        verb = self.desk.releasing.switch(self.ids[n], "U9")
        if self.ids[n] == self.served[-1]:
            self._refused(verb, Reason.ALREADY_SERVING)
        else:
            self.run(verb)
            self.served.append(self.ids[n])
            self.by_person = True

    @rule()
    def rollback(self) -> None:
        verb = self.desk.releasing.rollback("U9")
        if len(self.served) == 1:
            self._refused(verb, Reason.NO_PREVIOUS_RELEASE)
        else:
            self.run(verb)
            self.served.pop()
            self.by_person = True

    @rule()
    def restart(self) -> None:
        self.run(self.desk.releasing.ensure(PROMPT, BASE))

    def _refused(self, verb: Any, reason: Reason) -> None:
        with pytest.raises(Refused) as refused:
            self.run(verb)
        assert refused.value.reason is reason

    @invariant()
    def exactly_one_serves(self) -> None:
        serving = [release.id for release in self.run(self.desk.all()) if release.state is ReleaseState.SERVING]
        assert serving == [self.served[-1]]

    @invariant()
    def history_only_grows_and_tells_who(self) -> None:
        history = list(reversed(self.run(self.desk.history())))
        assert history[: len(self.history)] == self.history
        assert all(event.by in {"U9", SYSTEM} for event in history)
        self.history = history
        newest = next(event for event in reversed(history) if event.state is ReleaseState.SERVING)
        assert newest.release_id == self.served[-1]
        assert newest.by == ("U9" if self.by_person else SYSTEM)


def test_any_order_of_switches_and_rollbacks(fresh: Fresh) -> None:
    run_settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
    run_state_machine_as_test(partial(Admins, fresh), settings=run_settings)  # type: ignore[arg-type]  # any factory will do
