"""Rows that not everybody may read train the embedded model only, unless the operator says otherwise."""

import pytest

from bot.dataset.exporting import frozen_lines
from bot.domain.audience import Audience
from bot.domain.dataset import Row, Split
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.release import ModelName
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, row, rows_of
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeTrainer
from tests.kits.finetune_bench import ENOUGH_ROWS, FinetuneBench, OneEmbedded
from tests.kits.plain_export import export

HOSTED = ModelName(provider="openai", model="gpt-6-luna")
FEW_READ = [Audience.PRIVATE, Audience.DIRECT, Audience.UNKNOWN]


def marked(audience: Audience, split: Split = Split.TRAIN, category: str = "labor") -> Row:
    """Return a row with a text that no other row has."""
    texts = (row(f"{audience} だけの相談 {n}", category) for n in range(1_000))
    return next(one for one in texts if one.split is split).model_copy(update={"audience": audience})


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock, student=HOSTED, embedded=OneEmbedded())


async def test_private_rows_stay_out_of_hosted_trainers_file(bench: FinetuneBench) -> None:
    private = [marked(Audience.PRIVATE), marked(Audience.UNKNOWN)]
    await bench.add([*ENOUGH_ROWS, *private, marked(Audience.PRIVATE, Split.HELD_OUT)])
    finetune, frozen = await bench.acts.planning.plan("U9", "ja")
    data = b"".join(await frozen_lines(bench.shelf, finetune.dataset_id))
    assert not any(one.text.encode() in data for one in private)
    assert (frozen.manifest.rows, frozen.manifest.left_out) == (12, {"private": 2})
    downloaded = await bench.acts.exporting.export()
    assert downloaded.manifest == frozen.manifest


async def test_embedded_model_learns_private_rows(bench: FinetuneBench) -> None:
    private = marked(Audience.PRIVATE)
    await bench.add([*ENOUGH_ROWS, private])
    frozen = await bench.acts.exporting.export(student=BASE)
    assert private.text.encode() in frozen.data
    assert (frozen.manifest.rows, frozen.manifest.left_out) == (13, {})


async def test_encoder_elsewhere_keeps_private_rows_out(
    store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock
) -> None:
    """The embedded model then learns in this process, but a service reads each text of the training."""
    embedded = OneEmbedded()
    embedded.sends_texts = True
    bench = FinetuneBench(store, shelf, trainer, clock, student=BASE, embedded=embedded)
    private = marked(Audience.PRIVATE)
    await bench.add([*ENOUGH_ROWS, private])
    frozen = await bench.acts.exporting.export(student=BASE)
    assert private.text.encode() not in frozen.data
    assert (frozen.manifest.rows, frozen.manifest.left_out) == (12, {"private": 1})
    bench.private_rows = True
    assert private.text.encode() in (await bench.new_acts().exporting.export(student=BASE)).data


async def test_operator_lets_private_rows_leave(bench: FinetuneBench) -> None:
    await bench.add([*ENOUGH_ROWS, marked(Audience.PRIVATE)])
    bench.private_rows = True
    frozen = await bench.new_acts().exporting.export()
    assert (frozen.manifest.rows, frozen.manifest.left_out) == (13, {})


@pytest.mark.parametrize("audience", FEW_READ)
def test_private_copy_does_not_displace_public_row(audience: Audience) -> None:
    public = marked(Audience.PUBLIC)
    newer = public.model_copy(update={"id": "newer", "audience": audience, "reason": "秘密の理由"})
    frozen = export([public, newer], PROMPT, private=False)
    assert (list(frozen.texts), frozen.manifest.left_out) == ([public.id], {"private": 1})
    assert "秘密の理由" not in frozen.data.decode()


async def test_refusal_names_private_rows_that_were_left_out(bench: FinetuneBench) -> None:
    labor, it = rows_of(Split.TRAIN, "labor", 6), rows_of(Split.TRAIN, "it", 6)
    await bench.add([one.model_copy(update={"audience": Audience.PRIVATE}) for one in labor])
    with pytest.raises(Refused) as refused:
        await bench.acts.exporting.export()
    assert (refused.value.reason, refused.value.facts) == (Reason.TOO_FEW_PUBLIC, {"rows": 0, "private": 6})
    await bench.add(it)
    with pytest.raises(Refused) as refused:
        await bench.acts.planning.plan("U9", "ja")
    assert (refused.value.reason, refused.value.facts) == (Reason.TOO_FEW_PUBLIC, {"rows": 6, "private": 6})


async def test_older_plan_with_private_rows_is_not_sent(bench: FinetuneBench) -> None:
    """The plan was made by a program that knew no private rows, or before the setting was taken back."""
    await bench.add([*ENOUGH_ROWS, marked(Audience.PRIVATE)])
    bench.private_rows = True
    loose = bench.new_acts()
    unconfirmed, _ = await loose.planning.plan("U9", "ja")
    with pytest.raises(Refused) as refused:
        await bench.acts.starting.confirm(unconfirmed.id, "U9")
    assert refused.value.reason is Reason.PLAN_HOLDS_PRIVATE
    confirmed = await loose.starting.confirm(unconfirmed.id, "U9")
    await bench.acts.following.follow()
    ended = await bench.reload(confirmed)
    assert ended.state is FinetuneState.FAILED
    assert "private channels" in (ended.error or "")
    assert bench.trainer.files == {}


async def test_withdrawn_private_rows_hold_older_plan_back(bench: FinetuneBench) -> None:
    """A direct message that was never sent counts as withdrawn since an upgrade, and its plan may be older."""
    private = marked(Audience.PRIVATE)
    await bench.add([*ENOUGH_ROWS, private])
    bench.private_rows = True
    planned, _ = await bench.new_acts().planning.plan("U9", "ja")
    async with bench.store.transaction() as tx:
        await tx.rows.withdraw(private.id, bench.clock.now())
        await tx.rows.withdraw(ENOUGH_ROWS[0].id, bench.clock.now())
    with pytest.raises(Refused) as refused:
        await bench.acts.starting.confirm(planned.id, "U9")
    assert refused.value.reason is Reason.PLAN_HOLDS_PRIVATE


async def test_withdrawn_public_rows_hold_no_plan_back(bench: FinetuneBench) -> None:
    await bench.add(ENOUGH_ROWS)
    planned, _ = await bench.acts.planning.plan("U9", "ja")
    async with bench.store.transaction() as tx:
        await tx.rows.withdraw(ENOUGH_ROWS[0].id, bench.clock.now())
    confirmed = await bench.acts.starting.confirm(planned.id, "U9")
    assert confirmed.state is FinetuneState.CONFIRMED
