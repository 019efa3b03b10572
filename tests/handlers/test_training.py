"""Fine-tunes that take long, with the whole bot between the provider's HTTP server and Slack's socket."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.domain.dataset import Split
from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.release import ModelName
from bot.finetunes.following import STALLED_AFTER
from bot.ports import Store
from bot.practice import Person
from bot.providers.providers import Provider, Providers
from bot.providers.training import OpenAITrainer
from handlers.views.ids import (
    DETAILS,
    FINETUNE_CANCEL,
    FINETUNE_COMPARE,
    FINETUNE_CONFIRM,
    FINETUNE_SWITCH,
    FINETUNE_WAIT,
)
from tests.bot.things import rows_of
from tests.kits.delivery_desk import deliveries
from tests.kits.openai_server import FILES, JOBS, OpenAIServer, Reply, refusal
from tests.kits.slack_desk import Json, SlackDesk, controls, details, eventually, open_desk, texts

OPS = "C0OPS000001"
STUDENT = ModelName(provider="openai", model="gpt-4.1-nano")
FILE, JOB = "GET /v1/files/file-1", "GET /v1/fine_tuning/jobs/ftjob-1"
EVENTS, CANCEL = f"{JOB}/events", "POST /v1/fine_tuning/jobs/ftjob-1/cancel"
UNREAD = refusal(400, "File 'file-1' is still being processed and is not ready to be used for fine-tuning.")


def file(status: str) -> Reply:
    return Reply({"id": "file-1", "object": "file", "status": status})


def job(status: str) -> Reply:
    return Reply({"id": "ftjob-1", "object": "fine_tuning.job", "status": status, "error": None})


@dataclass
class Training:
    """A desk, the provider that trains, and the admin's window."""

    desk: SlackDesk
    provider: OpenAIServer
    admin: Person

    async def start(self) -> None:
        """Confirm a plan, as the admin."""
        async with self.desk.store.transaction() as tx:
            await tx.rows.put(*rows_of(Split.TRAIN, "labor", 8), *rows_of(Split.TRAIN, "it", 8))
        await self.admin.command("/finetune start")
        plan = await self.admin.message(lambda m: FINETUNE_CONFIRM in controls(m))
        await self.admin.press(plan, FINETUNE_CONFIRM)

        async def is_confirmed() -> bool:
            async with self.desk.store.transaction() as tx:
                return bool(await tx.finetunes.under_way())

        await eventually(is_confirmed)

    async def pass_time(self, seconds: float) -> Finetune:
        """Move the clock, let the bot follow and deliver, and return the fine-tune."""
        self.desk.clock.advance(seconds=seconds)
        await self.desk.acts.following.follow()
        self.desk.deliverers.wake()

        async def is_delivered() -> bool:
            async with self.desk.store.transaction() as tx:
                return await deliveries(tx, self.desk.clock.now()) == 0

        await eventually(is_delivered)
        async with self.desk.store.transaction() as tx:
            return (await tx.finetunes.newest())[0]

    async def told(self) -> list[Json]:
        """Return what stands in the ops channel and its threads."""
        posted = [m for m in await self.admin.history(OPS) if "bot_id" in m]
        return [reply for m in posted for reply in await self.admin.replies(OPS, m["ts"])]

    async def progress(self) -> str:
        """Return the message that shows the progress."""
        return texts((await self.told())[0])

    async def asked(self) -> list[Json]:
        """Return the messages that ask whether to wait any longer."""
        return [m for m in await self.told() if FINETUNE_WAIT in controls(m)]

    async def status(self) -> str:
        await self.admin.command("/finetune status")
        shown = await self.admin.message(lambda m: "has been in use since" in texts(m))
        return await details(self.admin, shown)


@pytest.fixture
async def training(store: Store) -> AsyncIterator[Training]:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(OpenAIServer().running())
        providers = Providers([Provider("openai", provider.url, "k")])
        stack.push_async_callback(providers.aclose)
        desk = await stack.enter_async_context(open_desk(store, trainer=OpenAITrainer(providers), student=STUDENT))
        provider.otherwise(FILES, file("processed"))
        provider.otherwise(FILE, file("processed"))
        provider.otherwise(JOBS, job("queued"))
        provider.otherwise(JOB, job("running"))
        provider.otherwise(EVENTS, Reply({"data": [{"message": "Step 7/90", "created_at": 1}]}))
        admin = await desk.window(desk.server.people.admin)
        await admin.set_locale("en-US")
        yield Training(desk, provider, admin)


