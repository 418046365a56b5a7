"""Two app processes on one PostgreSQL: what one writes, the other shows, follows and stops, and never ends itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from playground.catalog.catalog import Catalog
from playground.chat.processes import Processes
from playground.chat.run import Run
from playground.chat.service import ChatService
from playground.domain import Blocked, ChatRequest, Failed, Finished, FinishReason, Message, Queued, TextDelta
from playground.errors import Busy, StorageError
from playground.moderation.moderator import build_moderator
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.processes import ProcessStore
from tests.chat.conftest import OUTPUT_ONLY, OneEngine, Saying
from tests.postgres import PostgresServer, join

ROOT = Path(__file__).parents[2]
LEASE = 2.0
LONG = "The fox went on and on. " * 60


@dataclass
class Office:
    """What one process has: its chat service, and the way it knows the others."""

    chat: ChatService
    neighbours: Processes
    processes: ProcessStore
    database: Database

    def ask(self, text: str = LONG, after: Run | None = None, **changes: object) -> Run:
        request = ChatRequest("anna", "echo", text)
        if after is not None:
            request = replace(request, conversation_id=after.conversation_id, parent_id=after.message_id)
        return self.chat.start(replace(request, **changes))  # type: ignore[arg-type]

    def last(self, run: Run) -> Message:
        return self.chat.thread("anna", run.conversation_id or "").messages[-1]

    def follows(self, run: Run) -> Run:
        """The run of another process as this one has it."""
        found = self.chat.active("anna", run.conversation_id or "")
        assert found is not None
        assert found is not run
        assert found.id == run.id
        return found


def open_office(url: str, engine: Saying, policy: str = "standard", lease: float = LEASE, max_runs: int = 8) -> Office:
    database = Database(url)
    answers = ConversationStore(database)
    processes, neighbours = join(database, lease)
    chat = ChatService(
        catalog=Catalog.load(),
        engines=OneEngine(engine),
        moderator=build_moderator(policy),
        conversations=answers,
        decisions=DecisionStore(database),
        max_message_chars=32_000,
        max_runs=max_runs,
        neighbours=neighbours,
    )
    chat.recover()
    return Office(chat, neighbours, processes, database)


@pytest.fixture
def opened(postgres: PostgresServer) -> Iterator[Callable[..., Office]]:
    offices: list[Office] = []

    def build(engine: Saying | None = None, **changes: object) -> Office:
        offices.append(open_office(postgres.url(), engine or Saying(4, 0.01), **changes))  # type: ignore[arg-type]
        return offices[-1]

    with postgres.database():
        yield build
        for office in offices:
            office.chat.close()
            office.database.close()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_answer_is_followed_to_its_end_from_another_process(opened: Callable[..., Office]) -> None:
    here, there = opened(), opened()
    run = here.ask()
    mirror = there.follows(run)
    assert there.chat.thread("anna", run.conversation_id or "").run is mirror
    pieces = [event for event in mirror.events(timeout=30) if isinstance(event, TextDelta)]
    assert "".join(piece.text for piece in pieces) == LONG.strip()
    assert len(pieces) > 2
    end, own = mirror.snapshot().end, run.snapshot().end
    assert isinstance(end, Finished)
    assert isinstance(own, Finished)
    assert (end.reason, end.usage) == (own.reason, own.usage)
    until(lambda: there.chat.active("anna", run.conversation_id or "") is None)
    assert there.last(run).content == LONG.strip()
    assert there.ask("And then?", run).wait(60)


def test_what_an_answer_waits_for_and_its_figures_are_told(opened: Callable[..., Office]) -> None:
    here, there = opened(max_runs=1), opened()
    first, second = here.ask(), here.ask()
    waiting, writing = there.follows(second), there.follows(first)
    until(lambda: waiting.snapshot().stage == Queued(1))
    until(lambda: writing.snapshot().tokens > 0 and writing.snapshot().first_token is not None)
    assert 0 < writing.snapshot().elapsed < 30


def test_stop_reaches_the_process_that_writes(opened: Callable[..., Office]) -> None:
    here, there = opened(Saying(2, 0.05)), opened()
    run = here.ask()
    mirror = there.follows(run)
    until(lambda: bool(mirror.snapshot().text))
    mirror.cancel()
    assert run.wait(5)
    assert mirror.wait(5)
    for one in (run, mirror):
        end = one.snapshot().end
        assert isinstance(end, Finished)
        assert end.reason is FinishReason.CANCELLED
    assert there.last(run).finish_reason is FinishReason.CANCELLED
    assert 0 < len(there.last(run).content) < len(LONG)


def test_what_the_gate_blocks_ends_the_mirror_too(opened: Callable[..., Office], tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(OUTPUT_ONLY, encoding="utf-8")
    said = "Well. " * 60 + "You piece of shit. " + "Well. " * 60
    here, there = opened(Saying(4, 0.01, said), policy=str(policy)), opened()
    run = here.ask("hello")
    mirror = there.follows(run)
    assert mirror.wait(60)
    assert isinstance(mirror.snapshot().end, Blocked)
    assert "shit" not in mirror.snapshot().text


def test_a_conversation_is_written_in_by_one_process(opened: Callable[..., Office]) -> None:
    here, there = opened(), opened()
    run = here.ask()
    with pytest.raises(Busy, match="stop it first"):
        there.ask("And then?", run)
    with pytest.raises(Busy):
        here.ask("And then?", run)
    run.cancel()
    assert run.wait(60)
    assert there.ask("And then?", run).wait(60)


def test_a_deleted_conversation_stops_its_answer_elsewhere(opened: Callable[..., Office]) -> None:
    here, there = opened(Saying(2, 0.05)), opened()
    run = here.ask()
    there.chat.delete("anna", run.conversation_id or "")
    assert run.wait(5)


def test_starting_ends_no_answer_of_a_process_that_lives(opened: Callable[..., Office]) -> None:
    here = opened()
    run = here.ask()
    there = opened()
    assert there.chat.recover() == 0
    time.sleep(1.5 * LEASE)
    assert run.wait(60)
    assert there.last(run).finish_reason is FinishReason.STOP


SERVER = """
import sys, time
from tests.chat.conftest import Saying
from tests.chat.test_processes import LONG, open_office
office = open_office(sys.argv[1], Saying(2, 0.02))
run = office.ask()
while not office.last(run).content:
    time.sleep(0.01)
