"""The stand-in for LangSmith, tested with the unmodified SDK over HTTP."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import langsmith as sdk
import pytest
from langsmith import utils
from langsmith.schemas import ExampleCreate, ExampleUpdate, RunKey
from langsmith.types.annotation_queues.item_create_params import Item

from tests.kits.langsmith_server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY
from tests.kits.langsmith_server.state import WORKSPACE

T = TypeVar("T")
MESSAGES = {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "有給は？"}]}
ANSWER = {"reason": "r", "category": "労務"}


@contextmanager
def client_of(server: LangSmithServer, **options: Any) -> Iterator[sdk.Client]:
    given: dict[str, Any] = {
        "api_url": server.url,
        "api_key": KEY,
        "timeout_ms": 2_000,
        "auto_batch_tracing": False,
    } | options
    client = sdk.Client(**given)
    try:
        yield client
    finally:
        client.close(timeout=1)


@pytest.fixture
async def client(langsmith: LangSmithServer) -> AsyncIterator[sdk.Client]:
    with client_of(langsmith) as made:
        yield made


async def run(verb: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a blocking SDK call in a thread, because the server answers on this event loop."""
    return await asyncio.to_thread(verb, *args, **kwargs)


def example(**more: Any) -> ExampleCreate:
    return ExampleCreate(**{"id": uuid.uuid4(), "inputs": MESSAGES, "reference_outputs": ANSWER, **more})  # type: ignore[no-untyped-call]  # the SDK is untyped here


async def test_dataset_is_created_found_and_deleted(client: sdk.Client) -> None:
    made = await run(client.create_dataset, "rows", description="d")
    assert (await run(client.read_dataset, dataset_name="rows")).id == made.id
    assert (await run(client.read_dataset, dataset_id=made.id)).name == "rows"
    with pytest.raises(utils.LangSmithConflictError):
        await run(client.create_dataset, "rows")
    await run(client.delete_dataset, dataset_id=made.id)
    assert not await run(client.has_dataset, dataset_name="rows")
    with pytest.raises(utils.LangSmithNotFoundError):
        await run(client.create_examples, dataset_id=made.id, examples=[example()])


@pytest.mark.parametrize("multipart", [True, False])
async def test_examples_are_readable_as_of_any_version(
    langsmith: LangSmithServer, client: sdk.Client, *, multipart: bool
) -> None:
    langsmith.info["instance_flags"]["dataset_examples_multipart_enabled"] = multipart
    dataset = await run(client.create_dataset, "rows")
    one, two = example(split="train", metadata={"row": "1"}), example(split="held_out", metadata={"row": "2"})
    await run(client.create_examples, dataset_id=dataset.id, examples=[one, two])
    first = await run(client.read_dataset_version, dataset_id=dataset.id, tag="latest")
    await run(client.update_dataset_tag, dataset_id=dataset.id, as_of=first.as_of, tag="frozen")
    changed = ExampleUpdate(  # type: ignore[no-untyped-call]  # the SDK is untyped here
        id=one.id or uuid.uuid4(), outputs={"reason": "r2", "category": "人事"}, split=["train", "more"]
    )
    await run(client.update_examples, dataset_id=dataset.id, updates=[changed])

    async def read(**asked: Any) -> dict[str, Any]:
        found = await run(lambda: list(client.list_examples(dataset_id=dataset.id, **asked)))
        return {str(one.id): (one.outputs or {})["category"] for one in found}

    assert await read() == {str(one.id): "人事", str(two.id): "労務"}
    assert await read(as_of="frozen") == {str(one.id): "労務", str(two.id): "労務"}
    assert await read(as_of=first.as_of) == await read(as_of="frozen")
    assert await read(splits=["more"]) == {str(one.id): "人事"}
    assert await read(splits=["train", "held_out"], as_of="frozen") == await read(as_of="frozen")
    assert await read(metadata={"row": "2"}) == {str(two.id): "労務"}
    assert await read(example_ids=[two.id]) == {str(two.id): "労務"}
    assert set(await run(client.list_dataset_splits, dataset_id=dataset.id)) == {"train", "more", "held_out"}
    latest = await run(client.read_dataset_version, dataset_id=dataset.id, tag="latest")
    diff = await run(client.diff_dataset_versions, dataset.id, from_version=first.as_of, to_version=latest.as_of)
    assert (diff.examples_modified, diff.examples_added, diff.examples_removed) == ([one.id], [], [])
    versions = await run(lambda: list(client.list_dataset_versions(dataset_id=dataset.id)))
    assert [("frozen" in (version.tags or [])) for version in versions][-1 if multipart else 0] is multipart