@pytest.mark.parametrize("status", ["uploaded", "pending", "running"])
async def test_unread_file_is_waited_for(training: Training, status: str) -> None:
    training.provider.on(FILES, file(status))
    training.provider.on(FILE, *[file(status)] * 5, file("processed"))
    await training.start()
    for _ in range(5):
        finetune = await training.pass_time(30)
        assert finetune.state is FinetuneState.CONFIRMED
        assert "still reading the training file" in await training.progress()
    assert training.provider.sent(JOBS) == []
    assert (await training.pass_time(30)).state is FinetuneState.RUNNING
    assert "reading the training file" not in await training.progress()
    assert len(training.provider.sent(FILES)) == 1


@pytest.mark.parametrize("status", ["uploaded", "processed"])
async def test_refused_creation_waits_for_the_file(training: Training, status: str) -> None:
    """Some servers report the file's state late, or wrongly; only the creation shows whether they have read it."""
    training.provider.on(FILES, file(status))
    training.provider.on(FILE, file(status))
    training.provider.on(JOBS, UNREAD, UNREAD, job("queued"))
    await training.start()
    seen = [await training.pass_time(30) for _ in range(25)]
    assert seen[-1].state is FinetuneState.RUNNING
    assert FinetuneState.FAILED not in {finetune.state for finetune in seen}
    assert len(training.provider.sent(JOBS)) == 3


async def test_refused_file_ends_the_fine_tune(training: Training) -> None:
    training.provider.on(FILES, file("uploaded"))
    training.provider.on(FILE, Reply({"id": "file-1", "status": "error", "status_details": "line 3 is no JSON"}))
    await training.start()
    finetune = await training.pass_time(30)
    assert (finetune.state, finetune.error) == (FinetuneState.FAILED, "line 3 is no JSON")


async def test_stalled_job_is_told_once(training: Training) -> None:
    await training.start()
    await training.pass_time(2)
    await training.pass_time(2)
    await training.pass_time(STALLED_AFTER / timedelta(seconds=1) - 4)
    assert await training.asked() == []
    for hours in (1, 1, 24):
        await training.pass_time(hours * 3600)
        assert len(await training.asked()) == 1
    (asked,) = await training.asked()
    assert "has not gone on for an hour" in texts(asked)
    assert training.desk.server.people.admin.id in texts(asked)
    assert controls(asked) == [FINETUNE_CANCEL, FINETUNE_WAIT, DETAILS]
    training.provider.on(EVENTS, Reply({"data": [{"message": "Step 8/90", "created_at": 2}]}))
    await training.pass_time(1)
    assert len(await training.asked()) == 1
    await training.pass_time(3700)
    assert len(await training.asked()) == 2, "it went on, so this is another stall"


async def test_unread_file_and_silent_provider_count_as_stalled(training: Training) -> None:
    training.provider.on(FILES, file("pending"))
    training.provider.on(FILE, file("pending"))
    training.provider.on(JOBS, UNREAD)
    await training.start()
    for _ in range(14):
        assert (await training.pass_time(300)).state is FinetuneState.CONFIRMED
    (asked,) = await training.asked()
    assert "has not finished reading the training file" in texts(asked)


async def test_press_cancels_the_stalled_job(training: Training) -> None:
    training.provider.on(CANCEL, job("cancelled"))
    await training.start()
    await training.pass_time(2)
    await training.pass_time(2)
    await training.pass_time(3700)
    (asked,) = await training.asked()
    priya = await training.desk.priya()
    await priya.press(asked, FINETUNE_CANCEL)
    await priya.message(lambda m: bool(m.get("ephemeral")) and "Only admins" in texts(m))
    assert training.provider.sent(CANCEL) == []
    await training.admin.press(asked, FINETUNE_CANCEL)
    await training.admin.message(lambda m: m["ts"] == asked["ts"] and "cancelled the training" in texts(m))
    assert (await training.pass_time(2)).state is FinetuneState.CANCELLED
    assert await training.asked() == []
    await training.start()
    running = await training.pass_time(2)
    await training.admin.press(asked, FINETUNE_CANCEL)
    await training.admin.message(lambda m: bool(m.get("ephemeral")) and "No training is under way" in texts(m))
    assert (await training.pass_time(2)).id == running.id
    assert len(training.provider.sent(CANCEL)) == 1, "an old message does not cancel a newer fine-tune"


