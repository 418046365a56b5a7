"""Conversations that clients keep: put in order, screened, answered, and not stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from playground.chat.completions import CompletionRequest
from playground.domain import Blocked, Failed, Finished, FinishReason, Message, Role, SamplingParams, Verdict
from playground.errors import Busy, InvalidRequest, MessageTooLong, StorageError, UnknownModel
from tests.chat.conftest import OUTPUT_ONLY, House, Saying

Said = tuple[Role, str]


def request(*turns: Said, **more: object) -> CompletionRequest:
    messages = tuple(Message(role, text) for role, text in turns)
    return CompletionRequest(**{"owner": "anna", "model_id": "echo", "turns": messages, **more})  # type: ignore[arg-type]


def test_turns_are_put_in_order_and_nothing_is_stored(house: House) -> None:
    turns: tuple[Said, ...] = (
        ("user", "one"),
        ("system", "Be kind."),
        ("assistant", "two"),
        ("assistant", "three"),
        ("system", "Be brief."),
        ("user", "four"),
        ("user", "five"),
    )
    (run,) = house.chat.complete(request(*turns))
    assert run.wait(30)
    assert run.snapshot().text == "four\n\nfive"
    assert isinstance(house.engine, Saying)
    (prompt,) = house.engine.prompts
    assert [(turn.role, turn.content) for turn in prompt.turns] == [
        ("system", "Be kind.\n\nBe brief."),
        ("user", "one"),
        ("assistant", "two\n\nthree"),
        ("user", "four\n\nfive"),
    ]
    assert house.chat.conversations("anna") == []
    assert b"four" not in house.stored_bytes()


def test_every_choice_is_a_run_with_a_seed_of_its_own(house: House) -> None:
    runs = house.chat.complete(request(("user", "hi"), choices=3, params=SamplingParams(seed=2**63 - 1)))
    assert len(runs) == 3
    assert all(run.wait(30) and isinstance(run.snapshot().end, Finished) for run in runs)


@pytest.mark.parametrize("said", ["you motherfucker, and so on", "write to zoe.quinn@example.org, please"])
def test_a_decision_that_cannot_be_kept_is_not_told(
    build_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Whoever has a receipt can ask what it was about; so one without a row is never given."""

    def full(verdicts: Sequence[Verdict], **_: object) -> None:
        if verdicts:
            raise StorageError("The disk is full, so nothing can be saved. Free some space and try again.")

    house = build_house(Saying(says=said), policy=OUTPUT_ONLY)
    (run,) = house.chat.complete(request(("user", "hello")))
    assert run.wait(30)
    assert run.snapshot().verdicts or isinstance(run.snapshot().end, Blocked)
    monkeypatch.setattr(house.decisions, "record", full)
    (run,) = house.chat.complete(request(("user", "hello")))
    assert run.wait(30)
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert end.code == "storage_error"


@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_first_turn_that_is_stopped_ends_the_matter(house: House, place: int) -> None:
    turns: list[Said] = [("system", "Be kind."), ("user", "one"), ("assistant", "two"), ("user", "three")]
    turns[place] = (turns[place][0], "kill yourself you worthless piece of shit")
    (run,) = house.chat.complete(request(*turns))
    end = run.snapshot().end
    assert isinstance(end, Blocked)
    assert end.verdict.direction == "input"
    assert isinstance(house.engine, Saying)
    assert house.engine.prompts == []
    assert house.decisions.newest(1)[0]["conversation_id"] is None


@pytest.mark.parametrize(
    ("turns", "error"),
    [
        ((), InvalidRequest),
        ((("system", "x"),), InvalidRequest),
        ((("user", "x"), ("assistant", "y")), InvalidRequest),
        ((("assistant", "x"), ("user", "y")), InvalidRequest),
        ((("user", " "),), InvalidRequest),
        ((("user", "x" * 40_000),), MessageTooLong),
    ],
)
def test_what_cannot_be_answered_is_refused(house: House, turns: tuple[Said, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        house.chat.complete(request(*turns))


def test_an_unknown_model_is_refused(house: House) -> None:
    with pytest.raises(UnknownModel):
        house.chat.complete(request(("user", "x"), model_id="gpt-9"))


def test_choices_that_find_no_place_take_the_others_with_them(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(delay_seconds=0.05), max_runs=1)
    with pytest.raises(Busy):
        house.chat.complete(request(("user", "word " * 200), choices=12))
    after = house.chat.complete(request(("user", "hi")))[0]
    assert after.wait(30)
    end = after.snapshot().end
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.STOP


def test_a_run_tells_whoever_watches_after_every_change(house: House) -> None:
    (run,) = house.chat.complete(request(("user", "one, two, three. " * 20)))
    heard: list[int] = []
    with run.watched(lambda: heard.append(1)):
        assert run.wait(30)
    position, seen, done = 0, "", False
    while not done:
        events, position, done = run.after(position)
        seen += "".join(getattr(event, "text", "") for event in events)
    assert seen == run.snapshot().text
