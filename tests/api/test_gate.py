"""What the gate decides is told with its receipt, and nothing is let out before it has decided."""

from __future__ import annotations

from collections.abc import Callable

import openai
import pytest

from playground.moderation.registry import DETECTORS
from tests.api.conftest import Site, user
from tests.moderation.detectors import FaultyDetector

BAD = "Here is a start that is fine.\nAnd then you motherfucker comes, and goes on.\n"
ABUSE = "kill yourself you worthless piece of shit"


def test_a_blocked_answer_ends_with_content_filter_and_a_receipt(app: Site) -> None:
    answer = app.chat(BAD).json()
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] == "Here is a start that is fine.\n"
    told = choice["moderation"]
    assert (told["action"], told["unavailable"]) == ("block", False)
    (finding,) = [one for one in told["decisions"][-1]["findings"] if one["action"] == "block"]
    assert (finding["category"], finding["detector"]) == ("profanity", "words")
    assert finding["score"] >= finding["threshold"]
    assert "span" not in finding
    assert answer["usage"]["completion_tokens"] > 0
    assert "motherfucker" not in str(answer)


def test_a_blocked_stream_is_told_alike(app: Site) -> None:
    sent = app.stream(BAD)
    assert "motherfucker" not in str(sent)
    *said, last, done = (event for event in sent if not isinstance(event, str) or event.startswith("data"))
    assert done == "data: [DONE]" or done
    chunks = [event for event in sent if isinstance(event, dict)]
    assert (
        "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        == "Here is a start that is fine.\n"
    )
    end = chunks[-1]["choices"][0]
    assert end["finish_reason"] == "content_filter"
    assert end["moderation"]["decisions"][-1]["action"] == "block"
    assert said
    assert last


def test_what_is_covered_is_told_as_a_decision(app: Site) -> None:
    choice = app.chat("Write to zoe.quinn@zq.example about it.").json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert "zoe.quinn" not in str(choice)
    assert choice["moderation"]["action"] == "redact"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("role", ["user", "system"])
def test_what_is_sent_is_stopped_before_any_engine_hears_it(app: Site, role: str, *, stream: bool) -> None:
    turns = [{"role": role, "content": ABUSE}, user("Good day.")]
    with pytest.raises(openai.BadRequestError) as caught:
        app.openai().chat.completions.create(model="echo", messages=turns, stream=stream)  # type: ignore[call-overload]
    assert caught.value.code == "content_policy_violation"
    receipt = caught.value.body["moderation"]  # type: ignore[index]
    assert (receipt["direction"], receipt["action"]) == ("input", "block")
    assert receipt["findings"][0]["span"][1] > 0
    assert ABUSE not in str(caught.value.body)


def test_earlier_turns_count_too(app: Site) -> None:
    turns = [user(ABUSE), {"role": "assistant", "content": "No."}, user("Good day.")]
    assert app.post("/chat/completions", {"model": "echo", "messages": turns}).status_code == 400


def test_decisions_are_recorded_without_text_and_conversations_not_at_all(app: Site) -> None:
    before = {row["verdict_id"] for row in app.services.decisions.newest(10_000)}
    app.chat(BAD)
    app.chat(ABUSE)
    rows = [row for row in app.services.decisions.newest(10_000) if row["verdict_id"] not in before]
    assert {row["direction"] for row in rows} == {"input", "output"}
    assert all(row["conversation_id"] is None and row["owner"].startswith("visitor-") for row in rows)
    assert "motherfucker" not in str(rows)
    assert app.services.chat.conversations(rows[0]["owner"]) == []


FAULTY = 'extends = "standard"\n[detectors]\ninput = {}\noutput = {}\n'


@pytest.mark.parametrize("way", ["input", "output"])
def test_a_check_that_cannot_run_is_told_apart(
    serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setitem(DETECTORS, "faulty", lambda: FaultyDetector("raises"))  # type: ignore[misc]
    names = ('["faulty"]', "[]") if way == "input" else ("[]", '["faulty"]')
    site = serve(policy=FAULTY.format(*names))
    answer = site.chat("Good day.")
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("moderation_unavailable", "server_error")
    assert error["moderation"]["unavailable"] is True
    assert "Nobody broke a rule" in error["message"]
    if way == "output":
        with pytest.raises(openai.APIError, match="could not run"):
            list(site.openai().chat.completions.create(model="echo", messages=[user("Hello.")], stream=True))  # type: ignore[list-item]
    else:
        assert site.post("/moderations", {"input": "Good day."}).status_code == 503
