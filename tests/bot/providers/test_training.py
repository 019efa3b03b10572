"""Fine-tuning jobs at a scripted provider."""

from typing import Any

import pytest

from bot.domain.errors import FileNotReady, ModelDown, ModelRefused, OutcomeUnknown
from bot.domain.fold import TrainingReport
from bot.domain.release import ModelName
from bot.providers.providers import Provider, Providers
from bot.providers.training import JOB_METADATA_KEY, OpenAITrainer
from tests.kits.openai_server import FILES, JOBS, OpenAIServer, Reply, refusal

DATA = b'{"messages": []}\n'
FILE = "GET /v1/files/file-1"
DELETED = "DELETE /v1/files/file-1"
LIST = "GET /v1/fine_tuning/jobs"
JOB = "GET /v1/fine_tuning/jobs/ftjob-1"
EVENTS = JOB + "/events"


@pytest.fixture
def trainer(providers: Providers) -> OpenAITrainer:
    return OpenAITrainer(providers)


@pytest.fixture
def student() -> ModelName:
    return ModelName(provider="there", model="gpt-4.1-mini-2025-04-14")


@pytest.fixture
def on_azure() -> ModelName:
    return ModelName(provider="azure", model="gpt-4.1-mini")


def file(status: str, **more: str) -> Reply:
    return Reply({"id": "file-1", "object": "file", "filename": "x", "purpose": "fine-tune", "status": status, **more})


def job(job_id: str = "ftjob-1", status: str = "queued", **more: object) -> dict[str, object]:
    return {"id": job_id, "object": "fine_tuning.job", "status": status, "error": {}, "fine_tuned_model": None, **more}


