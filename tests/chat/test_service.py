"""Asking, following up, asking again, editing, looking through and putting away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from playground.domain import (
    Action,
    Blocked,
    Conversation,
    Direction,
    Finished,
    FinishReason,
    SamplingParams,
    TextDelta,
    new_id,
)
from playground.engines.contract import Delta, Progress, Prompt
from playground.errors import (
    Busy,
    InvalidRequest,
    MessageTooLong,
    PlaygroundError,
    UnknownConversation,
    UnknownModel,
)
from tests.chat.conftest import House, Saying

RUDE = "You are a fucking piece of shit."


def test_a_question_is_answered_and_both_are_kept(house: House) -> None:
    run = house.answer("Xin chào, bạn khoẻ không?")
    *deltas, end = run.events()
    assert "".join(event.text for event in deltas if isinstance(event, TextDelta)) == "Xin chào, bạn khoẻ không?"
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.completion_tokens) == (FinishReason.STOP, 7)
    question, answer = house.messages(run)
    assert (question.id, answer.id) == (run.user_message_id, run.message_id)
    assert (question.role, question.content, question.parent_id) == ("user", "Xin chào, bạn khoẻ không?", None)
    assert (answer.content, answer.model_id, answer.parent_id) == (question.content, "echo", question.id)
    assert (answer.finish_reason, answer.usage, answer.timings) == (FinishReason.STOP, end.usage, end.timings)
    (conversation,) = house.chat.conversations("anna")
    assert (conversation.title, conversation.model_id) == ("Xin chào, bạn khoẻ không?", "echo")


def test_the_question_is_on_the_disk_before_the_engine_is_asked(build_house: Callable[..., House]) -> None:
    seen: list[str] = []

    class Looking(Saying):
        def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
            (conversation,) = house.store.listed("anna")
            parents = house.store.parents(conversation.id)
            seen.extend(message.content for message in house.store.messages(conversation.id, parents).values())
            return super().generate(prompt, params, progress)

    house = build_house(Looking())
    house.answer("Is it there?")
    assert sorted(seen) == ["", "Is it there?"]


def test_a_follow_up_sends_the_branch_and_keeps_the_title(house: House) -> None:
    first = house.answer("one")
    second = house.answer("two", first, system_prompt="Be brief.")
    assert isinstance(house.engine, Saying)
    assert [(turn.role, turn.content) for turn in house.engine.prompts[-1].turns] == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "one"),
        ("user", "two"),
    ]
    thread = house.chat.thread("anna", second.conversation_id or "")
    assert [message.content for message in thread.messages] == ["one", "one", "two", "two"]
    assert (thread.conversation.title, thread.conversation.system_prompt) == ("one", "Be brief.")


def test_retry_and_edit_are_versions_and_any_of_them_can_be_shown(house: House) -> None:
    first = house.answer("one")
    follow = house.answer("two", first)
    again = house.answer(None, first)
    edited = house.answer("uno", conversation_id=first.conversation_id)
    thread = house.chat.thread("anna", first.conversation_id or "")
    assert [message.content for message in thread.messages] == ["uno", "uno"]
    assert thread.versions[edited.user_message_id or ""] == (first.user_message_id, edited.user_message_id)
    assert isinstance(house.engine, Saying)
    assert [turn.content for turn in house.engine.prompts[-1].turns] == ["uno"]

    thread = house.chat.select("anna", first.conversation_id or "", first.user_message_id or "")
    assert thread.messages[-1].id == again.message_id  # the newest below the first question
    assert thread.versions[again.message_id or ""] == (first.message_id, again.message_id)
    thread = house.chat.select("anna", first.conversation_id or "", first.message_id or "")
    assert [message.content for message in thread.messages] == ["one", "one", "two", "two"]
    assert thread.messages[-1].id == follow.message_id
    with pytest.raises(InvalidRequest, match="not in the conversation"):
        house.chat.select("anna", first.conversation_id or "", new_id())


def test_options_are_kept_per_conversation(house: House) -> None:
    params = SamplingParams(temperature=0.1, max_tokens=3)
    run = house.answer("hello there, you", params=params, system_prompt="Be brief.")
    thread = house.chat.thread("anna", run.conversation_id or "")
    assert (thread.conversation.params, thread.conversation.system_prompt) == (params, "Be brief.")
    assert (thread.messages[-1].content, thread.messages[-1].finish_reason) == ("hello there,", FinishReason.LENGTH)
    changed = house.chat.configure("anna", thread.conversation.id, system_prompt="", model_id="pip")
    assert (changed.params, changed.system_prompt, changed.model_id) == (params, "", "pip")
    assert house.chat.configure("anna", changed.id, params=SamplingParams()).params == SamplingParams()
    with pytest.raises(UnknownModel):
        house.chat.configure("anna", changed.id, model_id="gpt-9")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"text": ""}, InvalidRequest),
        ({"text": "x" * 32_001}, MessageTooLong),
        ({"system_prompt": "x" * 32_001}, MessageTooLong),
        ({"model_id": "gpt-9"}, UnknownModel),
        ({"conversation_id": new_id()}, UnknownConversation),
        ({"conversation_id": "\ud800"}, UnknownConversation),
        ({"parent_id": new_id()}, InvalidRequest),
        ({"text": None}, InvalidRequest),
    ],
)
def test_a_bad_request_is_refused_and_leaves_nothing(
    house: House, changes: dict[str, object], error: type[PlaygroundError]
) -> None:
    with pytest.raises(error):
        house.ask("hello", **changes) if "text" not in changes else house.ask(changes["text"])  # type: ignore[arg-type]
    assert house.chat.conversations("anna") == []
    assert isinstance(house.engine, Saying)
    assert house.engine.prompts == []
    house.answer("and the next one works")


@pytest.mark.parametrize(("text", "parent"), [("follow", "question"), (None, "answer"), ("x", "gone"), (None, "gone")])
def test_a_question_follows_an_answer_and_an_answer_follows_a_question(
    house: House, text: str | None, parent: str
) -> None:
    run = house.answer("one")
    parents = {"question": run.user_message_id, "answer": run.message_id, "gone": new_id()}
    with pytest.raises(InvalidRequest, match="go on from"):
        house.ask(text, conversation_id=run.conversation_id, parent_id=parents[parent])


def test_one_answer_at_a_time_in_a_conversation(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(1, 0.01))
    run = house.ask("a long answer " * 50)
    assert house.chat.active("anna", run.conversation_id or "") is run
    assert house.chat.active("bob", run.conversation_id or "") is None
    assert house.chat.thread("anna", run.conversation_id or "").run is run
    with pytest.raises(Busy, match="already being written"):
        house.ask("more", run)
    other = house.ask("another conversation is free")
    for going in (run, other):
        going.cancel()
        assert going.wait(30)
    assert house.chat.active("anna", run.conversation_id or "") is None
    house.answer("now it works", run)


def test_blocked_words_are_neither_stored_nor_sent(build_house: Callable[..., House]) -> None:
    house = build_house(policy='extends = "standard"\n[input]\nprofanity = "block"')
    run = house.answer(RUDE)
    (end,) = run.events()
    assert isinstance(end, Blocked)
    assert (end.verdict.direction, end.verdict.action) == (Direction.INPUT, Action.BLOCK)
    assert (run.conversation_id, run.user_message_id, run.message_id) == (None, None, None)
    assert house.chat.conversations("anna") == []
    assert isinstance(house.engine, Saying)
    assert house.engine.prompts == []
    assert {row["conversation_id"] for row in house.decisions.newest()} == {None}
    assert house.chat.run("anna", run.id) is run
    assert house.chat.run("bob", run.id) is None

    polite = house.answer("Good morning.")
    refused = house.answer(RUDE, polite)
    assert (refused.conversation_id, refused.message_id) == (polite.conversation_id, None)
    assert len(house.messages(polite)) == 2
    blocked_prompt = house.answer("hello", polite, system_prompt=RUDE)
    assert isinstance(blocked_prompt.snapshot().end, Blocked)
    for attempt in (
        lambda: house.chat.rename("anna", polite.conversation_id or "", RUDE),
        lambda: house.chat.configure("anna", polite.conversation_id or "", system_prompt=RUDE),
    ):
        with pytest.raises(InvalidRequest, match="safety check"):
            attempt()
    for word in (b"fucking", b"shit"):
        assert word not in house.stored_bytes()
    assert len(house.engine.prompts) == 1


def test_a_warning_stays_with_the_question(house: House) -> None:
    run = house.answer("What the fuck is a token?")
    question, answer = house.messages(run)
    assert [verdict.action for verdict in question.verdicts] == [Action.WARN]
    assert isinstance(house.engine, Saying)
    assert house.engine.prompts[-1].turns[-1].content == question.content == "What the fuck is a token?"
    assert {row["conversation_id"] for row in house.decisions.newest()} >= {run.conversation_id}
    assert answer.finish_reason is not None


def test_a_redacted_question_is_stored_and_sent_redacted(build_house: Callable[..., House]) -> None:
    house = build_house(policy='extends = "standard"\n[input]\nemail = "redact"')
    run = house.answer("anna.nguyen@example.com is my address", system_prompt="I am anna.nguyen@example.com")
    assert isinstance(house.engine, Saying)
    assert "anna.nguyen" not in "".join(turn.content for turn in house.engine.prompts[-1].turns)
    question = house.messages(run)[0]
    assert "is my address" in question.content
    assert {verdict.action for verdict in question.verdicts} == {Action.REDACT}
    assert b"anna.nguyen" not in house.stored_bytes()


def test_each_owner_sees_only_what_is_theirs(house: House) -> None:
    run = house.answer("mine alone")
    there = run.conversation_id or ""
    assert house.chat.conversations("bob") == []
    for attempt in (
        lambda: house.chat.thread("bob", there),
        lambda: house.chat.rename("bob", there, "x"),
        lambda: house.chat.configure("bob", there, model_id="echo"),
        lambda: house.chat.select("bob", there, run.message_id or ""),
        lambda: house.chat.delete("bob", there),
        lambda: house.chat.restore("bob", there),
        lambda: house.ask("x", run, owner="bob"),
        lambda: house.ask(None, run, owner="bob"),
    ):
        with pytest.raises(UnknownConversation):
            attempt()
    assert len(house.messages(run)) == 2


def test_titles_are_one_short_line(house: House) -> None:
    run = house.answer("```py\nprint('xin chào')\n```\n" + "and more words " * 20)
    (conversation,) = house.chat.conversations("anna")
    assert "\n" not in conversation.title
    assert len(conversation.title) <= 60
    assert house.chat.rename("anna", run.conversation_id or "", " My\n code\u202e ").title == "My code"
    with pytest.raises(InvalidRequest, match="empty"):
        house.chat.rename("anna", run.conversation_id or "", " \u202e\x00 ")


def test_search_finds_conversations_by_what_was_said(house: House) -> None:
    house.answer("Thủ đô của Na Uy")
    house.answer("A story about a fox")
    assert [found.title for found in house.chat.conversations("anna", "thu do")] == ["Thủ đô của Na Uy"]
    assert house.chat.conversations("anna", "\ud800\x00wolf") == []


def test_deleting_stops_the_answer_and_can_be_undone(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(1, 0.01))
    run = house.ask("a long answer " * 50)
    house.chat.delete("anna", run.conversation_id or "")
    assert run.wait(30)
    assert house.chat.conversations("anna") == []
    with pytest.raises(UnknownConversation):
        house.ask("hello?", run)
    restored = house.chat.restore("anna", run.conversation_id or "")
    assert isinstance(restored, Conversation)
    assert house.messages(run)[-1].finish_reason == FinishReason.CANCELLED


def test_the_log_has_ids_and_no_words(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    run = house.answer("a secret between us, what the fuck")
    house.chat.close()
    assert run.id in caplog.text
    assert "secret" not in caplog.text
    assert "fuck" not in caplog.text
