"""What people do with a chat, as transitions of plain data, on the real services with the echo engine."""

from __future__ import annotations

import pytest

from playground.chat.run import RunSnapshot
from playground.domain import SamplingParams
from playground.errors import InvalidRequest, UnknownConversation, UnknownModel
from playground.services import Services
from playground.ui import chat_view
from playground.ui.chat_view import WINDOW, ChatView
from playground.ui.words import Words

OWNER = "0" * 32
ABUSE = "kill yourself you worthless piece of shit"


def finished(view: ChatView, services: Services) -> ChatView:
    """The view after the answer that is being written."""
    run = services.chat.active(OWNER, view.conversation_id or "")
    assert run is None or run.wait(10)
    return chat_view.refreshed(view, services.chat)


def asked(view: ChatView, services: Services, words: Words, text: str, **more: str) -> ChatView:
    return finished(chat_view.sent(view, services.chat, words, text=text, ticket="t", **more), services)


def texts(view: ChatView) -> list[str]:
    return [message.content for message in view.messages]


@pytest.fixture
def empty() -> ChatView:
    return ChatView(OWNER, "echo")


def test_a_message_is_taken_answered_and_kept(services: Services, words: Words, empty: ChatView) -> None:
    view = chat_view.sent(empty, services.chat, words, text="Hello", ticket="t1")
    assert (view.ticket, view.outcome, view.notice) == ("t1", "taken", None)
    view = finished(view, services)
    assert texts(view) == ["Hello", "Hello"]
    assert not view.busy
    again = chat_view.opened(ChatView(OWNER, "pip"), services.chat, view.conversation_id or "")
    assert texts(again) == ["Hello", "Hello"]
    assert again.model_id == "echo"


def test_a_blocked_message_is_given_back_and_nothing_is_kept(services: Services, words: Words, empty: ChatView) -> None:
    view = asked(empty, services, words, ABUSE)
    assert (view.outcome, view.conversation_id, view.messages) == ("refused", None, ())
    assert view.notice is not None
    assert view.notice.kind == "blocked"
    assert services.chat.conversations(OWNER) == []
    view = asked(view, services, words, "Hello")
    assert view.notice is None
    assert texts(view) == ["Hello", "Hello"]


def test_retry_and_edit_make_versions_and_nothing_is_lost(services: Services, words: Words, empty: ChatView) -> None:
    view = asked(empty, services, words, "One")
    view = finished(chat_view.retried(view, services.chat, words, view.messages[1].id), services)
    assert len(view.versions[view.messages[1].id]) == 2
    view = asked(view, services, words, "Uno", edit=view.messages[0].id)
    assert texts(view) == ["Uno", "Uno"]
    first, second = view.versions[view.messages[0].id]
    assert second == view.messages[0].id
    assert texts(chat_view.selected(view, services.chat, first)) == ["One", "One"]


def test_an_edit_in_the_middle_keeps_what_came_before(services: Services, words: Words, empty: ChatView) -> None:
    view = asked(asked(empty, services, words, "One"), services, words, "Two")
    view = asked(view, services, words, "Zwei", edit=view.messages[2].id)
    assert texts(view) == ["One", "One", "Zwei", "Zwei"]


def test_the_window_is_bounded_and_widens(services: Services, words: Words, empty: ChatView) -> None:
    view = empty
    for number in range(WINDOW // 2 + 2):
        view = asked(view, services, words, f"Number {number}")
    assert (len(view.shown), view.earlier) == (WINDOW, 4)
    wider = chat_view.widened(view)
    assert (len(wider.shown), wider.earlier) == (WINDOW + 4, 0)
    assert chat_view.opened(wider, services.chat, view.conversation_id or "").window == wider.window


def test_a_model_is_switched_within_a_conversation(services: Services, words: Words, empty: ChatView) -> None:
    view = asked(empty, services, words, "Hello")
    view = chat_view.with_model(view, services.chat, words, "pip")
    assert chat_view.refreshed(view, services.chat).model_id == "pip"
    with pytest.raises(UnknownModel):
        chat_view.with_model(view, services.chat, words, "gpt-17")


def test_settings_belong_to_the_conversation(services: Services, words: Words, empty: ChatView) -> None:
    params = SamplingParams(max_tokens=1)
    before = chat_view.with_settings(empty, services.chat, words, "Be brief.", params)
    view = asked(before, services, words, "Hello there")
    assert texts(view)[1] == "Hell"
    view = chat_view.with_settings(view, services.chat, words, "", SamplingParams(max_tokens=2))
    again = chat_view.opened(ChatView(OWNER, "echo"), services.chat, view.conversation_id or "")
    assert again.params == SamplingParams(max_tokens=2)
    assert again.system_prompt == ""
    assert chat_view.closed(view).params is None


def test_a_foreign_conversation_does_not_exist(services: Services, words: Words, empty: ChatView) -> None:
    view = asked(empty, services, words, "Secret plans")
    with pytest.raises(UnknownConversation):
        chat_view.opened(ChatView("f" * 32, "echo"), services.chat, view.conversation_id or "")


def test_errors_become_notices_and_give_the_words_back(words: Words, empty: ChatView) -> None:
    view = chat_view.failed(empty, words, InvalidRequest("It is too late."), "t9")
    assert view.notice is not None
    assert view.notice.text == "It is too late."
    assert (view.ticket, view.outcome) == ("t9", "refused")
    assert chat_view.failed(empty, words, InvalidRequest("No.")).outcome == "taken"


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_an_empty_message_is_refused(services: Services, words: Words, empty: ChatView, text: str) -> None:
    with pytest.raises(InvalidRequest):
        chat_view.sent(empty, services.chat, words, text=text, ticket="t")


def test_a_message_that_is_not_on_display_cannot_be_retried(services: Services, words: Words, empty: ChatView) -> None:
    with pytest.raises(InvalidRequest):
        chat_view.retried(empty, services.chat, words, "nothing")


def test_a_live_answer_is_the_last_message_as_far_as_it_is_released(
    services: Services, words: Words, empty: ChatView
) -> None:
    view = chat_view.sent(asked(empty, services, words, "One"), services.chat, words, text="Two", ticket="t")
    snapshot = RunSnapshot(1, "Tw", "Hmm", None, (), 1, 0.1, None, None)
    answer = chat_view.following(view, snapshot)
    assert (answer.id, answer.content, answer.reasoning) == (view.messages[-1].id, "Tw", "Hmm")
    finished(view, services)