async def test_listing_reads_all_pages(client: sdk.Client) -> None:
    dataset = await run(client.create_dataset, "rows")
    made = [example(metadata={"n": n}) for n in range(250)]
    await run(client.create_examples, dataset_id=dataset.id, examples=made)
    found = await run(lambda: list(client.list_examples(dataset_id=dataset.id)))
    assert [one.id for one in found] == [one.id for one in made]


async def test_example_id_is_never_accepted_twice(client: sdk.Client) -> None:
    """The real service does the same: github.com/langchain-ai/langsmith-sdk/issues/1681."""
    rows, other = [await run(client.create_dataset, name) for name in ("rows", "other")]
    one = example()
    await run(client.create_examples, dataset_id=rows.id, examples=[one])
    for dataset in (rows, other):
        with pytest.raises(utils.LangSmithConflictError):
            await run(client.create_examples, dataset_id=dataset.id, examples=[one, example()])
    assert not await run(lambda: list(client.list_examples(dataset_id=other.id)))
    await run(client.delete_examples, [one.id or ""])
    assert not await run(lambda: list(client.list_examples(dataset_id=rows.id)))
    with pytest.raises(utils.LangSmithConflictError):
        await run(client.create_examples, dataset_id=rows.id, examples=[one])


async def test_hard_delete_blanks_older_versions(client: sdk.Client) -> None:
    dataset = await run(client.create_dataset, "rows")
    one = example()
    await run(client.create_examples, dataset_id=dataset.id, examples=[one])
    version = await run(client.read_dataset_version, dataset_id=dataset.id, tag="latest")
    await run(client.delete_examples, [one.id or ""])
    assert await run(lambda: list(client.list_examples(dataset_id=dataset.id, as_of=version.as_of)))
    await run(client.delete_examples, [one.id or ""], hard_delete=True)
    (left,) = await run(lambda: list(client.list_examples(dataset_id=dataset.id, as_of=version.as_of)))
    assert (left.inputs, left.outputs, left.metadata) == (None, None, None)


async def test_splits_and_fine_tuning_format(client: sdk.Client) -> None:
    dataset = await run(client.create_dataset, "rows")
    one = example(split="train")
    await run(client.create_examples, dataset_id=dataset.id, examples=[one])
    await run(client.update_dataset_splits, dataset_id=dataset.id, split_name="ft", example_ids=[one.id or ""])
    assert await run(client.list_dataset_splits, dataset_id=dataset.id) == ["ft", "train"]
    await run(
        client.update_dataset_splits, dataset_id=dataset.id, split_name="ft", example_ids=[one.id or ""], remove=True
    )
    assert await run(client.list_dataset_splits, dataset_id=dataset.id) == ["train"]
    (line,) = await run(client.read_dataset_openai_finetuning, dataset_id=dataset.id)
    assert line["messages"][:2] == MESSAGES["messages"]
    assert line["messages"][2] == {"role": "assistant", "content": '{"reason": "r", "category": "労務"}'}


