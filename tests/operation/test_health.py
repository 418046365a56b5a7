"""Health, readiness and figures as whoever watches over the process sees them."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from playground.errors import DetectorUnavailable, StorageError
from playground.moderation.registry import DETECTORS
from playground.operation import readiness
from tests.operation.conftest import Watched

READY = {"requests": "ready", "database": "ready", "migrations": "ready", "moderation": "ready", "workers": "ready"}


def at_once(watched: Watched) -> None:
    """Let everything be looked at again."""
    for check in watched.readiness._checks:
        check.until = 0.0


def test_all_is_well(watched: Watched) -> None:
    assert watched.client.get("/healthz").json() == {"status": "ok"}
    answer = watched.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "parts": READY})
    assert answer.headers["cache-control"] == "no-store"


def test_a_locked_database_is_told_and_comes_back(watched: Watched) -> None:
    assert watched.client.get("/readyz").status_code == 200
    other = sqlite3.connect(watched.services.settings.data_dir / "playground.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    at_once(watched)
    answer = watched.client.get("/readyz")
    assert answer.status_code == 503
    assert "Another program keeps the database locked" in answer.json()["parts"]["database"]
    assert "retry-after" in answer.headers
    other.execute("ROLLBACK")
    other.close()
    at_once(watched)
    assert watched.client.get("/readyz").json()["ready"]
    assert 'playground_storage_errors_total{error="SQLITE_BUSY"} 1.0' in watched.figures()


def test_a_full_database_stays_unready_until_something_can_be_written(watched: Watched) -> None:
    """Nothing is written by a look, unless the last write failed: then only a write can tell."""
    database = watched.services.database
    with database.write() as connection:
        connection.execute(text("PRAGMA max_page_count = 1"))  # of this connection: it is full from now on
    with pytest.raises(StorageError, match="The disk is full"), database.write() as connection:
        connection.execute(text("CREATE TABLE more AS SELECT randomblob(100000) AS bytes"))
    at_once(watched)
    assert database._failing
    assert watched.client.get("/readyz").json()["parts"]["database"] == "ready"  # a small write has room
    assert not database._failing


def test_steps_that_are_not_applied_are_told(watched: Watched) -> None:
    with watched.services.database.write() as connection:
        connection.execute(text("DELETE FROM migrations WHERE name LIKE 'm007%'"))
    told = watched.client.get("/readyz").json()["parts"]
    assert told == READY | {"migrations": "The database lacks 1 steps. Start the playground again."}


def _broken() -> None:
    raise DetectorUnavailable("its file /secret/place is gone")


@pytest.mark.parametrize(("unavailable", "ready"), [("block", False), ("degrade", True)])
def test_a_detector_that_cannot_be_made_counts_where_the_policy_blocks(
    watch: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unavailable: str, ready: bool
) -> None:
    monkeypatch.setitem(DETECTORS, "words", _broken)  # type: ignore[misc]
    policy = tmp_path / "policy.toml"
    policy.write_text(f'extends = "standard"\nunavailable = "{unavailable}"\n', encoding="utf-8")
    answer = watch(policy=str(policy)).client.get("/readyz")
    assert (answer.status_code == 200) is ready
    assert ("words" in answer.json()["parts"]["moderation"]) is not ready
    assert "secret" not in answer.text


def test_processes_that_cannot_be_started_are_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "run", refuse)
    told = watched.client.get("/readyz").json()["parts"]["workers"]
    assert told == "No process can be started (BlockingIOError). Check the limits on processes and memory."


def test_looks_are_remembered_for_a_while(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(readiness.time, "monotonic", lambda: 1000.0 + len(looks))
    check = watched.readiness._checks[-1]
    check.look = lambda: looks.append(0)
    check.lasts = 2.0
    for _ in range(10):
        watched.readiness.parts()
    assert len(looks) == 1
    looks += [0, 0]
    watched.readiness.parts()
    assert len(looks) == 4


def test_while_it_ends_nothing_is_taken_but_looks(watched: Watched) -> None:
    watched.ending.begun = True
    assert watched.client.get("/healthz").status_code == 200
    ready = watched.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["parts"]["requests"].startswith("The server is ending")
    refused = watched.here.get("/v1/models")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "closing")
    assert int(refused.headers["retry-after"]) > 0
    page = watched.here.get("/en/")
    assert (page.status_code, page.text.split(".")[0]) == (503, "The server is being restarted")
    assert "playground_http_requests_total" in watched.figures()


def test_figures_are_for_this_machine_and_for_tokens(watch: Callable[..., Watched]) -> None:
    watched = watch(metrics_token="for-figures", operator_token="for-everything")
    assert watched.here.get("/metrics").status_code == 200
    proxied = watched.here.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
    assert (proxied.status_code, proxied.headers["www-authenticate"]) == (401, "Bearer")
    assert watched.client.get("/metrics").status_code == 401
    for token in ("for-figures", "for-everything"):
        assert watched.client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    for _ in range(20):
        assert watched.client.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 401
    for token in ("guess", "for-figures"):
        assert watched.client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 429
    assert watched.here.get("/metrics").status_code == 200


def test_without_tokens_nobody_reads_figures_from_elsewhere(watched: Watched) -> None:
    for token in ("", "x"):
        assert watched.client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_an_answer_and_a_decision_are_in_the_figures(watch: Callable[..., Watched], tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "standard"\n[input]\nprofanity = "block"\nslur = "block"\n', encoding="utf-8")
    watched = watch(policy=str(policy))
    body = {"model": "echo", "messages": [{"role": "user", "content": "quite ordinary words"}]}
    assert watched.here.post("/v1/chat/completions", json=body).status_code == 200
    body["messages"] = [{"role": "user", "content": "you motherfucker"}]
    assert watched.here.post("/v1/chat/completions", json=body).status_code == 400
    assert watched.services.chat.wait_idle(10)
    told = watched.figures()
    assert 'playground_answers_total{model="echo",outcome="stop"} 1.0' in told
    assert 'playground_http_requests_total{method="POST",part="api.chat",status="200"} 1.0' in told
    assert 'playground_http_requests_total{method="POST",part="api.chat",status="400"} 1.0' in told
    assert re.search(r'playground_gate_decisions_total\{action="block",.*direction="input"\} 1\.0', told)
    assert 'playground_gate_seconds_count{direction="input"}' in told
    assert not {word for word in ("ordinary", "fuck") if word in told}
