"""Several conversations asked the same question: all of them, or none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from playground.chat.run import Run
from playground.domain import Blocked, ChatRequest
from playground.errors import Busy, UnknownConversation, UnknownModel
from tests.chat.conftest import House, Saying


def follow_up(run: Run, text: str | None) -> ChatRequest:
    parent = run.message_id if text is not None else run.user_message_id
    return ChatRequest("anna", "echo", text, run.conversation_id, parent)


def test_new_and_old_conversations_are_asked_together(house: House) -> None:
    first = house.answer("Good day.")
    requests = [follow_up(first, "And now?"), ChatRequest("anna", "echo", "And now?")]
    runs = house.chat.start_together(requests)
    assert all(run.wait(60) for run in runs)
    assert [[message.content for message in house.messages(run)] for run in runs] == [
        ["Good day.", "Good day.", "And now?", "And now?"],
        ["And now?", "And now?"],
    ]
    again = house.chat.start_together([follow_up(run, None) for run in runs], in_turn=True)
    assert all(run.wait(60) for run in again)
    assert [run.user_message_id for run in again] == [run.user_message_id for run in runs]


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (ChatRequest("anna", "nobody", "And?"), UnknownModel),
        (ChatRequest("anna", "echo", "And?", "0" * 32), UnknownConversation),
    ],
)
def test_one_that_cannot_be_asked_keeps_all_from_being_asked(
    house: House, broken: ChatRequest, error: type[Exception]
) -> None:
    fine = house.answer("Good day.")
    with pytest.raises(error):
        house.chat.start_together([follow_up(fine, "And?"), broken])
    assert len(house.messages(fine)) == 2
    assert house.answer("And?", fine).done  # nothing is left claimed


def test_one_busy_conversation_keeps_all_from_being_asked(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(piece_chars=1, delay_seconds=0.02))
    fine = house.answer("Hi.")
    busy = house.ask("A long answer, please, so that there is time to ask again in between.")
    with pytest.raises(Busy):
        house.chat.start_together([follow_up(fine, "And?"), follow_up(busy, "And?")])
    assert len(house.messages(fine)) == 2
    busy.cancel()
    assert busy.wait(60)


def test_what_is_blocked_is_blocked_for_all(house: House) -> None:
    fine = house.answer("Good day.")
    text = "You fucking cunt, I will kill you"
    runs = house.chat.start_together([follow_up(fine, text), ChatRequest("anna", "echo", text)])
    ends = [run.snapshot().end for run in runs]
    assert all(isinstance(end, Blocked) for end in ends)
    assert ends[0] == ends[1]
    assert len(house.messages(fine)) == 2
    assert len({row["verdict_id"] for row in house.decisions.newest()}) == 1
