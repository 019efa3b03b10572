"""Metrics for Prometheus, and traces for OpenTelemetry if a collector is configured."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from bot.domain.errors import ModelDown, ModelError
from bot.domain.prompt import Prompt
from bot.domain.question import Ending
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer, Clock, Model, Store

if TYPE_CHECKING:  # loaded only if a collector is configured
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from requests.adapters import HTTPAdapter

EXPORT_SECONDS = 5
"""Deadline of one request to the collector, in seconds. Spans leave from a bounded queue in a thread of their own."""
FLUSH_SECONDS = 2.0
"""Longest wait for the last spans when the program ends, in seconds."""
ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Bounds of the ack histogram, in seconds; Slack waits three seconds for an ack."""
ANSWER_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 600.0, 3600.0)
MODEL_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
NOT_KNOWN = float("nan")


class Telemetry:
    """The metrics and traces of one process.

    Counters and histograms belong to this process and can be summed over replicas. Figures read from the database are
    the same on every replica. No text by a person or a model may be passed in.

    Args:
        version: The program's version.
        collector: Base address of an OTLP/HTTP collector, to which `/v1/traces` is appended; None sends no traces.
        adapter: Replaces the HTTP adapter for the collector, as to trust other certificate authorities.
    """

    def __init__(self, version: str, collector: str | None = None, adapter: "HTTPAdapter | None" = None) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._questions = Counter("madoguchi_questions", "Arrivals by how they ended.", ["ending"], registry=registry)
        for ending in Ending:
            self._questions.labels(ending.value)  # starts at 0: a series that is missing may as well be lost
        self._limited = Counter(
            "madoguchi_questions_limited",
            "Questions that were not taken up, because their askers had asked too many within the hour.",
            registry=registry,
        )
        self._ack = Histogram(
            "madoguchi_ack_seconds", "Time from Slack's delivery to its ack.", buckets=ACK_BUCKETS, registry=registry
        )
        self._answer = Histogram(
            "madoguchi_answer_seconds",
            "Time from the receipt of a question to its card.",
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        self._model = Histogram(
            "madoguchi_model_seconds",
            "Duration of one model call, with the retries of its SDK.",
            ["model", "outcome"],
            buckets=MODEL_BUCKETS,
            registry=registry,
        )
        self._tokens = Counter("madoguchi_model_tokens", "Tokens used.", ["model", "direction"], registry=registry)
        self._ready = Gauge("madoguchi_ready", "Whether a part is ready, 1 or 0.", ["part"], registry=registry)
        self._circuits = Gauge(
            "madoguchi_circuit_open", "1 while the circuit of a provider is open.", ["provider"], registry=registry
        )
        self._stored = _DatabaseGauges(registry)
        self._exporter = _span_exporter(collector, adapter) if collector else None
        self._tracing = _tracer_provider(version, self._exporter) if self._exporter else None
        self._tracer = self._tracing.get_tracer("madoguchi") if self._tracing else None

    @contextmanager
    def span(self, name: str, **ids: str) -> Iterator[None]:
        """Trace the block as a span, inside the current span if there is one."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace import StatusCode

        # An exception's message may quote a person, so only its type is recorded.
        with self._tracer.start_as_current_span(
            name, attributes=ids, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    def ended(self, ending: Ending, seconds: float) -> None:
        self._questions.labels(ending.value).inc()
        if ending is Ending.ANSWERED:
            self._answer.observe(seconds)

    def limited(self) -> None:
        self._limited.inc()

    def acked(self, seconds: float) -> None:
        self._ack.observe(seconds)

    @contextmanager
    def model_call(self, name: ModelName) -> Iterator[list[Answer]]:
        """Time and trace one model call.

        Yields:
            A list that the caller puts the answer into; its tokens are counted.
        """
        answers: list[Answer] = []
        model, outcome, started = str(name), "cancelled", time.perf_counter()
        try:
            with self.span("model", model=model):
                yield answers
            outcome = "answered"
        except ModelError as error:
            outcome = "down" if isinstance(error, ModelDown) else "refused"
            raise
        finally:
            self._model.labels(model, outcome).observe(time.perf_counter() - started)
            for answer in answers:
                self._tokens.labels(model, "in").inc(answer.tokens_in)
                self._tokens.labels(model, "out").inc(answer.tokens_out)

    def record_parts(self, ready: Mapping[str, bool]) -> None:
        """Record which parts are ready."""
        for part, is_ready in ready.items():
            self._ready.labels(part).set(is_ready)

    def record_circuits(self, opened: Mapping[str, bool]) -> None:
        """Record which providers have an open circuit."""
        for provider, is_open in opened.items():
            self._circuits.labels(provider).set(is_open)

    def watch_socket(self, age: Callable[[], float], silence: Callable[[], float]) -> None:
        """Export the socket's age and the time since Slack's last pong, both in seconds."""
        Gauge(
            "madoguchi_socket_age_seconds", "Time since the socket was opened.", registry=self._registry
        ).set_function(age)
        Gauge(
            "madoguchi_socket_silence_seconds", "Time since Slack's last pong.", registry=self._registry
        ).set_function(silence)

    async def read(self, store: Store, clock: Clock) -> None:
        """Read the figures of the database. If that fails, these figures are NaN."""
        self._stored.forget()
        async with store.transaction() as tx:
            inbox, outbox = await tx.inbox.depth(clock.now()), await tx.outbox.lag(clock.now())
            leases = [held.name for held in await tx.leases.all() if held.until > clock.now()]
        self._stored.inbox.set(inbox[0])
        self._stored.inbox_age.set(inbox[1].total_seconds())
        self._stored.outbox.set(outbox[0])
        self._stored.outbox_lag.set(outbox[1].total_seconds())
        for name in leases:
            self._stored.leases.labels(name).set(1)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    async def aclose(self) -> None:
        """Send the last spans within FLUSH_SECONDS, so that a hanging collector does not delay the exit."""
        if self._tracing and self._exporter:
            # The interpreter waits at exit for threads of the event loop's pool, but not for a daemon.
            flushing = threading.Thread(target=self._tracing.shutdown, daemon=True)
            flushing.start()
            await asyncio.to_thread(flushing.join, FLUSH_SECONDS)
            if flushing.is_alive():
                # Otherwise it would go on trying, and logging, in the background.
                self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK has no types here


class _DatabaseGauges:
    """Gauges of the figures of the database."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.inbox = Gauge("madoguchi_inbox_open", "Arrivals that have not ended.", registry=registry)
        self.inbox_age = Gauge("madoguchi_inbox_age_seconds", "The age of the oldest open arrival.", registry=registry)
        self.outbox = Gauge("madoguchi_outbox_open", "Entries still to be sent to the outside.", registry=registry)
        self.outbox_lag = Gauge(
            "madoguchi_outbox_lag_seconds", "The age of the oldest entry to be sent.", registry=registry
        )
        self.leases = Gauge("madoguchi_lease_held", "1 for each lease that is held.", ["name"], registry=registry)

    def forget(self) -> None:
        for gauge in (self.inbox, self.inbox_age, self.outbox, self.outbox_lag):
            gauge.set(NOT_KNOWN)
        self.leases.clear()


def _span_exporter(collector: str, adapter: "HTTPAdapter | None") -> "OTLPSpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from requests import Session

    session = None
    if adapter:
        session = Session()
        session.mount(collector, adapter)
    return OTLPSpanExporter(endpoint=f"{collector.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS, session=session)


def _tracer_provider(version: str, exporter: "OTLPSpanExporter") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "madoguchi", "service.version": version})
    # The SDK's own exit handler would wait for a hanging collector; `aclose` has a deadline.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class MeteredModel:
    """A model whose every call is timed, counted and traced."""

    def __init__(self, model: Model, meter: Telemetry) -> None:
        self._model = model
        self._meter = meter

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        with self._meter.model_call(model) as answers:
            answers.append(await self._model.classify(model, prompt, text, examples, explain=explain))
        return answers[0]

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        with self._meter.model_call(model):
            return await self._model.reason(model, prompt, text, category)
