"""Side by side: one question for all, one gate, and sides that know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from playground.arena.contract import Mode, Schedule, SideRequest
from playground.domain import Blocked, ChatRequest, Failed, Finished, FinishReason, SamplingParams
from playground.errors import Busy, InvalidRequest, OutOfMemory, UnknownConversation, UnknownModel
from tests.arena.conftest import MODELS, Hall, Room
from tests.chat.conftest import OUTPUT_ONLY, Saying


class Broken(Saying):
    """An engine that breaks down at the first word."""

    def generate(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
        raise RuntimeError("broken")


def test_every_side_answers_the_same_question(hall: Hall) -> None:
    comparison = hall.named(*MODELS)
    view = hall.answered(comparison, "Say this.")
    assert [side.model_id for side in view.sides] == list(MODELS)
    for side in view.sides:
        question, answer = side.messages
        assert (question.content, answer.content, side.running) == ("Say this.", "Say this.", False)
        assert isinstance(side.end, Finished)
        assert side.tokens > 0
        assert side.memory_bytes == 1234
    assert view.comparison.title == "Say this."
    assert not view.may_vote  # four sides: there is no pair to judge


def test_the_question_is_screened_once(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    moderator = hall.chat._moderator
    check = moderator.check_input

    def counted(text: str, **options: object) -> object:
        asked.append(text)
        return check(text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(moderator, "check_input", counted)
    hall.answered(hall.named(*MODELS), "Say this.")
    assert asked == ["Say this."]


def test_a_model_with_rules_of_its_own_has_them_kept(build_hall: Callable[..., Hall]) -> None:
    policy = f'extends = "standard"\n[models."{MODELS[1]}".input]\nemail = "block"\n'
    hall = build_hall(policy=policy)
    view = hall.answered(hall.named(), "Write to anna@example.com, please.")
    assert all(isinstance(side.end, Blocked) for side in view.sides)


def test_a_blocked_question_is_shown_on_every_side_and_stored_nowhere(hall: Hall) -> None:
    comparison = hall.named()
    view = hall.arena.ask("anna", comparison.id, "You fucking cunt, I will kill you")
    assert all(isinstance(side.end, Blocked) and not side.messages for side in view.sides)
    stored = b"".join(file.read_bytes() for file in hall.folder.iterdir())
    assert b"I will kill you" not in stored
    assert hall.engines.order == []
    assert hall.arena.listed("anna") == []
    view = hall.answered(comparison, "Good day.")
    assert all(isinstance(side.end, Finished) for side in view.sides)


def test_one_side_that_fails_or_is_blocked_leaves_the_others_alone(build_hall: Callable[..., Hall]) -> None:
    engines = {
        MODELS[0]: Saying(says="You are a fucking cunt. " * 3),
        MODELS[1]: Broken(),
        MODELS[2]: Saying(says="All is well."),
    }
    hall = build_hall(engines, policy=OUTPUT_ONLY)
    view = hall.answered(hall.named(*MODELS[:3]))
    blocked, failed, fine = view.sides
    assert isinstance(blocked.end, Blocked)
    assert isinstance(failed.end, Failed)
    assert isinstance(fine.end, Finished)
    assert (fine.messages[-1].content, fine.messages[-1].verdicts) == ("All is well.", ())


def test_one_side_is_stopped_or_all(build_hall: Callable[..., Hall]) -> None:
    slow = {name: Saying(piece_chars=1, delay_seconds=0.02, says="So it goes. " * 50) for name in MODELS}
    hall = build_hall(slow)
    comparison = hall.named(*MODELS[:3])
    hall.arena.ask("anna", comparison.id, "Go.")
    hall.arena.stop("anna", comparison.id, 1)
    view = hall.arena.view("anna", comparison.id)
    while view.sides[1].running:
        view = hall.arena.wait("anna", comparison.id, view.version, 1)
    assert isinstance(view.sides[1].end, Finished)
    assert view.sides[1].end.reason is FinishReason.CANCELLED
    assert [side.running for side in view.sides] == [True, False, True]
    hall.arena.stop("anna", comparison.id)
    assert not any(side.running for side in hall.settle(comparison).sides)


def test_sides_are_no_chats(hall: Hall) -> None:
    comparison = hall.named()
    hall.answered(comparison, "A word nobody says: frobnicate.")
    conversation_id = hall.arena.view("anna", comparison.id).comparison.sides[0].conversation_id
    assert hall.chat.conversations("anna") == []
    assert hall.chat.conversations("anna", "frobnicate") == []
    request = ChatRequest("anna", MODELS[0], "And?", conversation_id)
    for use in (
        lambda: hall.chat.thread("anna", conversation_id),
        lambda: hall.chat.rename("anna", conversation_id, "Mine"),
        lambda: hall.chat.delete("anna", conversation_id),
        lambda: hall.chat.restore("anna", conversation_id),
        lambda: hall.chat.configure("anna", conversation_id, system_prompt="Hm."),
        lambda: hall.chat.start(request),
    ):
        with pytest.raises(UnknownConversation):
            use()
    chat_id = hall.arena.detach("anna", comparison.id, 0)
    copied = hall.chat.thread("anna", chat_id)
    assert [message.content for message in copied.messages] == ["A word nobody says: frobnicate."] * 2
    assert copied.conversation.model_id == MODELS[0]


def test_nobody_else_sees_a_comparison(hall: Hall) -> None:
    comparison = hall.named()
    for use in (hall.arena.view, hall.arena.stop):
        with pytest.raises(UnknownConversation):
            use("bob", comparison.id)
    with pytest.raises(UnknownConversation):
        hall.arena.view("anna", "not-an-id")


@pytest.mark.parametrize("max_runs", [1, 2, 64])
def test_one_after_the_other_in_the_order_of_the_sides(build_hall: Callable[..., Hall], max_runs: int) -> None:
    hall = build_hall(max_models=1, max_runs=max_runs)
    comparison = hall.named(*MODELS)
    assert comparison.schedule is Schedule.IN_TURN
    view = hall.answered(comparison)
    assert hall.engines.order == list(MODELS)
    assert hall.engines.most == 1
    assert all(isinstance(side.end, Finished) for side in view.sides)


def test_in_turn_a_side_that_fails_or_is_stopped_makes_room_for_the_next(build_hall: Callable[..., Hall]) -> None:
    endless = Saying(piece_chars=1, delay_seconds=0.02, says="So it goes. " * 500)
    hall = build_hall({MODELS[0]: Broken(), MODELS[1]: endless}, room=Room(places=1))
    comparison = hall.named(*MODELS[:3])
    hall.arena.ask("anna", comparison.id, "Go.")
    view = hall.arena.view("anna", comparison.id)
    while not (view.sides[1].messages and view.sides[1].messages[-1].content):
        view = hall.arena.wait("anna", comparison.id, view.version, 1)
    assert view.sides[2].running
    hall.arena.stop("anna", comparison.id, 1)
    view = hall.settle(comparison)
    assert isinstance(view.sides[0].end, Failed)
    assert isinstance(view.sides[2].end, Finished)


def test_together_means_at_the_same_time(build_hall: Callable[..., Hall]) -> None:
    slow = {name: Saying(delay_seconds=0.02, says="word " * 20) for name in MODELS}
    hall = build_hall(slow)
    hall.answered(hall.named(*MODELS))
    assert hall.engines.most == 4


def test_what_cannot_be_started(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(room=Room(refused=MODELS[3]))
    with pytest.raises(OutOfMemory, match="Choose a smaller model"):
        hall.named(MODELS[0], MODELS[3])
    with pytest.raises(UnknownModel):
        hall.named(MODELS[0], "nobody")
    with pytest.raises(InvalidRequest, match="two to 4"):
        hall.named(MODELS[0])
    with pytest.raises(InvalidRequest, match="draws its models itself"):
        hall.arena.start("anna", Mode.BLIND, [SideRequest(MODELS[0])], "en")


def test_the_plan_is_known_before_anything_is_started(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(room=Room(places=2, refused=MODELS[3]))
    assert hall.arena.plan(MODELS[:2]) is Schedule.TOGETHER
    assert hall.arena.plan(MODELS[:3]) is Schedule.IN_TURN
    assert hall.named(*MODELS[:3]).schedule is Schedule.IN_TURN
    with pytest.raises(OutOfMemory, match="Choose a smaller model"):
        hall.arena.plan([MODELS[0], MODELS[3]])
    with pytest.raises(UnknownModel):
        hall.arena.plan(["nobody"])


def test_the_same_model_with_other_settings(hall: Hall) -> None:
    sides = [SideRequest(MODELS[0]), SideRequest(MODELS[0], SamplingParams(max_tokens=2), "Be brief.")]
    comparison = hall.arena.start("anna", Mode.NAMED, sides, "en")
    view = hall.answered(comparison, "One two three four.")
    assert [side.messages[-1].content for side in view.sides] == ["One two three four.", "One two "]
    assert view.comparison.sides[1].system_prompt == "Be brief."
    assert not view.may_vote
    with pytest.raises(InvalidRequest, match="the same model, so there is nothing to rate"):
        hall.arena.vote("anna", comparison.id, "model_a")
    assert list(hall.votes.every()) == []
    hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[1]))
    assert hall.answered(comparison, "And now?").may_vote
    with pytest.raises(InvalidRequest, match="safety check"):
        hall.arena.start("anna", Mode.NAMED, [sides[0], SideRequest(MODELS[1], None, "You fucking cunt")], "en")


def test_sides_are_changed_added_and_taken_away(hall: Hall) -> None:
    comparison = hall.named()
    hall.answered(comparison, "First.")
    changed = hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[2]))
    assert [side.model_id for side in changed.sides] == [MODELS[0], MODELS[2]]
    hall.arena.change_side("anna", comparison.id, 2, SideRequest(MODELS[3]))
    view = hall.answered(comparison, "Second.")
    texts = ["First.", "First.", "Second.", "Second."]
    assert [[message.content for message in side.messages] for side in view.sides] == [texts] * 3
    hall.arena.change_side("anna", comparison.id, 0, None)
    left = hall.arena.view("anna", comparison.id)
    assert [side.model_id for side in left.sides] == [MODELS[2], MODELS[3]]
    with pytest.raises(InvalidRequest, match="at least two"):
        hall.arena.change_side("anna", comparison.id, 0, None)
    with pytest.raises(InvalidRequest, match="no side"):
        hall.arena.change_side("anna", comparison.id, 4, SideRequest(MODELS[0]))


def test_one_side_goes_on_alone_or_answers_again(hall: Hall) -> None:
    comparison = hall.named()
    hall.answered(comparison, "First.")
    hall.arena.retry("anna", comparison.id, 1)
    view = hall.settle(comparison)
    assert len(view.sides[1].messages) == 2
    hall.arena.ask("anna", comparison.id, "Only you.", only=1)
    view = hall.settle(comparison)
    assert [len(side.messages) for side in view.sides] == [2, 4]
    assert not view.may_vote


def test_a_question_into_a_running_answer_is_refused(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall({MODELS[0]: Saying(piece_chars=1, delay_seconds=0.02, says="So it goes. " * 50)})
    comparison = hall.named()
    hall.arena.ask("anna", comparison.id, "Go.")
    with pytest.raises(Busy):
        hall.arena.ask("anna", comparison.id, "And?")
    hall.arena.stop("anna", comparison.id)
    hall.settle(comparison)


def test_who_waits_is_not_woken_while_nothing_comes(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall({name: Saying(piece_chars=1, delay_seconds=1.0, says="So it goes.") for name in MODELS})
    comparison = hall.named()
    view = hall.arena.ask("anna", comparison.id, "Go.")
    while not all(side.tokens > 2 and side.tokens_per_second for side in view.sides):
        view = hall.arena.wait("anna", comparison.id, view.version, 1)
    assert hall.arena.wait("anna", comparison.id, view.version, 0.2).version == view.version
    hall.arena.stop("anna", comparison.id)
    hall.settle(comparison)


def test_a_new_server_shows_what_was_there(build_hall: Callable[..., Hall]) -> None:
    before = build_hall()
    comparison = before.named()
    seen = before.answered(comparison, "Still here?")
    after = build_hall()
    view = after.arena.view("anna", comparison.id)
    assert [side.messages for side in view.sides] == [side.messages for side in seen.sides]
    assert view.version > seen.version
    assert after.arena.listed("anna")[0].title == "Still here?"
