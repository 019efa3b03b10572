"""The permission to train: once per provider, recorded, and withdrawable."""

import pytest

from bot.dataset.auditing import Auditing
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.release import ModelName
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeTrainer
from tests.kits.finetune_bench import FinetuneBench, OneEmbedded

HOSTED = ModelName(provider="openai", model="gpt-6-luna")


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    bench = FinetuneBench(store, shelf, trainer, clock, student=HOSTED, embedded=OneEmbedded())
    bench.allowed = False
    bench.acts = bench.new_acts()
    return bench


async def test_nothing_starts_until_an_admin_allows_it(bench: FinetuneBench) -> None:
    finetune = await bench.planned()
    with pytest.raises(Refused) as refused:
        await bench.acts.starting.confirm(finetune.id, "U9")
    assert refused.value.reason is Reason.TRAINING_NOT_ALLOWED
    await bench.acts.permitting.allow("U9", HOSTED)
    await bench.new_acts().starting.confirm(finetune.id, "U9")
    await bench.acts.following.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING


async def test_permission_holds_for_its_provider_alone(bench: FinetuneBench) -> None:
    permitting = bench.acts.permitting
    await permitting.allow("U9", HOSTED)
    other = HOSTED.model_copy(update={"model": "gpt-6-sol"})
    assert (await permitting.permission(other)).allowed
    assert not (await permitting.permission(BASE)).allowed
    # A server elsewhere with the embedded model's name gets no permission from it.
    await permitting.allow("U9", BASE)
    bench.embedded = None
    assert not (await bench.new_acts().permitting.permission(BASE)).allowed


async def test_withdrawn_permission_stops_confirmed_training(bench: FinetuneBench) -> None:
    await bench.acts.permitting.allow("U9", HOSTED)
    finetune = await bench.confirmed()
    await bench.acts.permitting.withdraw("U8", HOSTED)
    await bench.acts.following.follow()
    ended = await bench.reload(finetune)
    assert (ended.state, bench.trainer.files) == (FinetuneState.FAILED, {})
    assert "permission" in (ended.error or "")


async def test_each_answer_is_in_the_audit_log(bench: FinetuneBench) -> None:
    for _ in range(2):
        await bench.acts.permitting.allow("U9", HOSTED)
    await bench.acts.permitting.withdraw("U8", HOSTED)
    entries, people = await Auditing(bench.store, bench.clock).last(10)
    said = [(people[one.who], one.act.value, one.thing) for one in reversed(entries)]
    assert said == [("U9", "training_allowed", str(HOSTED)), ("U8", "training_forbidden", str(HOSTED))]
