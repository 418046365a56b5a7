"""Many people at one server: nobody sees what is somebody else's, and an answer is written whether anybody stays."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor, wait_until

PEOPLE = 16
TURNS = 3


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with an echo that takes its time."""
    models = write_models(
        tmp_path_factory.mktemp("visitors") / "models.toml",
        {"slow": {"engine_options": {"piece_chars": 2, "delay_seconds": 0.01}}},
    )
    with serve("--default-model", "slow", "--models-file", str(models), "--max-batch", str(PEOPLE)) as served:
        yield served
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


def test_two_people_never_see_each_other(app: Served) -> None:
    with Visitor(app.address) as anna, Visitor(app.address, "vi") as binh:
        anna.talk("Anna's own words")
        binh.talk("Lời của riêng Bình")
        anna.talk("More of Anna's own words")
        for visitor, word in ((anna, "Bình"), (binh, "Anna")):
            with visitor.tab() as searching:  # it receives its own question again
                assert searching.search(word) == []
            visitor.open()
            assert word.encode() not in visitor.received
        assert anna.titles == ["Anna's own words"]
        assert binh.titles == ["Lời của riêng Bình"]


def converse(address: str, number: int, together: Barrier) -> bytes:
    """Several turns of one person's conversation; every answer is to this person's question, at every moment."""
    with Visitor(address, "vi" if number % 2 else "en") as visitor:
        said: list[str] = []
        for turn in range(TURNS):
            together.wait(60)
            question = f"<{number}.{turn}> " + f"Câu của người {number}, lần {turn}. " * 4
            visitor.ask(question)
            for text in visitor.answers():
                assert question.startswith(text)
            said += [question.rstrip()] * 2
            assert visitor.read_to_the_end() == said
            assert visitor.notice == ""
        visitor.query = f"c={visitor.conversation}"
        visitor.open()
        assert visitor.shown == said
        assert visitor.titles == [said[0][:60].rsplit(" ", 1)[0] + "…"]
        return bytes(visitor.received)


def test_sixteen_conversations_at_once_are_not_mixed_up(app: Served) -> None:
    together = Barrier(PEOPLE)
    with ThreadPoolExecutor(PEOPLE) as pool:
        jobs = [pool.submit(converse, app.address, number, together) for number in range(PEOPLE)]
        received = [job.result() for job in jobs]
    for number, wire in enumerate(received):
        others = [other for other in range(PEOPLE) if other != number and f"<{other}.".encode() in wire]
        assert others == []


def test_whoever_leaves_finds_the_whole_answer_later(app: Served) -> None:
    question = "A long answer that nobody waits for, word by word. " * 8
    with Visitor(app.address) as visitor:
        visitor.ask(question)
        next(visitor.answers())
        place, cookies = f"c={visitor.conversation}", dict(visitor.http.cookies)
    with Visitor(app.address, "en", place, cookies) as later:
        wait_until(lambda: not later.open().value("thread")["busy"], "the end of the answer")
        assert later.shown == [question.strip()] * 2
        assert later.rows[-1]["notices"] == []


def test_two_tabs_of_one_person_follow_the_same_answer(app: Served) -> None:
    question = "Both tabs see this. " * 10
    with Visitor(app.address) as first:
        first.ask(question)
        with first.tab(f"c={first.conversation}") as second, ThreadPoolExecutor(2) as pool:
            shown = [job.result() for job in [pool.submit(tab.read_to_the_end) for tab in (first, second)]]
            assert shown == [[question.strip()] * 2] * 2
            second.ask("And now from the other tab. " * 10)
            first.ask("At the same time.")
            assert "being written" in first.notice
            second.read_to_the_end()
            first.fire("thread", "refresh")
            assert first.shown == second.shown
