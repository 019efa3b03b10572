"""Failures of LangSmith: every method ends in time, raises the right error, and leaks no secret."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from bot.domain.errors import TrackerDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.forgetting import Traced
from bot.langsmith import LangSmithTracker
from bot.langsmith.connection import WEB_HOST
from tests.bot.langsmith.things import copy, experiment, experiment_row, feedback, trace
from tests.kits.deep_json import DEEP
from tests.kits.langsmith_server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY
from tests.kits.langsmith_server.state import WORKSPACE

Verb = Callable[[LangSmithTracker, str], Awaitable[object]]
DATASET_VERBS: dict[str, Verb] = {
    "put_rows": lambda tracker, dataset: tracker.put_rows(dataset, [copy("a", "人事"), copy("b")]),
    "withdraw_rows": lambda tracker, dataset: tracker.withdraw_rows(dataset, ["a"], erase=True),
    "freeze": lambda tracker, dataset: tracker.freeze(dataset, "ft-1", ["a"]),
    "edits": lambda tracker, dataset: tracker.edits(dataset, None),
    "experiment": lambda tracker, dataset: tracker.experiment(experiment(dataset), [experiment_row("a")]),
    "conclude": lambda tracker, dataset: tracker.conclude(experiment(dataset), {"accuracy": 1.0}),
}
VERBS: dict[str, Verb] = DATASET_VERBS | {
    "check": lambda tracker, _: tracker.check(),
    "dataset": lambda tracker, _: tracker.dataset(),
    "trace": lambda tracker, _: tracker.trace([trace("q1"), trace("q2")]),
    "say": lambda tracker, _: tracker.say(feedback(trace("q0"))),
    "annotations": lambda tracker, _: tracker.annotations(None),
    "forget": lambda tracker, _: tracker.forget(None, Traced(traces=(str(trace("q1").id),))),
    "remembers": lambda tracker, _: tracker.remembers(None, Traced(traces=(str(trace("q1").id),))),
}
SECONDS = 0.4
"""Deadline of a request that gets no answer, in seconds."""
LONG_SECONDS = 20.0
"""Deadline of any other request, in seconds, enough for a busy machine. The SDK alone would retry for minutes."""
FAULTS = {
    "429": ServerFault(429, headers={"retry-after": "7"}),
    "500": ServerFault(500),
    "502": ServerFault(502, body="<html>bad gateway</html>"),
    "503": ServerFault(503, headers={"retry-after": "Fri, 31 Dec 2027 23:59:59 GMT"}),
    "408": ServerFault(408),
    "lost": ServerFault(lost=True),
    "half": ServerFault(half=True),
    "late": ServerFault(200, wait_s=SECONDS + 0.2),
    "black hole": ServerFault(silent=True),
}
UNREADABLE = {
    "html": ServerFault(200, body="<html>login</html>"),
    "another shape": ServerFault(200, body=[{"id": 1}]),
    **{f"deep {levels}": ServerFault(200, json=deep) for levels, deep in DEEP.items()},
    **{f"deep {levels}, 500": ServerFault(500, json=deep) for levels, deep in DEEP.items()},
}


@contextmanager
def short_deadline(tracker: LangSmithTracker, fault: str) -> Iterator[None]:
    """Shorten the deadline if the fault leaves requests without an answer."""
    session = tracker._connection.session
    if fault in {"late", "black hole"}:
        session._seconds = SECONDS
    yield
    session._seconds = LONG_SECONDS


async def working_tracker(server: LangSmithServer, seconds: float = LONG_SECONDS) -> tuple[LangSmithTracker, str]:
    """Return a tracker that has already sent data, and the id of its dataset."""
    tracker = LangSmithTracker(KEY, "madoguchi", endpoint=server.url, seconds=seconds)
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a")])
    await tracker.trace([trace("q0")])
    return tracker, dataset


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS)
async def test_transient_fault_raises_tracker_down_then_recovers(
    langsmith: LangSmithServer, verb: str, fault: str
) -> None:
    tracker, dataset = await working_tracker(langsmith)
    langsmith.fail(FAULTS[fault])
    with short_deadline(tracker, fault), pytest.raises(TrackerDown) as down:
        async with asyncio.timeout(LONG_SECONDS):
            await VERBS[verb](tracker, dataset)
    assert down.value.after == (timedelta(seconds=7) if fault == "429" else None)
    langsmith.heal()
    await VERBS[verb](tracker, dataset)
    await tracker.aclose()


@pytest.mark.parametrize("fault", ["500", "black hole", "429"])
@pytest.mark.parametrize("verb", VERBS)
async def test_failed_first_contact_is_tried_again(langsmith: LangSmithServer, verb: str, fault: str) -> None:
    """After a failed /info, the SDK alone would assume an old server until the process ends."""
    _, dataset = await working_tracker(langsmith)
    tracker = LangSmithTracker(KEY, "madoguchi", endpoint=langsmith.url, seconds=LONG_SECONDS)
    langsmith.fail(FAULTS[fault])
    with short_deadline(tracker, fault), pytest.raises(TrackerDown):
        await VERBS[verb](tracker, dataset)
    langsmith.heal()
    await VERBS[verb](tracker, dataset)
    assert not [got for got in langsmith.requests if got.route.endswith("/examples/bulk")]
    await tracker.aclose()


@pytest.mark.parametrize("fault", UNREADABLE)
@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"trace", "say", "withdraw_rows"}))
async def test_malformed_answer_raises_tracker_down(langsmith: LangSmithServer, verb: str, fault: str) -> None:
    """The methods that are left out read only the status of an answer."""
    tracker, dataset = await working_tracker(langsmith)
    langsmith.fail(UNREADABLE[fault], on="GET|POST /(datasets|sessions|runs/query)")
    if verb == "check" and (fault == "another shape" or (fault.startswith("deep") and "500" not in fault)):
        await tracker.aclose()
        return
    with pytest.raises(TrackerDown):
        await VERBS[verb](tracker, dataset)
    await tracker.aclose()


async def test_unreachable_address_raises_tracker_down() -> None:
    tracker = LangSmithTracker(KEY, "madoguchi", endpoint="http://127.0.0.1:9", seconds=SECONDS)
    for verb in VERBS.values():
        with pytest.raises(TrackerDown):
            await verb(tracker, WORKSPACE)
    await tracker.aclose()


async def refusal_reason(
    server: LangSmithServer, verb: str, key: str = KEY, workspace: str | None = None
) -> TrackerReason:
    tracker = LangSmithTracker(key, "madoguchi", endpoint=server.url, workspace=workspace, seconds=LONG_SECONDS)
    with pytest.raises(TrackerRefused) as refused:
        await VERBS[verb](tracker, server.datasets.named("madoguchi").id)
    await tracker.aclose()
    return refused.value.reason


@pytest.mark.parametrize("verb", VERBS)
async def test_refused_access_names_key_or_workspace(langsmith: LangSmithServer, verb: str) -> None:
    tracker, _ = await working_tracker(langsmith)
    await tracker.aclose()
    assert await refusal_reason(langsmith, verb, key="wrong") is TrackerReason.WRONG_KEY
    other = WORKSPACE.replace("1", "2")
    assert await refusal_reason(langsmith, verb, workspace=other) is TrackerReason.WRONG_WORKSPACE
    langsmith.keys[KEY] = {WORKSPACE}
    assert await refusal_reason(langsmith, verb) is TrackerReason.WRONG_WORKSPACE
    tracker = LangSmithTracker(KEY, "madoguchi", endpoint=langsmith.url, workspace=WORKSPACE)
    await tracker.check()
    await tracker.aclose()


@pytest.mark.parametrize("fault", [ServerFault(404), ServerFault(200, body=[1]), ServerFault(200, body={"a": 1})])
async def test_address_of_another_service_is_refused(langsmith: LangSmithServer, fault: ServerFault) -> None:
    tracker = LangSmithTracker(KEY, "madoguchi", endpoint=langsmith.url, seconds=LONG_SECONDS)
    langsmith.fail(fault)
    with pytest.raises(TrackerRefused) as refused:
        await tracker.check()
    assert refused.value.reason is TrackerReason.WRONG_ADDRESS
    await tracker.aclose()


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("verb", ["put_rows", "trace", "say"])
async def test_refused_data_raises_not_taken(langsmith: LangSmithServer, verb: str, status: int) -> None:
    tracker, dataset = await working_tracker(langsmith)
    langsmith.fail(ServerFault(status, body={"detail": "有給は何日前？ is too long"}), on="POST|PATCH")
    with pytest.raises(TrackerRefused) as refused:
        await VERBS[verb](tracker, dataset)
    assert refused.value.reason is TrackerReason.NOT_TAKEN
    await tracker.aclose()


@pytest.mark.parametrize("fault", [*FAULTS, "echo", "wrong key"])
async def test_errors_and_logs_hold_no_secrets(
    langsmith: LangSmithServer, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """The SDK's own messages quote the answer and a part of the key."""
    caplog.set_level(logging.DEBUG)
    tracker, dataset = await working_tracker(langsmith)
    echo = ServerFault(422, body={"detail": f"有給は何日前？ {KEY}"})
    wrong = ServerFault(401, body={"detail": f"{KEY} is no key"})
    langsmith.fail({"echo": echo, "wrong key": wrong}.get(fault) or FAULTS[fault])
    messages = []
    for verb in VERBS.values():
        with short_deadline(tracker, fault), pytest.raises(TrackerError) as error:
            await verb(tracker, dataset)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__
        messages.append(str(error.value))
    written = json.dumps(messages, ensure_ascii=False) + caplog.text
    assert KEY[:5] not in written
    assert "有給" not in written
    assert not [record for record in caplog.records if record.name.startswith("langsmith")]
    await tracker.aclose()