@pytest.mark.parametrize("zstd", [True, False])
async def test_tracing_by_the_sdk_arrives(langsmith: LangSmithServer, *, zstd: bool) -> None:
    langsmith.info["instance_flags"]["zstd_compression_enabled"] = zstd
    run_id = sdk.uuid7()

    def traced() -> None:
        with client_of(langsmith, auto_batch_tracing=True) as client:
            while zstd and client.compressed_traces is None:
                time.sleep(0.01)  # nothing is compressed before the SDK's thread has read /info

            @sdk.traceable(client=client, name="classify")
            def classify(q: str) -> dict[str, str]:
                return {"category": q}

            with sdk.tracing_context(enabled=True, client=client, project_name="bot"):
                classify("HR", langsmith_extra={"run_id": run_id})
            client.create_feedback(run_id, trace_id=run_id, key="category", score=1, session_id=uuid.uuid4())
            client.flush(timeout=5)

    await run(traced)
    kept = langsmith.traces.runs[str(run_id)]
    assert (kept["name"], kept["inputs"], kept["outputs"]) == ("classify", {"q": "HR"}, {"category": "HR"})
    assert kept["session_name"] == "bot"
    assert [one["key"] for one in langsmith.traces.feedback.values()] == ["category"]
    sent = langsmith.sent("POST /runs/multipart")
    assert sent
    assert all((got.headers.get("content-encoding") == "zstd") is zstd for got in sent)


def run_json(**more: Any) -> dict[str, Any]:
    run_id = str(sdk.uuid7())
    start = datetime.now(UTC)  # noqa: TID251 - the SDK uses the real time
    order = start.strftime("%Y%m%dT%H%M%S%fZ") + run_id
    about = {"id": run_id, "trace_id": run_id, "dotted_order": order, "start_time": start, "session_name": "bot"}
    return about | {"name": "classify", "run_type": "llm", "inputs": MESSAGES, "outputs": ANSWER} | more


async def test_run_is_received_once(langsmith: LangSmithServer, client: sdk.Client) -> None:
    """The SDK ignores the conflict of a second copy: github.com/langchain-ai/langsmith-sdk/issues/2111."""
    one = run_json()
    for _ in range(2):
        await run(client.multipart_ingest, create=[dict(one)])
        await run(client.create_run, **one)
    assert len(langsmith.traces.runs) == 1


async def test_feedback_is_created_changed_listed_and_deleted(langsmith: LangSmithServer, client: sdk.Client) -> None:
    one = run_json()
    await run(client.create_run, **one)
    project = await run(client.read_project, project_name="bot")
    about = {"run_id": one["id"], "session_id": project.id, "key": "category"}
    said = await run(client.create_feedback, **about, score=0, correction={"category": "人事"})
    await run(client.update_feedback, said.id, value="人事")
    human = langsmith.people.annotate("Hanako", one["id"], "category", value="総務")
    found = await run(lambda: list(client.list_feedback(run_ids=[one["id"]], include_user_names=True)))
    assert [(str(f.id), f.value) for f in found] == [(human, "総務"), (str(said.id), "人事")]
    assert found[0].feedback_source
    assert (found[0].feedback_source.type, found[0].feedback_source.user_name) == ("app", "Hanako")
    nameless = await run(lambda: list(client.list_feedback(run_ids=[one["id"]], source=["app"])))
    assert [f.feedback_source and f.feedback_source.user_name for f in nameless] == [None]
    await run(client.delete_feedback, said.id)
    with pytest.raises(utils.LangSmithNotFoundError):
        await run(client.read_feedback, said.id)
    with pytest.raises(utils.LangSmithNotFoundError):
        await run(client.create_feedback, **about | {"run_id": uuid.uuid4()}, score=1, stop_after_attempt=1)


async def test_evaluation_by_the_sdk_is_an_experiment(langsmith: LangSmithServer) -> None:
    def evaluated() -> str:
        with client_of(langsmith, auto_batch_tracing=True) as client:
            dataset = client.create_dataset("rows")
            client.create_examples(dataset_id=dataset.id, examples=[example() for _ in range(3)])
            results = client.evaluate(
                lambda _inputs: {"category": "労務"},
                data="rows",
                evaluators=[lambda outputs, reference_outputs: outputs["category"] == reference_outputs["category"]],
                experiment_prefix="luna",
                max_concurrency=0,
            )
            client.flush(timeout=5)
            name: str = results.experiment_name
            second = client.create_project("other", reference_dataset_id=dataset.id)
            first = client.read_project(project_name=name)
            client.create_comparative_experiment("both", [first.id, second.id], reference_dataset=dataset.id)
            return name

    name = await run(evaluated)
    session = langsmith.traces.session(name)
    assert session
    assert session["reference_dataset_id"] == langsmith.datasets.named("rows").id
    runs = langsmith.traces.of_session(name)
    assert {one["reference_example_id"] for one in runs} == set(langsmith.datasets.named("rows").examples)
    assert [one["score"] for one in langsmith.traces.feedback.values()] == [True, True, True]
    assert len(langsmith.traces.comparisons) == 1