print(run.conversation_id, flush=True)
time.sleep(60)
"""


def test_a_process_that_is_killed_leaves_its_answer_interrupted(
    opened: Callable[..., Office], postgres: PostgresServer
) -> None:
    there = opened()
    command = [sys.executable, "-c", SERVER, postgres.url()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            conversation_id = server.stdout.readline().strip()
            mirror = there.chat.active("anna", conversation_id)
            assert mirror is not None
            until(lambda: bool(mirror.snapshot().text))
        finally:
            server.send_signal(signal.SIGKILL)
    assert mirror.wait(60)
    end = mirror.snapshot().end
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.INTERRUPTED
    until(lambda: there.processes.count() == 1)
    question, answer = there.chat.thread("anna", conversation_id).messages
    assert (answer.finish_reason, LONG.startswith(answer.content)) == (FinishReason.INTERRUPTED, True)
    again = ChatRequest("anna", "echo", None, conversation_id=conversation_id, parent_id=question.id)
    assert there.chat.start(again).wait(60)


def test_a_process_taken_for_dead_keeps_what_it_writes(opened: Callable[..., Office]) -> None:
    """It was suspended for longer than a lease, say: its answer was marked, and it goes on and ends it."""
    here, there = opened(), opened()
    run = here.ask()
    with here.database.write() as connection:
        for table in ("writing", "processes"):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE true")
    assert there.chat.recover() in {0, 1}
    until(lambda: there.chat.active("anna", run.conversation_id or "") is not None or run.done)
    assert run.wait(60)
    assert here.last(run).content == LONG.strip()
    assert there.last(run).finish_reason is FinishReason.STOP


def test_the_others_answers_count_in_the_line(opened: Callable[..., Office]) -> None:
    """Anna has answers in the other process: here, Bob comes first although Anna asked before him."""
    here, there = opened(Saying(2, 0.02), max_runs=1), opened(Saying(2, 0.02))
    for _ in range(2):
        there.ask()
    until(lambda: here.neighbours.loads().get("anna") == 2)
    going_on = here.ask("Well. " * 10, owner="carl")
    annas, bobs = here.ask("hello"), here.ask("hello", owner="bob")
    assert going_on.wait(60)
    assert bobs.wait(60)
    assert annas.wait(60)
    assert (bobs.ended_at or 0) < (annas.ended_at or 0)


def test_while_the_database_is_away_questions_are_refused_and_answers_end_when_it_is_back(
    opened: Callable[..., Office], postgres: PostgresServer
) -> None:
    here, there = opened(Saying(4, 0.01)), opened()
    run = here.ask()
    mirror = there.follows(run)
    until(lambda: bool(mirror.snapshot().text))
    postgres.stop()
    try:
        with pytest.raises(StorageError, match="cannot be reached"):
            here.ask("hello")
        with pytest.raises(StorageError, match="cannot be reached"):
            there.chat.thread("anna", run.conversation_id or "")
        time.sleep(LEASE)
    finally:
        postgres.start()
    assert run.wait(60)
    assert mirror.wait(60)
    assert not isinstance(run.snapshot().end, Failed)
    assert here.last(run).content == LONG.strip()
    assert there.last(run).finish_reason is FinishReason.STOP
    assert here.ask("hello").wait(60)


def test_closing_hands_everything_back(opened: Callable[..., Office]) -> None:
    here, there = opened(Saying(2, 0.05)), opened()
    run = here.ask()
    threading.Thread(target=here.chat.close).start()
    assert run.wait(60)
    until(lambda: there.processes.count() == 1)
    assert there.last(run).finish_reason is FinishReason.INTERRUPTED
    assert there.ask("And then?", run).wait(60)
