"""The remote endpoint against a server on this machine: what it is sent, what becomes of answers, good and bad."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.config import load_settings
from playground.domain import Direction
from playground.errors import ConfigError, DetectorUnavailable
from playground.moderation import remote_endpoint
from playground.moderation.moderator import equip
from playground.moderation.remote_endpoint import RemoteEndpointDetector
from playground.services import choose_detectors, choose_policy
from tests.moderation.endpoint import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def detector(server: Server) -> Iterator[RemoteEndpointDetector]:
    made = RemoteEndpointDetector(server.url, key="k3y", model="omni", seconds=5)
    yield made
    made.close()


def test_what_is_asked_and_what_comes_of_it(server: Server, detector: RemoteEndpointDetector) -> None:
    findings = {finding.category: finding for finding in detector.scan("xin chào")}
    ((headers, body),) = server.asked
    assert headers["Authorization"] == "Bearer k3y"
    assert body == {"input": ["xin chào"], "model": "omni"}
    assert {name: finding.score for name, finding in findings.items()} == {
        "insult": 0.2,
        "threat": 0.96,
        "identity_attack": 0.4,
        "harm": 0.6,
        "toxicity": 0.7,
    }
    assert findings["harm"].explanation == "remote:illicit"
    assert {finding.span for finding in findings.values()} == {(0, 8)}
    assert findings["harm"].version == "omni"


def test_without_key_and_model_neither_is_sent(server: Server) -> None:
    made = RemoteEndpointDetector(server.url)
    made.scan("a")
    made.close()
    ((headers, body),) = server.asked
    assert "Authorization" not in headers
    assert body == {"input": ["a"]}


def test_many_texts_in_few_requests_and_blank_ones_in_none(server: Server, detector: RemoteEndpointDetector) -> None:
    found = detector.scan_batch([" ", *(f"text {number}" for number in range(40)), ""])
    assert [len(body["input"]) for _, body in server.asked] == [32, 8]
    assert [bool(findings) for findings in found] == [False, *[True] * 40, False]
    assert detector.scan("\n") == []


BAD_ANSWERS = [
    b"",
    b"not json",
    b"[]",
    b"{}",
    b'{"results": []}',
    b'{"results": [1]}',
    b'{"results": [{}]}',
    b'{"results": [{"category_scores": {}}]}',
    b'{"results": [{"category_scores": {"hate": NaN}}]}',
    b'{"results": [{"category_scores": {"hate": "0.9"}}]}',
    b'{"results": [{"category_scores": {"hate": null}}]}',
    b'{"results": ' + b"[" * 100_000,
    b" " * 1_100_000,
]


@pytest.mark.parametrize("number", range(len(BAD_ANSWERS)))
def test_an_answer_of_another_form_is_no_answer(server: Server, detector: RemoteEndpointDetector, number: int) -> None:
    server.body = BAD_ANSWERS[number]
    with pytest.raises(DetectorUnavailable, match="moderation endpoint"):
        detector.scan("quite secret")


@pytest.mark.parametrize("status", [301, 401, 429, 500])
def test_another_status_is_no_answer_and_redirects_are_not_followed(
    server: Server, detector: RemoteEndpointDetector, status: int
) -> None:
    server.status, server.location = status, server.url + "/elsewhere"
    with pytest.raises(DetectorUnavailable, match=str(status)):
        detector.scan("a")
    assert len(server.asked) == 1


def test_a_server_that_drips_or_is_not_there_is_given_up(server: Server) -> None:
    server.drip = 0.05
    slow = RemoteEndpointDetector(server.url, seconds=0.3)
    with pytest.raises(DetectorUnavailable, match="too slow"):
        slow.scan("a")
    slow.close()
    absent = RemoteEndpointDetector("http://127.0.0.1:9/v1/moderations", seconds=1)
    with pytest.raises(DetectorUnavailable, match="cannot be reached"):
        absent.scan("a")
    absent.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host/x",
        "host/v1/moderations",
        "http://",
        "https://host:port/v1",
        "https://me:k3y-in-it@host/v1/moderations",
        "http://127.0.0.1@8.8.8.8/v1/moderations",
        "http://8.8.8.8/v1/moderations",
        "http://[2606:4700::1]/v1/moderations",
        "http://0.0.0.0/v1/moderations",
    ],
)
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="moderation_url") as caught:
        RemoteEndpointDetector(url)
    assert "k3y-in-it" not in str(caught.value)


def test_texts_go_over_http_only_to_names_of_a_private_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which address a name means is seen when it is connected to, before anything is sent."""
    monkeypatch.setattr(remote_endpoint, "_is_near", lambda host: host == "::1")  # as if this machine were far away
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **more: resolve("127.0.0.1", *rest, **more))
    with socket.create_server(("127.0.0.1", 0)) as far:
        detector = RemoteEndpointDetector(f"http://far.example:{far.getsockname()[1]}/v1/moderations", seconds=5)
        with pytest.raises(DetectorUnavailable, match="not on a private network"):
            detector.scan("a secret")
        far.settimeout(5)
        connection, _ = far.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""
    detector.close()


def test_the_settings_switch_it_on_and_a_failure_blocks(server: Server, isolated: Path) -> None:
    environment = {
        "PLAYGROUND_MODERATION_URL": server.url,
        "PLAYGROUND_MODERATION_KEY": "from-the-environment",
        "PLAYGROUND_MODERATION_MODEL": "omni",
    }
    settings = load_settings([], environment)
    detectors = choose_detectors(settings)
    policy = choose_policy(settings, detectors)
    assert all("remote" in policy.detectors[way] for way in Direction)
    gate = equip(policy, detectors)
    screened = gate.check_input("something harmless", context=["an earlier turn"])
    assert len(server.asked) == 1
    assert screened.verdict is not None
    assert [ruling.finding.category for ruling in screened.verdict.rulings] == ["threat", "harm"]
    assert screened.blocked
    assert server.asked[0][0]["Authorization"] == "Bearer from-the-environment"
    assert server.asked[0][1]["model"] == "omni"
    server.status = 500
    failed = gate.check_input("something harmless").verdict
    assert failed is not None
    assert failed.unavailable
    assert failed.degraded == ("remote",)


def test_off_by_default_and_off_when_the_policy_checks_nothing() -> None:
    settings = load_settings([], {})
    names = choose_detectors(settings)
    assert "remote" not in choose_policy(settings, names).detectors["output"]
    with_address = load_settings([], {"PLAYGROUND_MODERATION_URL": "http://127.0.0.1:9/", "PLAYGROUND_POLICY": "off"})
    assert choose_policy(with_address, names).detectors["output"] == ()
    with pytest.raises(DetectorUnavailable, match="moderation_url"):
        names["remote"]()
