"""Metrics for Prometheus, and spans at a collector that speaks OTLP over HTTP."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.app.telemetry import FLUSH_SECONDS, MeteredModel, Telemetry
from bot.domain.errors import ModelDown, ModelRefused
from bot.domain.question import Ending
from bot.domain.release import ModelName
from bot.ports import Store
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.running_server import port_of, running_server
from tests.kits.slack_desk import PROMPT
from tests.storage.things import arrival

MODEL = ModelName.parse("local/base")
TEXT = "how do I get a laptop for my secret project"


def figures(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and label values."""
    families = text_string_to_metric_families(telemetry.text().decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_questions_are_counted_by_ending_only_answers_timed() -> None:
    telemetry = Telemetry("1")
    assert figures(telemetry)["madoguchi_questions_total", "failed"] == 0
    telemetry.ended(Ending.ANSWERED, 1.5)
    telemetry.ended(Ending.ANSWERED, 300)
    telemetry.ended(Ending.IGNORED, 0.1)
    telemetry.acked(0.02)
    found = figures(telemetry)
    assert found["madoguchi_questions_total", "answered"] == 2
    assert found["madoguchi_questions_total", "ignored"] == 1
    assert found["madoguchi_answer_seconds_count",] == 2
    assert found["madoguchi_answer_seconds_bucket", "2.0"] == 1
    assert found["madoguchi_ack_seconds_sum",] == pytest.approx(0.02)


async def test_model_calls_are_timed_and_tokens_counted() -> None:
    telemetry, rules = Telemetry("1"), RuleModel({"laptop": "it"})
    model = MeteredModel(rules, telemetry)
    answer = await model.classify(MODEL, PROMPT, TEXT)
    assert answer.category == "it"
    assert await model.reason(MODEL, PROMPT, TEXT, "it")
    rules.fail(1, ModelDown("down"))
    rules.fail(1, ModelRefused("no"))
    for error in (ModelDown, ModelRefused):
        with pytest.raises(error):
            await model.classify(MODEL, PROMPT, TEXT)
    found = figures(telemetry)
    for outcome, calls in {"answered": 2, "down": 1, "refused": 1}.items():
        assert found["madoguchi_model_seconds_count", "local/base", outcome] == calls
    assert found["madoguchi_model_tokens_total", "in", "local/base"] == answer.tokens_in
    assert found["madoguchi_model_tokens_total", "out", "local/base"] == answer.tokens_out
    assert TEXT not in telemetry.text().decode()


async def test_database_figures_are_read_or_nan(store: Store) -> None:
    telemetry, clock = Telemetry("1"), StepClock()
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(), clock.now())
        await tx.outbox.add("card", "q1", {}, clock.now())
        await tx.leases.acquire("follow", "r1", clock.now(), timedelta(minutes=1))
    clock.advance(seconds=7)
    await telemetry.read(store, clock)
    found = figures(telemetry)
    assert found["madoguchi_inbox_open",] == 1
    assert found["madoguchi_inbox_age_seconds",] == 7
    assert found["madoguchi_outbox_open",] == 1
    assert found["madoguchi_outbox_lag_seconds",] == 7
    assert found["madoguchi_lease_held", "follow"] == 1
    clock.advance(minutes=2)
    await telemetry.read(store, clock)
    assert ("madoguchi_lease_held", "follow") not in figures(telemetry), "the lease expired"
    with pytest.raises(AttributeError):
        await telemetry.read(None, clock)  # type: ignore[arg-type]  # no database
    assert figures(telemetry)["madoguchi_inbox_open",] != figures(telemetry)["madoguchi_inbox_open",], "not a number"


class Collector:
    """An OpenTelemetry collector that keeps the spans and answers after `wait_s` seconds."""

    def __init__(self, wait_s: float = 0.0) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.raw = b""
        self._wait_s = wait_s
        self.url = ""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(self._wait_s)
        self.raw += body
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        return Response(b"", media_type="application/x-protobuf")

    @property
    def spans(self) -> Iterator[Span]:
        for request in self.requests:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = Starlette(routes=[Route("/v1/traces", self.take, methods=["POST"])])
        async with running_server(app) as server:
            self.url = f"http://127.0.0.1:{port_of(server)}"
            yield


async def test_nested_spans_have_ids_and_no_text() -> None:
    collector = Collector()
    async with collector.running():
        telemetry, rules = Telemetry("1.2.3", collector.url), RuleModel({"laptop": "it"})
        model = MeteredModel(rules, telemetry)
        with telemetry.span("question", question="q1"):
            with telemetry.span("classify", question="q1", release="r1"):
                await model.classify(MODEL, PROMPT, TEXT)
            with pytest.raises(ValueError, match=TEXT), telemetry.span("post", question="q1"):
                raise ValueError(TEXT)
        await telemetry.aclose()
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"question", "classify", "model", "post"}
    question, classify = spans["question"], spans["classify"]
    assert not question.parent_span_id
    assert classify.parent_span_id == spans["post"].parent_span_id == question.span_id
    assert spans["model"].parent_span_id == classify.span_id
    assert len({span.trace_id for span in spans.values()}) == 1
    attributes = {a.key: a.value.string_value for a in classify.attributes}
    assert attributes == {"question": "q1", "release": "r1"}
    assert (spans["post"].status.code, spans["post"].status.message) == (2, "ValueError")
    resource = {a.key: a.value.string_value for a in collector.requests[0].resource_spans[0].resource.attributes}
    assert (resource["service.name"], resource["service.version"]) == ("madoguchi", "1.2.3")
    assert TEXT.encode() not in collector.raw


async def test_hanging_collector_delays_neither_work_nor_exit() -> None:
    collector, before = Collector(wait_s=60), set(threading.enumerate())
    async with collector.running():
        telemetry = Telemetry("1", collector.url)
        started = time.perf_counter()
        for n in range(5_000):  # more than the queue holds
            with telemetry.span("question", question=str(n)):
                pass
        assert time.perf_counter() - started < 20, "no span waits for the collector, but a machine may be busy"
        started = time.perf_counter()
        await telemetry.aclose()
        assert time.perf_counter() - started < FLUSH_SECONDS + 0.5
    # The other threads must end soon, too: they would log into other tests.
    for thread in set(threading.enumerate()) - before:
        if not thread.name.startswith("asyncio"):
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