async def test_runs_are_annotated_from_a_queue(langsmith: LangSmithServer, client: sdk.Client) -> None:
    one = run_json()
    await run(client.create_run, **one)
    project = await run(client.read_project, project_name="bot")
    queue = await run(client.create_annotation_queue, name="doubtful", rubric_instructions="pick the category")
    assert [q.id for q in await run(lambda: list(client.list_annotation_queues(name="doubtful")))] == [queue.id]
    await run(lambda: client.info)
    items = client.annotation_queues.items
    put: Item = {
        "item_type": "RUN",
        "run_id": one["id"],
        "project_id": str(project.id),
        "start_time": one["start_time"],
    }
    await items.create(str(queue.id), items=[put])
    made = await items.create(str(queue.id), items=[put])
    key: RunKey = {"run_id": one["id"], "session_id": project.id, "start_time": one["start_time"]}
    await run(client.add_runs_to_annotation_queue, queue.id, runs=[key])
    waiting = [item async for item in items.list(str(queue.id), status="needs_my_review")]
    assert [item.run_id for item in waiting] == [one["id"]]
    assert made.items
    await items.create_status(made.items[0].id or "", status="completed")
    assert [item.run_id async for item in items.list(str(queue.id), status="archived")] == [one["id"]]
    await client._get_langsmith_api().close()  # `client.close` leaves it open


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ServerFault(500), utils.LangSmithAPIError),
        (ServerFault(503), utils.LangSmithError),
        (ServerFault(429, headers={"retry-after": "7"}), utils.LangSmithRateLimitError),
        (ServerFault(lost=True), utils.LangSmithConnectionError),
        (ServerFault(silent=True), utils.LangSmithError),
        (ServerFault(half=True), utils.LangSmithError),
        (ServerFault(200, body="not what was asked for"), Exception),
    ],
)
async def test_fault_raises_the_error_of_the_sdk(
    langsmith: LangSmithServer, fault: ServerFault, error: type[Exception]
) -> None:
    from urllib3.util import Retry

    langsmith.fail(fault, on="GET /datasets", times=1)
    with client_of(langsmith, retry_config=Retry(0, raise_on_status=False), timeout_ms=300) as client:
        with pytest.raises(error):
            await run(client.read_dataset, dataset_name="rows")
        with pytest.raises(utils.LangSmithNotFoundError):
            await run(client.read_dataset, dataset_name="rows")


async def test_access_needs_the_right_key_and_workspace(langsmith: LangSmithServer) -> None:
    async def asked(key: str, workspace: str | None) -> bool:
        with client_of(langsmith, api_key=key, workspace_id=workspace) as client:
            return bool(await run(client.has_dataset, dataset_name="rows"))

    with pytest.raises(utils.LangSmithAuthError):
        await asked("wrong", None)
    with pytest.raises(utils.LangSmithError, match="403"):
        await asked(KEY, str(uuid.uuid4()))
    assert not await asked(KEY, WORKSPACE)
    langsmith.keys[KEY] = {WORKSPACE}
    with pytest.raises(utils.LangSmithUserError, match="workspace"):
        await asked(KEY, None)


async def test_request_is_carried_out_despite_lost_answer(langsmith: LangSmithServer, client: sdk.Client) -> None:
    langsmith.fail(ServerFault(taken=True), on="POST /runs", times=1)
    await run(client.create_run, **run_json())  # the SDK's transport retries, and the second request is a conflict
    assert (len(langsmith.traces.runs), len(langsmith.sent("POST /runs"))) == (1, 2)