async def test_file_is_uploaded_for_fine_tuning(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(FILES, file("processed"))
    assert await trainer.upload(student, "rows.jsonl", DATA.splitlines()) == "file-1"
    (sent,) = server.requests
    assert b'name="purpose"\r\n\r\nfine-tune\r\n' in sent.body
    assert b'filename="rows.jsonl"' in sent.body
    assert b"\r\n\r\n" + DATA in sent.body


async def test_upload_that_is_tried_again_is_whole(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    busy = Reply(status=503, headers={"retry-after-ms": "1"})
    server.on(FILES, busy, file("processed"))
    lines = [b"%d " % n + b"x" * 1_000 for n in range(500)]
    assert await trainer.upload(student, "rows.jsonl", lines) == "file-1"
    for sent in server.requests:
        assert b"\r\n\r\n" + b"\n".join(lines) + b"\n\r\n" in sent.body
        assert int(sent.headers["content-length"]) == len(sent.body)
    assert len(server.requests) == 2


async def test_upload_expires_at_openai_alone(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    server.on(FILES, file("processed"), file("processed"))
    await trainer.upload(student, "rows.jsonl", DATA.splitlines())
    at_openai = Providers([Provider("openai", server.url, "sk-secret")])
    await OpenAITrainer(at_openai).upload(ModelName(provider="openai", model="gpt"), "rows.jsonl", DATA.splitlines())
    await at_openai.aclose()
    plain, expiring = (sent.body for sent in server.sent(FILES))
    assert b"expires_after" not in plain
    assert b'name="expires_after[seconds]"\r\n\r\n2592000\r\n' in expiring


async def test_file_is_deleted_and_looked_for(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    server.on(DELETED, Reply({"id": "file-1", "object": "file", "deleted": True}))
    server.on(FILE, refusal(404, "No such File object"))
    await trainer.delete_file(student, "file-1")
    assert len(server.sent(FILE)) == 1


async def test_deleting_nothing_is_no_error(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    server.on(DELETED, refusal(404, "No such File object"))
    await trainer.delete_file(student, "file-1")


async def test_file_that_stays_is_refused(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    """A provider that says `deleted` and still has the file must not count as one that deleted it."""
    server.on(DELETED, Reply({"id": "file-1", "object": "file", "deleted": True}))
    server.on(FILE, file("processed"))
    with pytest.raises(ModelRefused, match="still has"):
        await trainer.delete_file(student, "file-1")


async def test_upload_that_is_not_found_is_refused(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    """The body of an upload is a stream, so that it cannot be read again to see what was asked."""
    server.on(FILES, refusal(404, "the resource is not here"))
    with pytest.raises(ModelRefused):
        await trainer.upload(student, "rows.jsonl", DATA.splitlines())


async def test_azure_gets_a_byte_order_mark(server: OpenAIServer, trainer: OpenAITrainer, on_azure: ModelName) -> None:
    server.on(FILES, file("pending"))
    assert await trainer.upload(on_azure, "rows.jsonl", DATA.splitlines()) == "file-1"
    assert b"\r\n\r\n\xef\xbb\xbf" + DATA in server.sent(FILES)[0].body


async def test_file_is_read_when_provider_says_so(
    server: OpenAIServer, trainer: OpenAITrainer, on_azure: ModelName
) -> None:
    states = [file("pending"), file("Running"), file("uploaded"), file("processed"), Reply({"id": "file-1"})]
    server.on(FILE, *states, refusal(404, "no such route"))
    read = [await trainer.has_read(on_azure, "file-1") for _ in range(6)]
    assert read == [False, False, False, True, True, True]
    server.on(FILE, file("error", status_details="line 3"), refusal(401, "no"))
    with pytest.raises(ModelRefused, match="line 3"):
        await trainer.has_read(on_azure, "file-1")
    with pytest.raises(ModelRefused):
        await trainer.has_read(on_azure, "file-1")


UNREAD = [
    refusal(400, "File 'file-1' is still being processed and is not ready to be used for fine-tuning."),
    refusal(400, "The specified file file-1 is not in 'succeeded' state.", code="invalidPayload"),
    refusal(409, "training_file has not been processed yet"),
    refusal(422, "File status is pending, please wait"),
]
READ = [
    refusal(400, "The file could not be processed: line 3 is no JSON", param="training_file"),
    refusal(400, "Invalid file format. Input file is in the wrong format"),
    refusal(403, "Fine-tuning is not available to your organisation"),
    refusal(400, "Model small is not ready"),
]


@pytest.mark.parametrize("reply", UNREAD)
async def test_unread_file_is_told_from_a_refusal(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName, reply: Reply
) -> None:
    server.on(JOBS, reply)
    server.on(FILE, file("processed"))
    with pytest.raises(FileNotReady):
        await trainer.create(student, "file-1", "ft-7", "s")
    assert len(server.sent(JOBS)) == 1


@pytest.mark.parametrize("reply", READ)
async def test_refusal_is_told_from_an_unread_file(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName, reply: Reply
) -> None:
    server.on(JOBS, reply)
    server.on(FILE, file("processed"))
    with pytest.raises(ModelRefused) as raised:
        await trainer.create(student, "file-1", "ft-7", "s")
    assert type(raised.value) is ModelRefused


async def test_unread_file_is_known_by_its_state(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(JOBS, refusal(400, "Invalid training file: file-1"))
    server.on(FILE, file("uploaded"))
    with pytest.raises(FileNotReady):
        await trainer.create(student, "file-1", "ft-7", "s")


async def test_failed_upload_raises_the_right_error(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    broken = file("error", status_details="line 3")
    server.on(FILES, broken, refusal(400, "not JSON lines"), Reply(status=503, headers={"retry-after": "0"}))
    with pytest.raises(ModelRefused, match="line 3"):
        await trainer.upload(student, "rows.jsonl", DATA.splitlines())
    with pytest.raises(ModelRefused, match="not JSON lines"):
        await trainer.upload(student, "rows.jsonl", DATA.splitlines())
    with pytest.raises(ModelDown):
        await trainer.upload(student, "rows.jsonl", DATA.splitlines())


async def test_job_is_created_with_our_id(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    server.on(JOBS, Reply(job()))
    created = await trainer.create(student, "file-1", "ft-7", "x" * 70)
    assert (created.id, created.status, created.model, created.error) == ("ftjob-1", "queued", None, None)
    (sent,) = server.requests
    assert sent.json["metadata"] == {JOB_METADATA_KEY: "ft-7"}
    assert sent.json["method"]["type"] == "supervised"
    assert sent.json["model"] == "gpt-4.1-mini-2025-04-14"
    assert sent.json["training_file"] == "file-1"
    assert isinstance(sent.json["seed"], int)
    assert sent.json["suffix"] == "x" * 64


async def test_azure_gets_no_suffix(server: OpenAIServer, trainer: OpenAITrainer, on_azure: ModelName) -> None:
    server.on(JOBS, Reply(job()))
    await trainer.create(on_azure, "file-1", "ft-7", "ja.2026.11.22.rows.312")
    assert "suffix" not in server.requests[0].json


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply({"error": {"message": "oh"}}, 500), OutcomeUnknown),
        (Reply("<html>", 502), OutcomeUnknown),
        (Reply({}, 408), OutcomeUnknown),
        (Reply({}, 409), OutcomeUnknown),
        (Reply(lost=True), OutcomeUnknown),
        (Reply("{", 200), OutcomeUnknown),
        (Reply({"object": "fine_tuning.job"}, 200), OutcomeUnknown),
        (Reply(wait_s=1), OutcomeUnknown),
        (refusal(429, "quota", code="insufficient_quota"), ModelRefused),
        (refusal(400, "model_not_available"), ModelRefused),
        (refusal(401, "no"), ModelRefused),
        (refusal(403, "fine-tuning is closed for your organisation"), ModelRefused),
        (refusal(404, "no such route"), ModelRefused),
        (refusal(403, "method not allowed for you"), ModelRefused),
    ],
)
async def test_creation_is_sent_exactly_once(
    server: OpenAIServer, student: ModelName, reply: Reply, error: type[Exception]
) -> None:
    server.on(JOBS, reply)
    providers = Providers([Provider("there", server.url, "k")])
    providers["there"].timeout = 0.2 if reply.wait_s else 20
    with pytest.raises(ModelRefused) as raised:
        await OpenAITrainer(providers).create(student, "file-1", "ft-7", "s")
    assert type(raised.value) is error
    assert len(server.requests) == 1
    await providers.aclose()


async def test_unreachable_provider_has_created_nothing(student: ModelName) -> None:
    providers = Providers([Provider("there", "http://127.0.0.1:9/v1", "k")])
    with pytest.raises(ModelRefused) as raised:
        await OpenAITrainer(providers).create(student, "file-1", "ft-7", "s")
    assert type(raised.value) is ModelRefused
    await providers.aclose()


async def test_unknown_parameters_are_dropped_after_a_refusal(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(
        JOBS,
        refusal(400, "Unknown parameter: 'method'.", param="method", code="unknown_parameter"),
        Reply({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]}, 422),
        Reply(job()),
    )
    assert (await trainer.create(student, "file-1", "ft-7", "s")).id == "ftjob-1"
    first, second, third = (set(got.json) for got in server.requests)
    assert first - second == {"method"}
    assert second - third == {"seed"}
    assert "metadata" in third


async def test_job_is_found_after_an_unknown_outcome(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(JOBS, Reply({}, 500))
    with pytest.raises(OutcomeUnknown):
        await trainer.create(student, "file-1", "ft-7", "s")
    ours = job("ftjob-2", "validating_files", metadata={JOB_METADATA_KEY: "ft-7", "other": 1})
    others = [job("ftjob-3", metadata=None), job("ftjob-4", metadata={JOB_METADATA_KEY: "ft-6"})]
    server.on(LIST, Reply({"object": "list", "data": [*others, ours], "has_more": True}))
    found = await trainer.find(student, "ft-7")
    assert found is not None
    assert (found.id, found.status) == ("ftjob-2", "validating_files")
    assert server.sent(LIST)[0].query[f"metadata[{JOB_METADATA_KEY}]"] == "ft-7"
    assert len(server.sent(LIST)) == 1
    assert len(server.sent(JOBS)) == 1


async def test_search_reads_all_pages_without_the_filter(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(
        LIST,
        Reply({"data": [], "has_more": False}),
        Reply({"data": [job("a"), job("b")], "has_more": True}),
        Reply({"data": [job("c", metadata={JOB_METADATA_KEY: "ft-7"})], "has_more": False}),
    )
    found = await trainer.find(student, "ft-7")
    assert found is not None
    assert found.id == "c"
    assert [got.query.get("after") for got in server.sent(LIST)] == [None, None, "b"]


async def test_search_ends_when_paging_is_ignored(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(LIST, refusal(400, "unknown filter"), Reply({"data": [job("a")]}))
    assert await trainer.find(student, "ft-7") is None
    assert len(server.requests) == 3


async def test_failed_search_raises_its_error(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    server.on(LIST, refusal(503, "later"))
    with pytest.raises(ModelDown):
        await trainer.find(student, "ft-7")
    server.on(LIST, refusal(401, "no"))
    with pytest.raises(ModelRefused):
        await trainer.find(student, "ft-7")


async def test_job_has_its_newest_event(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    server.on(
        JOB, Reply(job(status="dreaming")), Reply(job(status="succeeded", fine_tuned_model="ft:x:y", trained_tokens=9))
    )
    events = [{"message": "old", "created_at": 1}, {"message": "Step 7/9", "created_at": 5}]
    server.on(EVENTS, Reply({"data": events}), refusal(404, "no events here"))
    running = await trainer.job(student, "ftjob-1")
    assert (running.status, running.progress, running.error, running.model) == ("dreaming", "Step 7/9", None, None)
    done = await trainer.job(student, "ftjob-1")
    assert (done.status, done.progress, done.model, done.trained_tokens) == ("succeeded", None, "ft:x:y", 9)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({}, None),
        (None, None),
        ({"code": None, "message": None, "param": None}, None),
        ({"code": "invalid_training_file", "message": "line 3"}, "invalid_training_file: line 3"),
        ({"code": 17, "message": "x"}, "17: x"),
        ("out of memory", "out of memory"),
    ],
)
async def test_empty_job_error_counts_as_none(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName, error: object, expected: str | None
) -> None:
    server.on(JOB, Reply(job(status="failed", error=error)))
    assert (await trainer.job(student, "ftjob-1")).error == expected


async def test_job_is_cancelled(server: OpenAIServer, trainer: OpenAITrainer, student: ModelName) -> None:
    route = "POST /v1/fine_tuning/jobs/ftjob-1/cancel"
    server.on(route, Reply(job(status="cancelled")), refusal(400, "Job has already ended"))
    assert (await trainer.cancel(student, "ftjob-1")).status == "cancelled"
    with pytest.raises(ModelRefused, match="already ended"):
        await trainer.cancel(student, "ftjob-1")


# --- what a job reports

RESULT = "GET /v1/files/file-oof-1"
LINES = (
    b'{"line": 1, "fold": 0, "category": "IT", "confidence": 0.9, "new_field": 1}\n'
    b'{"line": 2, "fold": 1, "category": "HR"}\nnot json\n{"line": "x"}\n'
)


async def test_out_of_fold_answers_are_read(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName, caplog: pytest.LogCaptureFixture
) -> None:
    server.on(JOB, Reply(job(status="succeeded", result_files=["file-1", {"id": "file-2"}, "file-oof-1"])))
    server.on(FILE, Reply({"id": "file-1", "filename": "step_metrics.csv"}))
    server.on(RESULT, Reply({"id": "file-oof-1", "filename": "out_of_fold.jsonl"}))
    server.on(RESULT + "/content", Reply(LINES.decode()))
    events = [{"message": "m", "data": {"trust": 0.25}}, {"message": "n", "data": {"still_wrong": ["給与は？"]}}, {}]
    server.on(EVENTS, Reply({"data": events}))
    found = await trainer.report(student, "ftjob-1")
    assert [(one.line, one.fold, one.category, one.confidence) for one in found.out_of_fold] == [
        (1, 0, "IT", 0.9),
        (2, 1, "HR", None),
    ]
    assert found.trust == 0.25
    assert "2 lines" in caplog.text
    assert "給与" not in caplog.text


@pytest.mark.parametrize("more", [{}, {"result_files": None}, {"result_files": ["file-1"]}])
async def test_other_providers_report_nothing(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName, more: dict[str, Any]
) -> None:
    server.on(JOB, Reply(job(status="succeeded", **more)))
    server.on(FILE, Reply({"id": "file-1", "filename": "step_metrics.csv"}))
    assert await trainer.report(student, "ftjob-1") == TrainingReport()


async def test_unreadable_report_is_asked_for_again(
    server: OpenAIServer, trainer: OpenAITrainer, student: ModelName
) -> None:
    server.on(JOB, Reply(job(status="succeeded", result_files=["file-1"])))
    server.on(FILE, refusal(404, "gone"))
    with pytest.raises(ModelRefused):
        await trainer.report(student, "ftjob-1")
    server.on(FILE, refusal(400, "no"), refusal(503, "later"), refusal(503, "later"), refusal(503, "later"))
    with pytest.raises(ModelRefused):
        await trainer.report(student, "ftjob-1")
    with pytest.raises(ModelDown):
        await trainer.report(student, "ftjob-1")
