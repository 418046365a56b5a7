"""Bad input: each kind is cleaned, or refused with one sentence."""

from __future__ import annotations

import pytest

from playground.chat.incoming import check_id, checked, clean_message, clean_prompt
from playground.domain import ChatRequest, new_id
from playground.errors import InvalidRequest, MessageTooLong, UnknownConversation, UserError

LIMIT = 1000


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("hello", "hello"),
        ("\n\n  \n    indented = True\n\n", "    indented = True"),
        ("tab\tand\r\nline", "tab\tand\nline"),
        ("bell\x07 and\x00 zero", "bell and zero"),
        ("half a pair \ud83d here", "half a pair \ufffd here"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a" + "\n" * 900 + "b", "a" + "\n" * 900 + "b"),
        ("Xin chào 🇻🇳", "Xin chào 🇻🇳"),
        ("مرحبا", "مرحبا"),
    ],
)
def test_what_can_be_mended_is(text: str, cleaned: str) -> None:
    assert clean_message(text, LIMIT) == cleaned


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("", InvalidRequest, "The message is empty. Write something first."),
        (" \n\t ", InvalidRequest, "empty"),
        ("\n" * 900, InvalidRequest, "empty"),
        ("\u200b\u200d\ufeff", InvalidRequest, "empty"),
        ("\x00" * 50, InvalidRequest, "binary"),
        ("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01", InvalidRequest, "binary"),
        ("\ud800" * 20 + "text", InvalidRequest, "binary"),
        ("x" * 1_000_000, MessageTooLong, "1,000,000 characters; at most 1,000"),
    ],
)
def test_what_cannot_be_mended_is_refused_with_one_sentence(text: str, error: type[UserError], sentence: str) -> None:
    with pytest.raises(error, match=sentence) as caught:
        clean_message(text, LIMIT)
    assert len(str(caught.value)) < 200


def test_a_system_prompt_may_be_empty_but_not_too_long() -> None:
    assert clean_prompt("  \n ", LIMIT) == ""
    with pytest.raises(MessageTooLong, match="system prompt"):
        clean_prompt("x" * (LIMIT + 1), LIMIT)


@pytest.mark.parametrize(
    "conversation_id", ["", "x", "\ud800", "0" * 33, "../etc/passwd", "0123456789ABCDEF" * 2, "'; --"]
)
def test_what_cannot_be_an_id_is_an_unknown_conversation(conversation_id: str) -> None:
    with pytest.raises(UnknownConversation):
        check_id(conversation_id)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"owner": ""}, "whose conversation"),
        ({"owner": "x" * 65}, "whose conversation"),
        ({"owner": "a\x00b"}, "whose conversation"),
        ({"language": "fr"}, "en or vi"),
        ({"parent_id": "x", "conversation_id": new_id()}, "go on from"),
        ({"text": None}, "no question"),
        ({"text": None, "conversation_id": new_id()}, "no question"),
        ({"text": ""}, "empty"),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, str], sentence: str) -> None:
    fields = {"owner": "anna", "model_id": "echo", "text": "hi"} | changes
    with pytest.raises(InvalidRequest, match=sentence):
        checked(ChatRequest(**fields), LIMIT)  # type: ignore[arg-type]


def test_a_good_request_comes_back_cleaned() -> None:
    request = checked(ChatRequest("anna", "echo", "\nhi\x00 there, how are you?", system_prompt=" Be brief. "), LIMIT)
    assert (request.text, request.system_prompt) == ("hi there, how are you?", "Be brief.")
