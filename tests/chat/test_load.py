"""Many conversations at once: nobody gets somebody else's words."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from playground.chat.run import Run
from playground.domain import Finished, TextDelta
from tests.chat.conftest import House, Saying

PEOPLE = 32
TURNS = 3


def test_thirty_two_conversations_at_once(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(3, 0.001), max_runs=16)

    def talk(number: int) -> Run:
        run: Run | None = None
        for turn in range(TURNS):
            text = f"person {number} says {turn} and nothing else. " * 5
            run = house.ask(text, run, owner=f"p{number}")
            events = list(run.events(timeout=60))
            assert isinstance(events[-1], Finished)
            assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text.strip()
        assert run is not None
        return run

    with ThreadPoolExecutor(PEOPLE) as people:
        last = list(people.map(talk, range(PEOPLE)))
    for number, run in enumerate(last):
        thread = house.chat.thread(f"p{number}", run.conversation_id or "")
        assert len(thread.messages) == 2 * TURNS
        assert all(f"person {number} " in message.content for message in thread.messages)
        assert len(house.chat.conversations(f"p{number}")) == 1
