"""Figures: what is reported arrives, under few labels, in both of Prometheus' forms."""

from __future__ import annotations

import re

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from playground.chat.answering import Answered
from playground.domain import Action, Direction, Finding, Ruling, Timings, Usage, Verdict
from playground.engines.pool import LoadedModel
from playground.metrics import MOST_MODELS, Metrics, Sources

ANSWER = Answered("pip", "stop", Usage(10, 21, 4), Timings(0.02, 0.1, 2.0), 0.15, 0.4)


def values(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and labels."""
    content, kind = metrics.told()
    assert kind.startswith("text/plain")
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in parse(content.decode())
        for sample in family.samples
    }


def test_an_answer_is_counted_and_measured() -> None:
    metrics = Metrics()
    metrics.answered(ANSWER)
    metrics.answered(Answered("pip", "worker_died", Usage(), Timings(), None, None))
    told = values(metrics)
    assert told["playground_answers_total model=pip outcome=stop"] == 1
    assert told["playground_answers_total model=pip outcome=worker_died"] == 1
    assert [told[f"playground_tokens_total kind={kind} model=pip"] for kind in ("prompt", "cached", "completion")] == [
        10,
        4,
        21,
    ]
    assert told["playground_first_token_seconds_sum model=pip"] == 0.15
    assert told["playground_first_text_seconds_count model=pip"] == 1
    assert told["playground_tokens_per_second_sum model=pip"] == 10
    assert told["playground_queue_wait_seconds_count"] == 2


def test_requests_looks_decisions_and_errors_are_counted() -> None:
    metrics = Metrics()
    metrics.began()
    assert values(metrics)["playground_http_requests_in_progress"] == 1
    metrics.ended("api.chat", "POST", 200, 0.3)
    metrics.screened(Direction.OUTPUT, 0.0002)
    finding = Finding("slur", 0.9, (0, 3), "words", "1")
    metrics.decided(Verdict(Direction.INPUT, Action.BLOCK, (Ruling(finding, Action.BLOCK, 0.5),)))
    metrics.decided(Verdict(Direction.OUTPUT, Action.BLOCK, unavailable=True, degraded=("words",)))
    metrics.storage_failed("SQLITE_FULL")
    told = values(metrics)
    assert told["playground_http_requests_in_progress"] == 0
    assert told["playground_http_requests_total method=POST part=api.chat status=200"] == 1
    assert told["playground_gate_seconds_count direction=output"] == 1
    decided = "playground_gate_decisions_total action=block"
    assert told[f"{decided} category=slur detector=words direction=input"] == 1
    assert told[f"{decided} category=unavailable detector=none direction=output"] == 1
    assert told["playground_storage_errors_total error=SQLITE_FULL"] == 1


def test_what_is_there_anyway_is_read_when_it_is_asked_for() -> None:
    metrics = Metrics()
    loaded = [LoadedModel("pip", "ready", 7, 100, 2), LoadedModel("far", "ready", None, 0, 1)]
    metrics.watch(Sources(lambda: (3, 5), lambda: [*loaded, loaded[0]], lambda: {"pip": 2}))
    told = values(metrics)
    assert (told["playground_answers_running"], told["playground_queue_length"]) == (3, 5)
    assert told["playground_workers model=pip"] == 2
    assert "playground_workers model=far" not in told
    assert told["playground_worker_memory_bytes model=pip"] == 200
    assert told["playground_worker_restarts_total model=pip"] == 2
    assert told["process_resident_memory_bytes"] > 0


def test_models_beyond_the_first_share_a_label() -> None:
    metrics = Metrics()
    for number in range(MOST_MODELS + 50):
        metrics.answered(Answered(f"somebody/model-{number}", "stop", Usage(1, 1), Timings(), 1, 1))
    told = values(metrics)
    names = {found[1] for key in told if (found := re.search(r"model=(\S+)", key))}
    assert len(names) == MOST_MODELS + 1
    assert told["playground_answers_total model=other outcome=stop"] == 50


def test_both_forms_are_told() -> None:
    metrics = Metrics()
    metrics.answered(ANSWER)
    content, kind = metrics.told("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert {family.name for family in parse_open(content.decode())} > {"playground_answers", "process_cpu_seconds"}