@pytest.mark.parametrize("verb", VERBS)
async def test_event_loop_is_never_blocked(langsmith: LangSmithServer, verb: str) -> None:
    """Other tasks run on while a method waits for a server that never answers."""
    tracker, dataset = await working_tracker(langsmith)
    langsmith.fail(FAULTS["black hole"])
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with short_deadline(tracker, "black hole"), pytest.raises(TrackerDown):
        await VERBS[verb](tracker, dataset)
    ticking.cancel()
    assert ticks > 10
    await tracker.aclose()


async def test_slow_trickle_of_bytes_meets_the_deadline(langsmith: LangSmithServer) -> None:
    """A socket's timeout covers a single read, and this server sends a byte before each timeout."""
    dripping: set[asyncio.StreamWriter] = set()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dripping.add(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tracker = LangSmithTracker(KEY, "madoguchi", endpoint=f"http://127.0.0.1:{port}", seconds=SECONDS)
    with pytest.raises(TrackerDown):
        async with asyncio.timeout(LONG_SECONDS):
            await tracker.check()
    await tracker.aclose()
    server.close()
    for writer in dripping:
        writer.close()
        await writer.wait_closed()


async def test_close_cancels_requests_under_way(langsmith: LangSmithServer) -> None:
    tracker, dataset = await working_tracker(langsmith, seconds=60)
    langsmith.fail(FAULTS["black hole"])
    waiting = [asyncio.ensure_future(verb(tracker, dataset)) for verb in VERBS.values()]
    await asyncio.sleep(0.2)
    async with asyncio.timeout(LONG_SECONDS):
        await tracker.aclose()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, TrackerDown) for one in outcomes)
    with pytest.raises(TrackerDown):
        await tracker.check()
    await tracker.aclose()


@pytest.mark.parametrize(
    ("host", "is_web"),
    [
        ("smith.langchain.com", True),
        ("eu.smith.langchain.com", True),
        ("api.smith.langchain.com", False),
        ("eu.api.smith.langchain.com", False),
        ("langsmith.example.com", False),
    ],
)
def test_hosts_of_web_pages_are_known(host: str, *, is_web: bool) -> None:
    assert bool(WEB_HOST.fullmatch(host)) is is_web
