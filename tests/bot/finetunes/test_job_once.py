"""One confirm, at most one job, whatever fails; a job that succeeded is exactly one release."""

import asyncio
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bot.dataset.exporting import file_name
from bot.domain.dataset import Row, Split, export, questions_of
from bot.domain.errors import ModelDown, ModelRefused, Reason, Refused
from bot.domain.finetune import ENDED_STATES, Finetune, FinetuneState
from bot.domain.release import ModelName
from bot.domain.training_file import FileProblem
from bot.finetunes.planning import usual_epochs
from bot.finetunes.starting import CREATION_UNANSWERED, JOB_SEARCHES
from bot.providers.training_file import check
from bot.releases.prompting import Prompting
from bot.releases.releasing import Releasing
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, PROMPT, rows_of
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import CountingEstimator, Fault, KeepingTrainer
from tests.kits.finetune_bench import ENOUGH_ROWS, FinetuneBench


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: KeepingTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


def why(refused: pytest.ExceptionInfo[Refused]) -> Reason:
    return refused.value.reason


# --- beside the event loop


async def test_what_many_rows_take_long_for_holds_up_nobody(
    bench: FinetuneBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack waits three seconds for an ack, and 100,000 rows take longer to be written, checked and counted."""
    threads: dict[str, int] = {}

    def watched(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def outer(*args: Any, **more: Any) -> Any:
            threads[name] = threading.get_ident()
            return inner(*args, **more)

        return outer

    for name, inner in (("export", export), ("questions_of", questions_of)):
        monkeypatch.setattr(f"bot.dataset.exporting.{name}", watched(name, inner))
    for name in ("tokens", "words"):
        monkeypatch.setattr(CountingEstimator, name, watched(name, getattr(CountingEstimator, name)))
    monkeypatch.setattr("tests.kits.finetune_bench.check", watched("check", check))
    await bench.planned()
    await Prompting(bench.store, CountingEstimator(), bench.clock).shown()
    assert sorted(threads) == ["check", "export", "questions_of", "tokens", "words"]
    assert threading.get_ident() not in threads.values()


# --- export


async def test_an_export_freezes_the_rows_on_the_shelf(bench: FinetuneBench) -> None:
    await bench.keep(ENOUGH_ROWS)
    frozen = await bench.acts.exporting.export()
    assert await bench.shelf.get(file_name(frozen.manifest.id)) == frozen.data
    async with bench.store.transaction() as tx:
        assert await tx.datasets.get(frozen.manifest.id) == frozen.manifest
    assert (frozen.manifest.rows, frozen.manifest.held_out) == (12, 2)
    assert await bench.acts.exporting.export() == frozen


async def test_without_rows_there_is_nothing_to_export(bench: FinetuneBench) -> None:
    await bench.keep(rows_of(Split.HELD_OUT, "labor", 3))
    with pytest.raises(Refused) as refused:
        await bench.acts.exporting.export()
    assert (why(refused), refused.value.facts) == (Reason.NO_ROWS, {"held_out": 3})


async def test_a_row_that_was_corrected_again_is_exported_as_it_was_corrected_last(bench: FinetuneBench) -> None:
    await bench.keep(ENOUGH_ROWS)
    first = ENOUGH_ROWS[0]
    await bench.keep([first.model_copy(update={"category": "other", "reason": None})])
    lines = (await bench.acts.exporting.export()).data.decode().splitlines()
    (line,) = [line for line in lines if first.text in line]
    assert json.loads(json.loads(line)["messages"][2]["content"])["category"] == "その他"


# --- plan


async def test_a_plan_prices_and_starts_nothing(bench: FinetuneBench) -> None:
    finetune = await bench.planned()
    frozen = await bench.acts.exporting.export()
    assert finetune.state is FinetuneState.PLANNED
    assert finetune.estimate.rows == 12
    assert finetune.estimate.tokens == len(frozen.data)
    assert finetune.estimate.usd == pytest.approx(len(frozen.data) * finetune.estimate.epochs / 1e6)
    assert (finetune.dataset_id, finetune.prompt_id) == (frozen.manifest.id, PROMPT.id)
    async with bench.store.transaction() as tx:
        trained = await tx.finetunes.trained_rows(finetune.id)
    assert trained == dict(zip(frozen.texts, questions_of(frozen.data), strict=True))
    await bench.follow()
    assert not bench.trainer.asked


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], Reason.NO_ROWS),
        ([*rows_of(Split.TRAIN, "labor", 5), *rows_of(Split.TRAIN, "it", 4)], Reason.TOO_FEW_ROWS),
        (rows_of(Split.TRAIN, "labor", 10), Reason.ONE_CATEGORY),
    ],
)
async def test_rows_that_cannot_be_trained_on_are_refused(
    bench: FinetuneBench, rows: list[Row], reason: Reason
) -> None:
    await bench.keep(rows)
    with pytest.raises(Refused) as refused:
        await bench.acts.planning.plan("U9", "ja")
    assert why(refused) is reason


async def test_what_a_provider_would_refuse_is_refused_here(bench: FinetuneBench) -> None:
    bench.problems = [FileProblem(3, "too_long", "too many tokens")]
    with pytest.raises(Refused) as refused:
        await bench.planned()
    assert why(refused) is Reason.TRAINING_FILE_INVALID
    assert refused.value.facts == {"problems": "line 3: too many tokens"}


@pytest.mark.parametrize(("rows", "epochs"), [(10, 10), (2, 25), (33, 4), (34, 3), (8_333, 3), (9_000, 2), (30_000, 1)])
def test_epochs_are_those_that_the_provider_chooses(rows: int, epochs: int) -> None:
    assert usual_epochs(rows) == epochs


# --- confirm


async def test_a_plan_is_confirmed_once(bench: FinetuneBench) -> None:
    planned = await bench.planned()
    ended = await asyncio.gather(
        *(bench.acts.starting.confirm(planned.id, "U9") for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(end, Finetune) for end in ended) == 1
    assert [end.reason for end in ended if isinstance(end, Refused)] == [Reason.ALREADY_CONFIRMED] * 2
    with pytest.raises(Refused) as refused:
        await bench.acts.starting.confirm("ft-none", "U9")
    assert why(refused) is Reason.NO_FINETUNE


async def test_there_is_one_fine_tune_at_a_time(bench: FinetuneBench) -> None:
    first, second = await bench.planned(), await bench.planned()
    await bench.acts.starting.confirm(first.id, "U9")
    for verb in (bench.acts.starting.confirm(second.id, "U9"), bench.acts.planning.plan("U9", "ja")):
        with pytest.raises(Refused) as refused:
            await verb
        assert (why(refused), refused.value.facts) == (Reason.FINETUNE_RUNNING, {"id": first.id})


# --- follow


async def test_a_job_that_succeeds_becomes_exactly_one_candidate(bench: FinetuneBench) -> None:
    finetune = await bench.running()
    assert (finetune.state, finetune.job_id) == (FinetuneState.RUNNING, "job-0")
    assert await bench.shelf.get(file_name(finetune.dataset_id)) == bench.trainer.files["file-0"]
    bench.trainer.say("job-0", "running")
    await bench.follow()
    bench.trainer.say("job-0", "succeeded", "ft:base:1")
    await asyncio.gather(*(bench.started().following.follow() for _ in range(3)))
    await bench.follow()
    (release,) = await bench.candidates()
    ended = await bench.now(finetune)
    assert ended.state is FinetuneState.SUCCEEDED
    assert ended.model == release.model == ModelName(provider="local", model="ft:base:1")
    assert (release.prompt_id, release.finetune_id) == (finetune.prompt_id, finetune.id)
    asked = bench.trainer.asked["job"]
    await bench.follow()
    assert bench.trainer.asked["job"] == asked, "an end is an end"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_a_job_that_does_not_succeed_is_never_a_release(bench: FinetuneBench, status: str) -> None:
    finetune = await bench.running()
    bench.trainer.say("job-0", status, model="ft:half", error="bad data")
    await bench.follow()
    ended = await bench.now(finetune)
    assert (ended.state.value, ended.error) == (status, "bad data")
    assert await bench.candidates() == []
    with pytest.raises(Refused) as refused:
        await Releasing(bench.store, bench.clock).named(finetune.id)
    assert why(refused) is Reason.NOT_SUCCEEDED


@pytest.mark.parametrize(
    "status", ["validating_files", "queued", "paused", "cancelling", "", "SUCCEEDED?", "succeeded"]
)
async def test_any_other_word_means_that_it_still_runs(bench: FinetuneBench, status: str) -> None:
    """So does "succeeded" as long as no model is named."""
    finetune = await bench.running()
    bench.trainer.say("job-0", status)
    await bench.follow()
    assert (await bench.now(finetune)).state is FinetuneState.RUNNING
    assert await bench.candidates() == []
    bench.trainer.say("job-0", "succeeded", "ft:base:1")
    await bench.follow()
    assert len(await bench.candidates()) == 1


CREATED = [Fault.LOST, Fault.KILLED]


@pytest.mark.parametrize("fault", CREATED)
async def test_a_job_whose_creation_was_not_answered_is_found_again(bench: FinetuneBench, fault: Fault) -> None:
    finetune = await bench.confirmed()
    bench.trainer.faults.add("create", fault)
    try:
        await bench.acts.following.follow()
    except asyncio.CancelledError:
        bench.acts = bench.started()
    assert (await bench.now(finetune)).state is FinetuneState.CREATING
    await bench.follow()
    found = await bench.now(finetune)
    assert (found.state, found.job_id) == (FinetuneState.RUNNING, "job-0")
    assert bench.trainer.asked["create"] == 1


async def test_a_creation_that_never_arrived_is_given_up_and_not_sent_again(bench: FinetuneBench) -> None:
    finetune = await bench.confirmed()
    bench.trainer.faults.add("create", Fault.DOWN)
    await bench.follow()
    assert (await bench.now(finetune)).state is FinetuneState.FAILED
    assert bench.trainer.asked == {"upload": 1, "create": 1, "find": JOB_SEARCHES}
    assert (await bench.planned()).state is FinetuneState.PLANNED, "another one may be started"


async def test_a_provider_that_refuses_is_quoted_at_once(bench: FinetuneBench) -> None:
    for verb in ("upload", "create"):
        finetune = await bench.confirmed()
        bench.trainer.faults.add(verb, Fault.REFUSED)
        await bench.acts.following.follow()
        ended = await bench.now(finetune)
        assert (ended.state, ended.error) == (FinetuneState.FAILED, f"{verb}: no")
    assert bench.trainer.asked["find"] == 0


async def test_a_refusal_to_say_how_a_paid_job_is_does_not_end_it(bench: FinetuneBench) -> None:
    """A key that was changed is given back by people."""
    finetune = await bench.running()
    bench.trainer.faults.add("job", Fault.REFUSED, 3)
    for _ in range(3):
        await bench.acts.following.follow()
        shown = await bench.now(finetune)
        assert (shown.state, shown.progress) == (FinetuneState.RUNNING, "job: no")
    bench.trainer.say("job-0", "succeeded", model="ft:base:x")
    await bench.acts.following.follow()
    assert (await bench.now(finetune)).state is FinetuneState.SUCCEEDED


async def test_after_a_day_of_refusals_it_is_given_up(bench: FinetuneBench) -> None:
    finetune = await bench.running()
    bench.trainer.faults.add("job", Fault.REFUSED, 2)
    await bench.acts.following.follow()
    bench.clock.advance(seconds=86_401)
    await bench.acts.following.follow()
    ended = await bench.now(finetune)
    assert (ended.state, ended.error) == (FinetuneState.FAILED, "job: no")


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_an_upload_that_fails_is_tried_again(bench: FinetuneBench, fault: Fault) -> None:
    finetune = await bench.confirmed()
    bench.trainer.faults.add("upload", fault, 2)
    await bench.follow()
    assert (await bench.now(finetune)).state is FinetuneState.RUNNING
    assert bench.trainer.asked["create"] == 1


async def test_replicas_that_follow_at_once_create_one_job(bench: FinetuneBench) -> None:
    finetune = await bench.confirmed()
    await asyncio.gather(*(bench.started().following.follow() for _ in range(4)))
    assert len(bench.trainer.jobs) == 1
    assert (await bench.now(finetune)).job_id == "job-0"
    assert bench.trainer.asked["cancel"] == 0


class SlowTrainer(KeepingTrainer):
    """A provider that creates the job and answers only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.created = asyncio.Event()
        self.answer = asyncio.Event()

    async def create(self, *request: Any, **named: Any) -> Any:
        job = await super().create(*request, **named)
        self.created.set()
        await self.answer.wait()
        return job


async def test_a_job_that_was_found_while_its_answer_was_on_its_way_goes_on(
    store: SqlStore, shelf: DatabaseShelf, clock: StepClock
) -> None:
    trainer = SlowTrainer()
    bench = FinetuneBench(store, shelf, trainer, clock)
    finetune = await bench.confirmed()
    sending = asyncio.create_task(bench.acts.following.follow())
    await trainer.created.wait()
    clock.advance(seconds=CREATION_UNANSWERED.total_seconds())
    await bench.started().following.follow()
    assert (await bench.now(finetune)).state is FinetuneState.RUNNING
    trainer.answer.set()
    await sending
    assert trainer.asked["cancel"] == 0
    assert (await bench.now(finetune)).state is FinetuneState.RUNNING


async def test_a_job_that_was_given_up_for_lost_does_not_go_on_in_secret(
    store: SqlStore, shelf: DatabaseShelf, clock: StepClock
) -> None:
    trainer = SlowTrainer()
    bench = FinetuneBench(store, shelf, trainer, clock)
    finetune = await bench.confirmed()
    sending = asyncio.create_task(bench.acts.following.follow())
    await trainer.created.wait()
    hidden, trainer.made_for = trainer.made_for, {}
    other = bench.started()
    for _ in range(JOB_SEARCHES):
        clock.advance(seconds=CREATION_UNANSWERED.total_seconds())
        await other.following.follow()
    assert (await bench.now(finetune)).state is FinetuneState.FAILED
    trainer.made_for = hidden
    trainer.answer.set()
    await sending
    assert trainer.jobs["job-0"].status == "cancelled"


# --- cancel


async def test_what_is_not_sent_yet_is_cancelled_without_a_request(bench: FinetuneBench) -> None:
    await bench.confirmed()
    assert (await bench.acts.following.cancel()).state is FinetuneState.CANCELLED
    await bench.follow()
    assert not bench.trainer.asked


async def test_a_running_job_is_cancelled_at_the_provider(bench: FinetuneBench) -> None:
    await bench.running()
    assert (await bench.acts.following.cancel()).state is FinetuneState.CANCELLED
    assert bench.trainer.jobs["job-0"].status == "cancelled"
    with pytest.raises(Refused) as refused:
        await bench.acts.following.cancel()
    assert why(refused) is Reason.NO_FINETUNE


async def test_a_creation_on_its_way_cannot_be_cancelled(bench: FinetuneBench) -> None:
    await bench.confirmed()
    bench.trainer.faults.add("create", Fault.LOST)
    await bench.acts.following.follow()
    with pytest.raises(Refused) as refused:
        await bench.acts.following.cancel()
    assert why(refused) is Reason.NOT_CANCELLABLE


@pytest.mark.parametrize(("fault", "error"), [(Fault.DOWN, ModelDown), (Fault.REFUSED, ModelRefused)])
async def test_a_job_that_could_not_be_cancelled_goes_on(
    bench: FinetuneBench, fault: Fault, error: type[Exception]
) -> None:
    finetune = await bench.running()
    bench.trainer.faults.add("cancel", fault)
    with pytest.raises(error):
        await bench.acts.following.cancel()
    assert (await bench.now(finetune)).state is FinetuneState.RUNNING


# --- whatever happens


class Provider(RuleBasedStateMachine):
    """Faults, restarts and a provider's moods in any order."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = Database(fresh())
        self.clock = StepClock()
        self.trainer = KeepingTrainer()
        store = SqlStore(self.database)
        self.bench = FinetuneBench(store, DatabaseShelf(self.database), self.trainer, self.clock)
        self.runner.run(Releasing(store, self.clock).ensure(PROMPT, BASE))
        self.confirmed: list[Finetune] = [self.runner.run(self.bench.confirmed())]

    def teardown(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()

    @rule(verb=st.sampled_from(["upload", "create", "find"]), fault=st.sampled_from(Fault))
    def break_something(self, verb: str, fault: Fault) -> None:
        self.trainer.faults.add(verb, fault)

    @rule(seconds=st.sampled_from([2, 61]))
    def follow(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        try:
            self.runner.run(self.bench.acts.following.follow())
        except asyncio.CancelledError:
            self.bench.acts = self.bench.started()

    @rule(status=st.sampled_from(["queued", "running", "whatever", "succeeded", "failed", "cancelled"]))
    def move_on(self, status: str) -> None:
        for job in list(self.trainer.jobs.values()):
            if job.status not in {"succeeded", "failed", "cancelled"}:
                self.trainer.say(job.id, status, f"ft:{job.id}" if status == "succeeded" else None)

    @rule()
    def start_another(self) -> None:
        try:
            self.confirmed.append(self.runner.run(self.bench.confirmed()))
        except Refused as refused:
            assert refused.reason is Reason.FINETUNE_RUNNING  # noqa: PT017 - most steps are not refused

    @rule()
    def cancel(self) -> None:
        try:
            self.runner.run(self.bench.acts.following.cancel())
        except Refused as refused:
            assert refused.reason in {Reason.NO_FINETUNE, Reason.NOT_CANCELLABLE}  # noqa: PT017 - as above

    @invariant()
    def a_confirm_is_at_most_one_job(self) -> None:
        made_for = list(self.trainer.made_for.values())
        assert len(made_for) == len(set(made_for))
        assert set(made_for) <= {finetune.id for finetune in self.confirmed}

    @invariant()
    def a_success_is_exactly_one_release(self) -> None:
        finetunes = [self.runner.run(self.bench.now(finetune)) for finetune in self.confirmed]
        succeeded = sorted(finetune.id for finetune in finetunes if finetune.state is FinetuneState.SUCCEEDED)
        assert sorted(str(r.finetune_id) for r in self.runner.run(self.bench.candidates())) == succeeded
        assert sum(finetune.state not in ENDED_STATES for finetune in finetunes) <= 1


def test_whatever_fails_in_whatever_order(fresh: Fresh) -> None:
    some = settings(max_examples=8, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(partial(Provider, fresh), settings=some)  # type: ignore[arg-type]  # whatever makes one will do
