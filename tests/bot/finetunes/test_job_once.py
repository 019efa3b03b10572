"""A confirmation makes at most one job, despite faults, and a job that succeeds makes exactly one release."""

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

from bot.dataset.draft import Draft
from bot.dataset.exporting import file_name, frozen_lines, unpacked_name
from bot.domain.dataset import Row, Split, questions_of
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
from tests.kits.fakes_acts import CountingEstimator, FakeTrainer, Fault
from tests.kits.finetune_bench import ENOUGH_ROWS, FinetuneBench


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


def reason_of(refused: pytest.ExceptionInfo[Refused]) -> Reason:
    return refused.value.reason


# --- work in threads


async def test_slow_work_on_rows_runs_in_threads(bench: FinetuneBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack waits three seconds for an ack, but 100,000 rows take longer to write, check and count."""
    threads: dict[str, int] = {}

    def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def record_thread(*args: Any, **kwargs: Any) -> Any:
            threads[name] = threading.get_ident()
            return function(*args, **kwargs)

        return record_thread

    for name in ("see", "decide", "lines"):
        monkeypatch.setattr(Draft, name, recorded(name, getattr(Draft, name)))
    monkeypatch.setattr("bot.dataset.exporting.questions_of", recorded("questions_of", questions_of))
    for name in ("tokens", "words"):
        monkeypatch.setattr(CountingEstimator, name, recorded(name, getattr(CountingEstimator, name)))
    monkeypatch.setattr("tests.kits.finetune_bench.check", recorded("check", check))
    await bench.planned()
    await Prompting(bench.store, CountingEstimator(), bench.clock).shown()
    assert sorted(threads) == ["check", "decide", "lines", "questions_of", "see", "tokens", "words"]
    assert threading.get_ident() not in threads.values()


# --- export


async def test_only_files_for_training_are_shelved(bench: FinetuneBench) -> None:
    await bench.add(ENOUGH_ROWS)
    downloaded = await bench.acts.exporting.export()
    assert await bench.shelf.names("") == []
    frozen = await bench.acts.exporting.export(student=bench.student)
    assert frozen == downloaded
    assert [*await frozen_lines(bench.shelf, frozen.manifest.id)] == frozen.data.splitlines()
    async with bench.store.transaction() as tx:
        assert await tx.datasets.get(frozen.manifest.id) == frozen.manifest
    assert (frozen.manifest.rows, frozen.manifest.held_out) == (12, 2)
    assert await bench.acts.exporting.export() == frozen


async def test_file_of_an_earlier_version_is_read(bench: FinetuneBench) -> None:
    await bench.add(ENOUGH_ROWS)
    finetune, frozen = await bench.acts.planning.plan("U9", "ja")
    await bench.shelf.delete(file_name(finetune.dataset_id))
    await bench.shelf.put(unpacked_name(finetune.dataset_id), frozen.data)
    await bench.acts.starting.confirm(finetune.id, "U9")
    await bench.follow()
    assert bench.trainer.files["file-0"] == frozen.data


async def test_export_without_training_rows_is_refused(bench: FinetuneBench) -> None:
    await bench.add(rows_of(Split.HELD_OUT, "labor", 3))
    with pytest.raises(Refused) as refused:
        await bench.acts.exporting.export()
    assert (reason_of(refused), refused.value.facts) == (Reason.NO_ROWS, {"held_out": 3})


async def test_export_uses_a_rows_last_correction(bench: FinetuneBench) -> None:
    await bench.add(ENOUGH_ROWS)
    first = ENOUGH_ROWS[0]
    await bench.add([first.model_copy(update={"category": "other", "reason": None})])
    lines = (await bench.acts.exporting.export()).data.decode().splitlines()
    (line,) = [line for line in lines if first.text in line]
    assert json.loads(json.loads(line)["messages"][2]["content"])["category"] == "その他"


# --- plan


async def test_plan_has_a_price_and_starts_nothing(bench: FinetuneBench) -> None:
    finetune = await bench.planned()
    frozen = await bench.acts.exporting.export()
    assert finetune.state is FinetuneState.PLANNED
    assert finetune.estimate.rows == 12
    assert finetune.estimate.tokens == len(frozen.data)
    assert finetune.estimate.usd == pytest.approx(len(frozen.data) * finetune.estimate.epochs / 1e6)
    assert (finetune.dataset_id, finetune.prompt_id) == (frozen.manifest.id, PROMPT.id)
    async with bench.store.transaction() as tx:
        trained = await tx.finetunes.trained_rows(finetune.id)
    assert trained == dict(zip(frozen.texts, questions_of(frozen.lines()), strict=True))
    await bench.follow()
    assert not bench.trainer.requests


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], Reason.NO_ROWS),
        ([*rows_of(Split.TRAIN, "labor", 5), *rows_of(Split.TRAIN, "it", 4)], Reason.TOO_FEW_ROWS),
        (rows_of(Split.TRAIN, "labor", 10), Reason.ONE_CATEGORY),
    ],
)
async def test_unsuitable_training_rows_are_refused(bench: FinetuneBench, rows: list[Row], reason: Reason) -> None:
    await bench.add(rows)
    with pytest.raises(Refused) as refused:
        await bench.acts.planning.plan("U9", "ja")
    assert reason_of(refused) is reason


async def test_invalid_training_file_is_refused(bench: FinetuneBench) -> None:
    bench.problems = [FileProblem(3, "too_long", "too many tokens")]
    with pytest.raises(Refused) as refused:
        await bench.planned()
    assert reason_of(refused) is Reason.TRAINING_FILE_INVALID
    assert refused.value.facts == {"problems": "line 3: too many tokens"}


@pytest.mark.parametrize(("rows", "epochs"), [(10, 10), (2, 25), (33, 4), (34, 3), (8_333, 3), (9_000, 2), (30_000, 1)])
def test_epochs_follow_the_providers_rule(rows: int, epochs: int) -> None:
    assert usual_epochs(rows) == epochs


# --- confirm


async def test_plan_is_confirmed_once(bench: FinetuneBench) -> None:
    planned = await bench.planned()
    results = await asyncio.gather(
        *(bench.acts.starting.confirm(planned.id, "U9") for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(result, Finetune) for result in results) == 1
    assert [result.reason for result in results if isinstance(result, Refused)] == [Reason.ALREADY_CONFIRMED] * 2
    with pytest.raises(Refused) as refused:
        await bench.acts.starting.confirm("ft-none", "U9")
    assert reason_of(refused) is Reason.NO_FINETUNE


async def test_second_finetune_at_a_time_is_refused(bench: FinetuneBench) -> None:
    first, second = await bench.planned(), await bench.planned()
    await bench.acts.starting.confirm(first.id, "U9")
    for verb in (bench.acts.starting.confirm(second.id, "U9"), bench.acts.planning.plan("U9", "ja")):
        with pytest.raises(Refused) as refused:
            await verb
        assert (reason_of(refused), refused.value.facts) == (Reason.FINETUNE_RUNNING, {"id": first.id})


# --- follow


async def test_succeeded_job_becomes_exactly_one_candidate(bench: FinetuneBench) -> None:
    finetune = await bench.running()
    assert (finetune.state, finetune.job_id) == (FinetuneState.RUNNING, "job-0")
    assert [*await frozen_lines(bench.shelf, finetune.dataset_id)] == bench.trainer.files["file-0"].splitlines()
    bench.trainer.set_status("job-0", "running")
    await bench.follow()
    bench.trainer.set_status("job-0", "succeeded", "ft:base:1")
    await asyncio.gather(*(bench.new_acts().following.follow() for _ in range(3)))
    await bench.follow()
    (release,) = await bench.candidates()
    ended = await bench.reload(finetune)
    assert ended.state is FinetuneState.SUCCEEDED
    assert ended.model == release.model == ModelName(provider="local", model="ft:base:1")
    assert (release.prompt_id, release.finetune_id) == (finetune.prompt_id, finetune.id)
    requests = bench.trainer.requests["job"]
    await bench.follow()
    assert bench.trainer.requests["job"] == requests, "an ended job is not followed"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_failed_or_cancelled_job_becomes_no_release(bench: FinetuneBench, status: str) -> None:
    finetune = await bench.running()
    bench.trainer.set_status("job-0", status, model="ft:half", error="bad data")
    await bench.follow()
    ended = await bench.reload(finetune)
    assert (ended.state.value, ended.error) == (status, "bad data")
    assert await bench.candidates() == []
    with pytest.raises(Refused) as refused:
        await Releasing(bench.store, bench.clock).named(finetune.id)
    assert reason_of(refused) is Reason.NOT_SUCCEEDED


@pytest.mark.parametrize(
    "status", ["validating_files", "queued", "paused", "cancelling", "", "SUCCEEDED?", "succeeded"]
)
async def test_job_of_any_other_status_still_runs(bench: FinetuneBench, status: str) -> None:
    """A job that succeeded still runs, too, until its model is named."""
    finetune = await bench.running()
    bench.trainer.set_status("job-0", status)
    await bench.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING
    assert await bench.candidates() == []
    bench.trainer.set_status("job-0", "succeeded", "ft:base:1")
    await bench.follow()
    assert len(await bench.candidates()) == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.KILLED])
async def test_job_of_an_unanswered_creation_is_found(bench: FinetuneBench, fault: Fault) -> None:
    finetune = await bench.confirmed()
    bench.trainer.faults.add("create", fault)
    try:
        await bench.acts.following.follow()
    except asyncio.CancelledError:
        bench.acts = bench.new_acts()
    assert (await bench.reload(finetune)).state is FinetuneState.CREATING
    await bench.follow()
    found = await bench.reload(finetune)
    assert (found.state, found.job_id) == (FinetuneState.RUNNING, "job-0")
    assert bench.trainer.requests["create"] == 1


async def test_creation_that_never_arrived_is_not_repeated(bench: FinetuneBench) -> None:
    finetune = await bench.confirmed()
    bench.trainer.faults.add("create", Fault.DOWN)
    await bench.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.FAILED
    assert bench.trainer.requests == {"upload": 1, "create": 1, "find": JOB_SEARCHES}
    assert (await bench.planned()).state is FinetuneState.PLANNED, "another fine-tune may be planned"


async def test_refused_upload_or_creation_ends_the_finetune(bench: FinetuneBench) -> None:
    for verb in ("upload", "create"):
        finetune = await bench.confirmed()
        bench.trainer.faults.add(verb, Fault.REFUSED)
        await bench.acts.following.follow()
        ended = await bench.reload(finetune)
        assert (ended.state, ended.error) == (FinetuneState.FAILED, f"{verb}: no")
    assert bench.trainer.requests["find"] == 0


async def test_refused_status_does_not_end_a_paid_job(bench: FinetuneBench) -> None:
    """People can restore an API key that was changed."""
    finetune = await bench.running()
    bench.trainer.faults.add("job", Fault.REFUSED, 3)
    for _ in range(3):
        await bench.acts.following.follow()
        shown = await bench.reload(finetune)
        assert (shown.state, shown.progress) == (FinetuneState.RUNNING, "job: no")
    bench.trainer.set_status("job-0", "succeeded", model="ft:base:x")
    await bench.acts.following.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.SUCCEEDED


async def test_finetune_fails_after_a_day_of_refusals(bench: FinetuneBench) -> None:
    finetune = await bench.running()
    bench.trainer.faults.add("job", Fault.REFUSED, 2)
    await bench.acts.following.follow()
    bench.clock.advance(seconds=86_401)
    await bench.acts.following.follow()
    ended = await bench.reload(finetune)
    assert (ended.state, ended.error) == (FinetuneState.FAILED, "job: no")


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_failed_upload_is_retried(bench: FinetuneBench, fault: Fault) -> None:
    finetune = await bench.confirmed()
    bench.trainer.faults.add("upload", fault, 2)
    await bench.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING
    assert bench.trainer.requests["create"] == 1


async def test_concurrent_replicas_create_one_job(bench: FinetuneBench) -> None:
    finetune = await bench.confirmed()
    await asyncio.gather(*(bench.new_acts().following.follow() for _ in range(4)))
    assert len(bench.trainer.jobs) == 1
    assert (await bench.reload(finetune)).job_id == "job-0"
    assert bench.trainer.requests["cancel"] == 0


class SlowTrainer(FakeTrainer):
    """A provider that creates the job at once, but answers only when a test sets `answer`."""

    def __init__(self) -> None:
        super().__init__()
        self.created = asyncio.Event()
        self.answer = asyncio.Event()

    async def create(self, *request: Any, **named: Any) -> Any:
        job = await super().create(*request, **named)
        self.created.set()
        await self.answer.wait()
        return job


async def test_job_found_before_its_answer_came_goes_on(
    store: SqlStore, shelf: DatabaseShelf, clock: StepClock
) -> None:
    trainer = SlowTrainer()
    bench = FinetuneBench(store, shelf, trainer, clock)
    finetune = await bench.confirmed()
    sending = asyncio.create_task(bench.acts.following.follow())
    await trainer.created.wait()
    clock.advance(seconds=CREATION_UNANSWERED.total_seconds())
    await bench.new_acts().following.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING
    trainer.answer.set()
    await sending
    assert trainer.requests["cancel"] == 0
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING


async def test_job_that_was_given_up_is_cancelled(store: SqlStore, shelf: DatabaseShelf, clock: StepClock) -> None:
    trainer = SlowTrainer()
    bench = FinetuneBench(store, shelf, trainer, clock)
    finetune = await bench.confirmed()
    sending = asyncio.create_task(bench.acts.following.follow())
    await trainer.created.wait()
    hidden_ids, trainer.finetune_ids = trainer.finetune_ids, {}  # so that no search finds the job
    other = bench.new_acts()
    for _ in range(JOB_SEARCHES):
        clock.advance(seconds=CREATION_UNANSWERED.total_seconds())
        await other.following.follow()
    assert (await bench.reload(finetune)).state is FinetuneState.FAILED
    trainer.finetune_ids = hidden_ids
    trainer.answer.set()
    await sending
    assert trainer.jobs["job-0"].status == "cancelled"


# --- cancel


async def test_cancel_before_creation_sends_no_request(bench: FinetuneBench) -> None:
    await bench.confirmed()
    assert (await bench.acts.following.cancel("U1")).state is FinetuneState.CANCELLED
    await bench.follow()
    assert not bench.trainer.requests


async def test_running_job_is_cancelled_at_the_provider(bench: FinetuneBench) -> None:
    await bench.running()
    assert (await bench.acts.following.cancel("U1")).state is FinetuneState.CANCELLED
    assert bench.trainer.jobs["job-0"].status == "cancelled"
    with pytest.raises(Refused) as refused:
        await bench.acts.following.cancel("U1")
    assert reason_of(refused) is Reason.NO_FINETUNE


async def test_unanswered_creation_cannot_be_cancelled(bench: FinetuneBench) -> None:
    await bench.confirmed()
    bench.trainer.faults.add("create", Fault.LOST)
    await bench.acts.following.follow()
    with pytest.raises(Refused) as refused:
        await bench.acts.following.cancel("U1")
    assert reason_of(refused) is Reason.NOT_CANCELLABLE


@pytest.mark.parametrize(("fault", "error"), [(Fault.DOWN, ModelDown), (Fault.REFUSED, ModelRefused)])
async def test_job_goes_on_when_cancelling_fails(bench: FinetuneBench, fault: Fault, error: type[Exception]) -> None:
    finetune = await bench.running()
    bench.trainer.faults.add("cancel", fault)
    with pytest.raises(error):
        await bench.acts.following.cancel("U1")
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING


# --- faults in any order


class Provider(RuleBasedStateMachine):
    """Faults, restarts and changes of jobs, in any order."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = Database(fresh())
        self.clock = StepClock()
        self.trainer = FakeTrainer()
        store = SqlStore(self.database)
        self.bench = FinetuneBench(store, DatabaseShelf(self.database), self.trainer, self.clock)
        self.runner.run(Releasing(store, self.clock).ensure(PROMPT, BASE))
        self.confirmed: list[Finetune] = [self.runner.run(self.bench.confirmed())]

    def teardown(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()

    @rule(verb=st.sampled_from(["upload", "create", "find"]), fault=st.sampled_from(Fault))
    def schedule_fault(self, verb: str, fault: Fault) -> None:
        self.trainer.faults.add(verb, fault)

    @rule(seconds=st.sampled_from([2, 61]))
    def follow(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        try:
            self.runner.run(self.bench.acts.following.follow())
        except asyncio.CancelledError:
            self.bench.acts = self.bench.new_acts()

    @rule(status=st.sampled_from(["queued", "running", "whatever", "succeeded", "failed", "cancelled"]))
    def set_job_status(self, status: str) -> None:
        for job in list(self.trainer.jobs.values()):
            if job.status not in {"succeeded", "failed", "cancelled"}:
                self.trainer.set_status(job.id, status, f"ft:{job.id}" if status == "succeeded" else None)

    @rule()
    def start_another(self) -> None:
        try:
            self.confirmed.append(self.runner.run(self.bench.confirmed()))
        except Refused as refused:
            assert refused.reason is Reason.FINETUNE_RUNNING  # noqa: PT017 - most steps are not refused

    @rule()
    def cancel(self) -> None:
        try:
            self.runner.run(self.bench.acts.following.cancel("U1"))
        except Refused as refused:
            assert refused.reason in {Reason.NO_FINETUNE, Reason.NOT_CANCELLABLE}  # noqa: PT017 - as above

    @invariant()
    def each_finetune_has_at_most_one_job(self) -> None:
        finetune_ids = list(self.trainer.finetune_ids.values())
        assert len(finetune_ids) == len(set(finetune_ids))
        assert set(finetune_ids) <= {finetune.id for finetune in self.confirmed}

    @invariant()
    def each_success_is_exactly_one_release(self) -> None:
        finetunes = [self.runner.run(self.bench.reload(finetune)) for finetune in self.confirmed]
        succeeded = sorted(finetune.id for finetune in finetunes if finetune.state is FinetuneState.SUCCEEDED)
        assert sorted(str(r.finetune_id) for r in self.runner.run(self.bench.candidates())) == succeeded
        assert sum(finetune.state not in ENDED_STATES for finetune in finetunes) <= 1


def test_any_order_of_faults_and_restarts(fresh: Fresh) -> None:
    some = settings(max_examples=6, stateful_step_count=16, deadline=None)
    run_state_machine_as_test(partial(Provider, fresh), settings=some)  # type: ignore[arg-type]  # any factory will do
