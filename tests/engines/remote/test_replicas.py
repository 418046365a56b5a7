"""Several servers of one model: the least busy one is asked, failures move on, and servers come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from playground.catalog.servers import ModelServer
from playground.domain import SamplingParams
from playground.engines.contract import Engine, Replicated, ServerHealth
from playground.engines.remote import replica as replica_module
from playground.engines.remote.connection import Connection
from playground.engines.remote.faults import Fault, Remedy
from playground.engines.remote.replica import LONGEST_PAUSE, Replica, pause_after
from playground.errors import RateLimited, ServerFailed
from tests.engines.remote.conftest import PROMPT, Crowd, ask, until
from tests.engines.remote.scripted_server import HEAD, ScriptedServer, answer, models, piece, refusal

Serve = Callable[..., ScriptedServer]
Connect = Callable[..., Engine]


def health(engine: Engine) -> list[ServerHealth]:
    assert isinstance(engine, Replicated)
    return list(engine.servers())


def test_the_server_with_fewer_requests_is_asked(serve: Serve, connect: Connect) -> None:
    slow, other = serve([HEAD, piece("one"), 60.0]), serve(answer("two"))
    engine = connect(slow, other)
    busy = engine.generate(PROMPT, SamplingParams())
    assert next(piece.text for piece in busy if piece.text) == "one"
    assert [ask(engine).text for _ in range(3)] == ["two"] * 3
    assert [line.in_flight for line in health(engine)] == [1, 0]


def test_among_equally_busy_servers_the_quicker_one_is_asked(serve: Serve, connect: Connect) -> None:
    slow, quick = serve([0.5, *answer("slow")]), serve(answer("quick"))
    engine = connect(slow, quick)
    assert [ask(engine).text for _ in range(4)] == ["slow", "quick", "quick", "quick"]
    first, second = (line.first_token for line in health(engine))
    assert first is not None
    assert second is not None
    assert first > second


def test_health_is_told(serve: Serve, connect: Connect) -> None:
    good, bad = serve(answer("ok")), serve(refusal(500, {}), models=refusal(500, {}))
    engine = connect(bad, good)
    ask(engine)
    lines = health(engine)
    assert [line.label for line in lines] == [bad.label, good.label]
    assert [(line.up, line.error) for line in lines] == [(False, "server_failed"), (True, "")]
    assert [(line.answered, line.failed, line.in_flight) for line in lines] == [(0, 1, 0), (1, 0, 0)]
    assert lines[0].since > lines[1].since


def test_a_failed_server_is_probed_and_comes_back(serve: Serve, connect: Connect) -> None:
    server = serve(refusal(500, {}), answer("again"), models=models("far"))
    other = serve(answer("other"))
    engine = connect(server, other)
    assert ask(engine).text == "other"
    until(lambda: health(engine)[0].up)
    assert [request.path for request in server.requests] == ["/v1/chat/completions", "/v1/models"]
    assert health(engine)[0].error == ""


def test_a_server_without_a_list_is_asked_for_its_health(serve: Serve, connect: Connect) -> None:
    server = serve(refusal(500, {}))
    engine = connect(server, serve(answer("other")))
    ask(engine)
    until(lambda: "/health" in [request.path for request in server.requests])
    assert not health(engine)[0].up


def test_probes_become_rarer(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(replica_module, "pause_after", lambda failures: asked.append(failures) or 0.02)
    server = serve(refusal(500, {}), models=refusal(503, {}))
    ask(connect(server, serve(answer("other"))))
    until(lambda: len(asked) > 4)
    assert asked[:4] == [1, 2, 3, 4]
    assert all(LONGEST_PAUSE * 0.75 <= pause_after(failures) <= LONGEST_PAUSE * 1.25 for failures in (9, 99, 99_999))
    assert [round(min(pause_after(failures) for _ in range(200)), 1) for failures in (1, 2, 3)] == [0.4, 0.8, 1.5]


def test_a_model_that_was_unknown_counts_again_once_it_is_listed(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "_SETUP_PAUSE", 0.02)
    server = serve(refusal(404, {}), models=models("another"))
    engine = connect(server, serve(answer("other")))
    ask(engine)
    until(lambda: len(server.requests) > 3)
    assert not health(engine)[0].up
    server.models = models("another", "far")
    until(lambda: health(engine)[0].up)


def test_when_all_are_down_the_one_that_rested_longest_is_tried(serve: Serve, connect: Connect) -> None:
    first, second = serve(refusal(500, {}), answer("back")), serve(refusal(500, {}))
    engine = connect(first, second, rounds=1)
    with pytest.raises(ServerFailed):
        ask(engine)
    assert ask(engine).text == "back"


def test_a_wait_that_a_server_asked_for_is_kept_by_everybody() -> None:
    server = ModelServer(url="http://127.0.0.1:9/v1")
    replica = Replica(server, "m", Connection(server, "", 1.0))
    replica.failed(Fault(RateLimited("Busy."), Remedy.LATER, wait=50))
    assert 49 < replica.limited <= 50
    replica.recovered()
    assert replica.limited == 0


@pytest.mark.parametrize("victim", [0, 1])
def test_one_of_two_killed_under_load_loses_nothing_that_had_not_begun(
    serve: Serve, connect: Connect, victim: int
) -> None:
    words = [f"w{number} " for number in range(12)]
    late = [0.05, *answer(*words, pause=0.05)]
    servers = [serve(late), serve(late)]
    engine = connect(*servers)
    crowd = Crowd(engine, visitors=16, questions=3)
    crowd.wait_for_begun(8)
    servers[victim].stop()
    outcomes = crowd.outcomes()
    assert set(outcomes) == {"".join(words), "cut"}, outcomes
    assert sum(outcomes.values()) == 48
    assert outcomes["cut"] <= 16
    assert [line.up for line in health(engine)] == [victim == 1, victim == 0]


def test_a_killed_server_that_comes_back_gets_requests_again(serve: Serve, connect: Connect) -> None:
    server, other = serve(answer("first"), models=models("far")), serve(answer("other"))
    engine = connect(server, other)
    server.stop()
    assert ask(engine).text == "other"
    server.start()
    until(lambda: health(engine)[0].up)
    texts = {ask(engine).text for _ in range(8)}
    assert "first" in texts
