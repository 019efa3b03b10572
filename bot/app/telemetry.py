"""What is measured: metrics for Prometheus, and traces for OpenTelemetry where a collector is named."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracer, StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from bot.domain.errors import ModelDown, ModelError
from bot.domain.prompt import Prompt
from bot.domain.question import Ending
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer, Clock, Model, Store

EXPORT_SECONDS = 5
"""For one request to the collector. Answers never wait for it: spans go out from a thread and a bounded queue."""
FLUSH_SECONDS = 2.0
"""How long the end of the program waits for the last spans."""
ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Slack waits three seconds."""
ANSWER_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 600.0, 3600.0)
MODEL_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
NOT_KNOWN = float("nan")


class Telemetry:
    """The meter of one process.

    What it counts and times is this process's own, to be summed over replicas; what it reads from the database is the
    same at each of them. No text that a person or a model wrote may be given to it.

    Args:
        version: of this program.
        collector: the base address of an OTLP/HTTP collector, to which `/v1/traces` is added; None: no traces.
    """

    def __init__(self, version: str, collector: str | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._questions = Counter("madoguchi_questions", "Arrivals by how they ended.", ["ending"], registry=registry)
        for ending in Ending:
            self._questions.labels(ending.value)  # a series that is not there yet cannot be told from one that is lost
        self._ack = Histogram(
            "madoguchi_ack_seconds", "From a delivery of Slack's to its ack.", buckets=ACK_BUCKETS, registry=registry
        )
        self._answer = Histogram(
            "madoguchi_answer_seconds",
            "From the receipt of a question to its card.",
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        self._model = Histogram(
            "madoguchi_model_seconds",
            "One call of a model, with the retries of its SDK.",
            ["model", "outcome"],
            buckets=MODEL_BUCKETS,
            registry=registry,
        )
        self._tokens = Counter("madoguchi_model_tokens", "Tokens used.", ["model", "direction"], registry=registry)
        self._ready = Gauge("madoguchi_ready", "Whether a part is ready, 1 or 0.", ["part"], registry=registry)
        self._circuits = Gauge(
            "madoguchi_circuit_open", "1 while a provider is left alone.", ["provider"], registry=registry
        )
        self._record = _Record(registry)
        self._tracing = _exporting(version, collector) if collector else None
        self._tracer = self._tracing.get_tracer("madoguchi") if self._tracing else NoOpTracer()

    @contextmanager
    def span(self, name: str, **ids: str) -> Iterator[None]:
        """Trace what happens within the block, under whatever is traced around it."""
        # The message of an exception may hold what a person wrote, so only its name is told.
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

    def acked(self, seconds: float) -> None:
        self._ack.observe(seconds)

    @contextmanager
    def asking(self, name: ModelName) -> Iterator[list[Answer]]:
        """Time and trace one call of a model; the answer, where there is one, is put into the list."""
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

    def parts(self, ready: Mapping[str, bool]) -> None:
        """What is ready and what is not, as last asked."""
        for part, yes in ready.items():
            self._ready.labels(part).set(yes)

    def circuits(self, opened: Mapping[str, bool]) -> None:
        """Which providers are left alone."""
        for provider, yes in opened.items():
            self._circuits.labels(provider).set(yes)

    def watch_socket(self, age: Callable[[], float], silence: Callable[[], float]) -> None:
        """Show the socket's age, and how long ago Slack's last pong came, in seconds."""
        Gauge("madoguchi_socket_age_seconds", "Since the socket was opened.", registry=self._registry).set_function(age)
        Gauge(
            "madoguchi_socket_silence_seconds", "Since the last pong of Slack's.", registry=self._registry
        ).set_function(silence)

    async def read(self, store: Store, clock: Clock) -> None:
        """Read what stands in the database. Where it cannot be read, those figures are not a number."""
        self._record.forget()
        async with store.transaction() as tx:
            inbox, outbox = await tx.inbox.depth(clock.now()), await tx.outbox.lag(clock.now())
            leases = [held.name for held in await tx.leases.all() if held.until > clock.now()]
        self._record.inbox.set(inbox[0])
        self._record.inbox_age.set(inbox[1].total_seconds())
        self._record.outbox.set(outbox[0])
        self._record.outbox_lag.set(outbox[1].total_seconds())
        for name in leases:
            self._record.leases.labels(name).set(1)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    async def aclose(self) -> None:
        """Send the last spans, for `FLUSH_SECONDS` at most: a collector that hangs holds up no exit."""
        if self._tracing:
            # A thread that no interpreter waits for at its end, unlike those of the event loop's pool.
            flushing = threading.Thread(target=self._tracing.shutdown, daemon=True)
            flushing.start()
            await asyncio.to_thread(flushing.join, FLUSH_SECONDS)


class _Record:
    """Gauges of what stands in the database."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.inbox = Gauge("madoguchi_inbox_open", "Arrivals that have not ended.", registry=registry)
        self.inbox_age = Gauge("madoguchi_inbox_age_seconds", "The age of the oldest open arrival.", registry=registry)
        self.outbox = Gauge("madoguchi_outbox_open", "What must still be told to the outside.", registry=registry)
        self.outbox_lag = Gauge("madoguchi_outbox_lag_seconds", "The age of the oldest of it.", registry=registry)
        self.leases = Gauge("madoguchi_lease_held", "1 for each lease that is held.", ["name"], registry=registry)

    def forget(self) -> None:
        for gauge in (self.inbox, self.inbox_age, self.outbox, self.outbox_lag):
            gauge.set(NOT_KNOWN)
        self.leases.clear()


def _exporting(version: str, collector: str) -> TracerProvider:
    resource = Resource.create({"service.name": "madoguchi", "service.version": version})
    # Its own handler at the exit would wait for a collector that hangs; `aclose` does it within a time.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{collector.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class MeteredModel:
    """A model whose every call is timed, counted and traced, whoever makes it."""

    def __init__(self, model: Model, meter: Telemetry) -> None:
        self._model = model
        self._meter = meter

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        with self._meter.asking(model) as answers:
            answers.append(await self._model.classify(model, prompt, text, examples))
        return answers[0]

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        with self._meter.asking(model):
            return await self._model.reason(model, prompt, text, category)
