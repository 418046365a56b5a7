"""Kill the app in the middle of an answer: after a restart everything is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from playground.domain import FinishReason
from tests.chat.conftest import House

ROOT = Path(__file__).parents[2]
SERVER = """
import sys, time
from pathlib import Path
from playground.catalog.catalog import Catalog
from playground.chat.service import ChatService
from playground.domain import ChatRequest
from playground.moderation.moderator import build_moderator
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.migrations import migrate
from tests.chat.conftest import OneEngine, Saying

database = Database("sqlite:///" + sys.argv[1])
migrate(database)
chat = ChatService(
    catalog=Catalog.load(), engines=OneEngine(Saying(2, 0.01)), moderator=build_moderator("standard"),
    conversations=ConversationStore(database), decisions=DecisionStore(database), max_message_chars=32000, max_runs=4,
)
asked = [f"{name} was a fox, and a clever one. " * 50 for name in ("Anna", "Binh")]
runs = [chat.start(ChatRequest("anna", "echo", text)) for text in asked]
while not all(chat.thread("anna", run.conversation_id).messages[-1].content for run in runs):
    time.sleep(0.01)
print(*(run.conversation_id for run in runs), flush=True)
time.sleep(60)
"""


def test_killed_in_the_middle_of_two_answers(tmp_path: Path, build_house: Callable[..., House]) -> None:
    database = tmp_path / "data" / "playground.db"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(database)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert server.stdout is not None
        conversations = server.stdout.readline().split()
    finally:
        server.send_signal(signal.SIGKILL)
        server.communicate(timeout=30)
    assert len(conversations) == 2
    house = build_house()  # opens the same folder, as a restart does
    for conversation_id, name in zip(conversations, ("Anna", "Binh"), strict=True):
        thread = house.chat.thread("anna", conversation_id)
        question, answer = thread.messages
        assert question.content == (f"{name} was a fox, and a clever one. " * 50).strip()
        assert answer.content
        assert question.content.startswith(answer.content)
        assert answer.finish_reason is FinishReason.INTERRUPTED
        assert thread.run is None
        again = house.ask(None, conversation_id=conversation_id, parent_id=question.id)
        assert again.wait(60)
        assert house.messages(again)[-1].content == question.content


def test_an_answer_whose_end_could_not_be_stored_is_not_shown_as_running(house: House) -> None:
    run = house.answer("hello")
    with house.database.write() as connection:
        connection.execute(text("UPDATE messages SET finish_reason = NULL"))
    question, answer = house.messages(run)
    assert (question.finish_reason, answer.finish_reason) == (None, FinishReason.INTERRUPTED)
