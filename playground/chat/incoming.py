"""What a person sent, made fit to be used, or refused with one sentence."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from playground.domain import ChatRequest
from playground.errors import InvalidRequest, MessageTooLong, UnknownConversation
from playground.text import plain, shorten

TITLE_CHARS = 60
_ID = re.compile(r"[0-9a-f]{32}")
_BINARY_SHARE = 0.1


def checked(request: ChatRequest, limit: int) -> ChatRequest:
    """The request with its texts cleaned; `limit` is the longest text in characters.

    Raises InvalidRequest, MessageTooLong or UnknownConversation.
    """
    if not request.owner or len(request.owner) > 64 or plain(request.owner) != request.owner:
        raise InvalidRequest("The request does not say whose conversation it is. Reload the page and try again.")
    if request.language not in {"en", "vi"}:
        raise InvalidRequest("The language must be en or vi. Choose one of them.")
    if request.conversation_id is not None:
        check_id(request.conversation_id)
    if request.parent_id is not None and not _ID.fullmatch(request.parent_id):
        raise InvalidRequest("The message to go on from does not exist. Reload the page and try again.")
    if request.text is None and (request.conversation_id is None or request.parent_id is None):
        raise InvalidRequest("There is no question to answer again. Write a message first.")
    if request.text is not None and request.beginning:
        raise InvalidRequest("Only an answer that is asked for again can be given a beginning. Leave one of them out.")
    text = None if request.text is None else clean_message(request.text, limit)
    return replace(request, text=text, system_prompt=clean_prompt(request.system_prompt, limit))


def check_id(conversation_id: str) -> str:
    """The id, if it can be one.

    Raises UnknownConversation.
    """
    if not _ID.fullmatch(conversation_id):
        raise UnknownConversation("This conversation does not exist. Choose another one, or start a new one.")
    return conversation_id


def clean_message(text: str, limit: int) -> str:
    """A message without what is not text, and without empty lines around it.

    Raises InvalidRequest for nothing and for binary data, MessageTooLong with both numbers.
    """
    cleaned = _cleaned(text, limit, "message").rstrip()
    if not any(unicodedata.category(char)[0] not in "ZC" for char in cleaned):
        raise InvalidRequest("The message is empty. Write something first.")
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", cleaned)


def clean_prompt(text: str, limit: int) -> str:
    """A system prompt, which may be empty, cleaned like a message.

    Raises InvalidRequest or MessageTooLong.
    """
    return _cleaned(text, limit, "system prompt").strip()


def title_of(text: str) -> str:
    """A title on one line of at most `TITLE_CHARS` characters."""
    return shorten(text, TITLE_CHARS)


def _cleaned(text: str, limit: int, what: str) -> str:
    if len(text) > limit:
        raise MessageTooLong(
            f"The {what} has {len(text):,} characters; at most {limit:,} can be sent. Shorten it, or send it in parts."
        )
    cleaned = plain(text)
    lost = len(text) - text.count("\r\n") - len(cleaned) + cleaned.count("\ufffd")
    if lost > max(3, _BINARY_SHARE * len(text)):
        raise InvalidRequest(f"The {what} looks like binary data, not text. Paste it as plain text.")
    return cleaned
