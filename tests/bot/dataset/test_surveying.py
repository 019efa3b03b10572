"""The audience of what older programs stored, learnt from Slack in the background."""

from datetime import timedelta

import pytest

from bot.dataset import surveying
from bot.dataset.surveying import Surveying
from bot.domain.audience import Audience
from bot.domain.errors import Undelivered
from bot.domain.question import Place
from storage.store import SqlStore
from tests.kits.fakes import StepClock
from tests.storage.things import question, row


class ToldAudiences:
    """The `Audiences` port from a table. A channel that is not in it gets no answer."""

    def __init__(self, told: dict[str, Audience]) -> None:
        self.told = told
        self.asked: list[str] = []

    async def of(self, channel: str) -> Audience:
        self.asked.append(channel)
        if channel not in self.told:
            raise Undelivered("ratelimited", final=False)
        return self.told[channel]


async def remember(store: SqlStore, n: int, channel: str) -> None:
    """Store a question and its row as an older program does."""
    async with store.transaction() as tx:
        await tx.questions.add(question(n).model_copy(update={"place": Place(team="T1", channel=channel, ts=f"{n}.1")}))
        await tx.rows.put(row(f"q{n}").model_copy(update={"channel": channel}))


async def audiences(store: SqlStore, *numbers: int) -> list[tuple[Audience | None, Audience | None]]:
    async with store.snapshot() as tx:
        found = [(await tx.questions.get(f"q{n}"), await tx.rows.get(f"q{n}")) for n in numbers]
    return [(one.audience if one else None, other.audience if other else None) for one, other in found]


async def test_old_questions_get_their_channels_audience(store: SqlStore, clock: StepClock) -> None:
    for n, channel in enumerate(["C1", "C1", "C2", "C3"]):
        await remember(store, n, channel)
    told = {"C1": Audience.PUBLIC, "C2": Audience.PRIVATE, "C3": Audience.UNKNOWN}
    slack = ToldAudiences(told)
    await Surveying(store, slack, clock).survey()
    expected = [Audience.PUBLIC, Audience.PUBLIC, Audience.PRIVATE, Audience.UNKNOWN]
    assert await audiences(store, 0, 1, 2, 3) == [(one, one) for one in expected]
    assert slack.asked == ["C1", "C2", "C3"]


async def test_channel_without_answer_is_asked_again(store: SqlStore, clock: StepClock) -> None:
    for n, channel in enumerate(["C1", "C2", "C3"]):
        await remember(store, n, channel)
    slack = ToldAudiences({"C1": Audience.PUBLIC, "C3": Audience.PUBLIC})
    await Surveying(store, slack, clock).survey()
    assert slack.asked == ["C1", "C2"], "a silent Slack ends the run"
    slack.told["C2"] = Audience.PUBLIC
    await Surveying(store, slack, clock).survey()
    assert slack.asked == ["C1", "C2", "C2", "C3"]
    assert await audiences(store, 0, 1, 2) == [(Audience.PUBLIC, Audience.PUBLIC)] * 3


async def test_rounds_are_bounded_and_begin_again(
    store: SqlStore, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "SURVEYED_CHANNELS", 2)
    monkeypatch.setattr(surveying, "LEARNED_PER_TRANSACTION", 1)
    for n, channel in enumerate(["C1", "C2", "C2", "C3"]):
        await remember(store, n, channel)
    slack = ToldAudiences(dict.fromkeys(["C1", "C2", "C3"], Audience.UNKNOWN))
    for asked in (["C1", "C2"], ["C3"], []):
        slack.asked.clear()
        await Surveying(store, slack, clock).survey()
        assert slack.asked == asked
    slack.told["C2"] = Audience.PUBLIC
    await Surveying(store, slack, clock).survey()
    assert await audiences(store, 1, 2) == [(Audience.PUBLIC, Audience.PUBLIC)] * 2


async def test_imported_rows_become_public(store: SqlStore, clock: StepClock) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(row("import:1").model_copy(update={"channel": None, "team": None, "ts": None}))
    slack = ToldAudiences({})
    await Surveying(store, slack, clock).survey()
    assert await audiences(store, 0) == [(None, None)]
    async with store.snapshot() as tx:
        imported = await tx.rows.get("import:1")
    assert imported is not None
    assert imported.audience is Audience.PUBLIC
    assert slack.asked == []


async def test_known_audience_is_not_changed(store: SqlStore, clock: StepClock) -> None:
    await remember(store, 1, "C1")
    async with store.transaction() as tx:
        await tx.rows.put(
            row("q2").model_copy(
                update={"channel": "C1", "audience": Audience.PRIVATE, "settled_at": clock.now() + timedelta(1)}
            )
        )
    await Surveying(store, ToldAudiences({"C1": Audience.PUBLIC}), clock).survey()
    async with store.snapshot() as tx:
        kept = await tx.rows.get("q2")
    assert kept is not None
    assert kept.audience is Audience.PRIVATE