async def test_press_goes_on_waiting(training: Training) -> None:
    await training.start()
    await training.pass_time(2)
    await training.pass_time(2)
    await training.pass_time(3700)
    (asked,) = await training.asked()
    await training.admin.press(asked, FINETUNE_WAIT)
    answered = await training.admin.message(lambda m: m["ts"] == asked["ts"] and "keeps waiting" in texts(m))
    assert controls(answered) == []
    assert (await training.pass_time(90_000)).state is FinetuneState.RUNNING
    assert await training.asked() == []


@pytest.mark.parametrize(("model", "deployed"), [("ft:gpt-4.1-nano:org::1", True), ("gpt-4.1-mini.ft-0ab", False)])
async def test_end_says_whether_to_deploy_first(training: Training, model: str, *, deployed: bool) -> None:
    await training.start()
    await training.pass_time(2)
    ended = {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": model, "error": None}
    training.provider.on(JOB, Reply(ended))
    assert (await training.pass_time(2)).state is FinetuneState.SUCCEEDED
    told = (await training.told())[-1]
    assert controls(told) == [FINETUNE_SWITCH, FINETUNE_COMPARE, DETAILS]
    assert (f"type exactly `{model}`" in texts(told)) is not deployed
    assert f"`openai/{model}`" in await details(training.admin, told)
    priya = await training.desk.priya()
    await priya.press(told, DETAILS)
    await priya.message(lambda m: bool(m.get("ephemeral")) and "Only admins" in texts(m))


async def test_status_shows_start_and_last_progress(training: Training) -> None:
    await training.start()
    started = int(training.desk.clock.now().timestamp())
    await training.pass_time(2)
    moved = int((await training.pass_time(3)).last_progress.timestamp())
    await training.pass_time(600)
    shown = await training.status()
    assert f"started <!date^{started}^" in shown
    assert f"last progress <!date^{moved}^" in shown
    assert moved > started


async def test_unlearned_corrections_are_told_to_the_admin_alone(
    training: Training, caplog: pytest.LogCaptureFixture
) -> None:
    """The model answers `other` to everything. The provider reports out-of-fold answers and a model that lost."""
    provider = training.provider
    ended = {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:gpt::1", "result_files": ["file-oof"]}
    await training.start()
    assert (await training.pass_time(30)).state is FinetuneState.RUNNING
    provider.on(JOB, *[Reply(ended)] * 3)
    provider.otherwise("GET /v1/files/file-oof", Reply({"id": "file-oof", "filename": "out_of_fold.jsonl"}))
    lines = "\n".join(f'{{"line": {n}, "fold": {n % 5}, "category": "IT", "confidence": 0.5}}' for n in range(1, 17))
    provider.otherwise("GET /v1/files/file-oof/content", Reply(lines))
    provider.on(EVENTS, *[Reply({"data": [{"message": "m", "created_at": 1, "data": {"trust": 0.5}}]})] * 3)
    finetune = await training.pass_time(30)
    assert (finetune.state, finetune.trust) == (FinetuneState.SUCCEEDED, 0.5)
    async with training.desk.store.transaction() as tx:
        assert len(await tx.finetunes.out_of_fold(finetune.id)) == 16

    await training.admin.command("/finetune evaluate")
    told = await training.admin.message(lambda m: "0 of 16 corrections learned" in texts(m))
    assert "worse on new questions than the instructions alone" in texts(told)
    assert "の質問" not in texts(told)
    assert "の質問" in await details(training.admin, told)
    assert "の質問" not in "\n".join(record.getMessage() for record in caplog.records)
