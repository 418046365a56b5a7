"""What is counted and measured while the playground runs, for Prometheus. Rooms report facts; this file names them.

Every label has few values, all known to the program: parts of the site, statuses, codes of errors, categories, and ids
of the catalogue's models (the first `MOST_MODELS` that were asked; then `other`). There are no other ids, no names of
people, and no words. Times are in seconds, memory in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from playground.chat.answering import Answered
from playground.domain import Direction, Verdict
from playground.engines.pool import LoadedModel

M = TypeVar("M", Counter, Histogram)

MOST_MODELS = 200
_WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_LOOKS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
_SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where figures are read when they are asked for: costs nothing in between.

    `line` is how many answers are being written and how many wait; `loaded` what the engines run; `restarts` how often
    the worker of each model ended and was started again.
    """

    line: Callable[[], tuple[int, int]]
    loaded: Callable[[], Iterable[LoadedModel]]
    restarts: Callable[[], Mapping[str, int]]


class Metrics:
    """The figures of one playground. Safe to use from many threads; nothing here raises or waits."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._models: dict[str, str] = {}
        self._children: dict[tuple[object, ...], Any] = {}
        self._measure_requests()
        self._measure_answers()
        self._measure_gate()
        self._storage_errors = self._counter("storage_errors", "Database errors, by the database's own name.", "error")

    def watch(self, sources: Sources) -> None:
        """Read these as well when figures are asked for."""
        self._registry.register(_Pulled(sources, self._model))

    def told(self, accept: str = "") -> tuple[bytes, str]:
        """Everything, in the form that an Accept header asks for, and its content type."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def began(self) -> None:
        """A request came in."""
        self._in_progress.inc()

    def ended(self, part: str, method: str, status: int, seconds: float) -> None:
        """A request was answered (`status` 0: it was not, for the client had gone), its last byte after `seconds`."""
        self._in_progress.dec()
        self._child(self._requests, part, method, str(status)).inc()
        self._child(self._request_seconds, part).observe(seconds)

    def answered(self, answer: Answered) -> None:
        """A run has ended."""
        model = self._model(answer.model_id)
        self._child(self._answers, model, answer.outcome).inc()
        usage, timings = answer.usage, answer.timings
        for kind, count in (
            ("prompt", usage.prompt_tokens),
            ("cached", usage.cached_tokens),
            ("completion", usage.completion_tokens),
        ):
            self._child(self._tokens, model, kind).inc(count)
        self._queue_seconds.observe(timings.queued)
        if answer.first_token is not None:
            self._child(self._first_token, model).observe(answer.first_token)
        if answer.first_text is not None:
            self._child(self._first_text, model).observe(answer.first_text)
        speed = timings.tokens_per_second(usage.completion_tokens)
        if speed is not None:
            self._child(self._speed, model).observe(speed)

    def screened(self, direction: Direction, seconds: float) -> None:
        """The gate looked at a text, or at some more of a stream."""
        self._child(self._gate_seconds, direction.value).observe(seconds)

    def decided(self, verdict: Verdict) -> None:
        """The gate had something to say."""
        found = verdict.decisive
        category = "unavailable" if verdict.unavailable else found.finding.category if found is not None else "none"
        detector = found.finding.detector if found is not None else "none"
        self._child(self._decisions, verdict.direction.value, verdict.action.value, category, detector).inc()

    def storage_failed(self, name: str) -> None:
        """The database could not do its work."""
        self._child(self._storage_errors, name).inc()

    def _measure_requests(self) -> None:
        self._requests = self._counter("http_requests", "Requests answered.", "part", "method", "status")
        self._request_seconds = self._histogram("http_request_seconds", "Until the last byte was sent.", _WAITS, "part")
        self._in_progress = Gauge(
            "playground_http_requests_in_progress", "Requests not yet answered.", registry=self._registry
        )

    def _measure_answers(self) -> None:
        self._answers = self._counter("answers", "Answers, by how they ended.", "model", "outcome")
        self._tokens = self._counter("tokens", "Tokens; those cached are among the prompt's.", "model", "kind")
        self._queue_seconds = self._histogram("queue_wait_seconds", "From the question to the engine's turn.", _WAITS)
        self._first_token = self._histogram(
            "first_token_seconds", "From the question to the model's first token.", _WAITS, "model"
        )
        self._first_text = self._histogram(
            "first_text_seconds", "From the question to the first screened text that was shown.", _WAITS, "model"
        )
        self._speed = self._histogram(
            "tokens_per_second", "Decoding speed of one answer, after its first token.", _SPEEDS, "model"
        )

    def _measure_gate(self) -> None:
        self._decisions = self._counter(
            "gate_decisions", "Verdicts that were recorded.", "direction", "action", "category", "detector"
        )
        self._gate_seconds = self._histogram("gate_seconds", "One look at a text or a stream.", _LOOKS, "direction")

    def _child(self, metric: M, *labels: str) -> M:
        """The part of a metric with these labels; it keeps them itself, but takes a lock to find them."""
        known = self._children.get((metric, *labels))
        if known is None:
            known = self._children[metric, *labels] = metric.labels(*labels)
        return cast("M", known)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"playground_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"playground_{name}", text, labels, buckets=buckets, registry=self._registry)

    def _model(self, model_id: str) -> str:
        """The label of a model; ids come from the catalogue, which anybody who adds models can make longer."""
        if model_id not in self._models and len(self._models) >= MOST_MODELS:
            return "other"
        return self._models.setdefault(model_id, model_id)


class _Pulled(Collector):
    """Figures that are there anyway, read when they are asked for."""

    def __init__(self, sources: Sources, label: Callable[[str], str]) -> None:
        self._sources = sources
        self._label = label

    def collect(self) -> Iterator[Metric]:
        """The line, the workers, their memory."""
        running, waiting = self._sources.line()
        yield GaugeMetricFamily("playground_answers_running", "Answers being written.", value=running)
        yield GaugeMetricFamily("playground_queue_length", "Answers that wait for their turn.", value=waiting)
        loaded = list(self._sources.loaded())
        workers = [model for model in loaded if model.pid is not None]
        yield self._by_model(
            "models_loaded", "Models in memory or being loaded.", ((one.model_id, 1) for one in loaded)
        )
        yield self._by_model("workers", "Worker processes.", ((one.model_id, 1) for one in workers))
        memory = ((one.model_id, one.memory_bytes) for one in workers)
        yield self._by_model("worker_memory_bytes", "Resident memory of worker processes.", memory)
        active = ((one.model_id, one.active) for one in loaded)
        yield self._by_model("engine_users", "Answers that hold a model's engine.", active)
        restarts = CounterMetricFamily("playground_worker_restarts", "Workers started again.", labels=["model"])
        for model_id, count in self._sources.restarts().items():
            restarts.add_metric([self._label(model_id)], count)
        yield restarts

    def _by_model(self, name: str, text: str, values: Iterable[tuple[str, float]]) -> Metric:
        summed: dict[str, float] = {}
        for model_id, value in values:  # the same model may be loaded as a guard, too
            label = self._label(model_id)
            summed[label] = summed.get(label, 0) + value
        family = GaugeMetricFamily(f"playground_{name}", text, labels=["model"])
        for label, value in summed.items():
            family.add_metric([label], value)
        return family
