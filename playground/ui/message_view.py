"""Messages as the page draws them: what Gradio's chat shows, and beside each what our own script adds to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from playground.domain import Message
from playground.ui.markdown import displayable
from playground.ui.notice_view import Notice, message_notices
from playground.ui.words import Words

ChatMessage = dict[str, object]


@dataclass(frozen=True, slots=True)
class Versions:
    """Which of several versions is on display; `previous` and `next` are message ids."""

    at: int
    of: int
    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """What stands under one message: its text to copy or edit, versions, figures, notices. Figures are (text, hint).

    `model` is the name of the model that answered.
    """

    id: str
    role: str
    text: str
    versions: Versions | None
    stats: tuple[tuple[str, str], ...]
    notices: tuple[Notice, ...]
    model: str = ""


def chat_messages(messages: Iterable[Message], words: Words, *, thinking: bool = False) -> list[ChatMessage]:
    """Messages for Gradio's chat. A thought is a message of its own there; `thinking` says the last one goes on."""
    shown: list[ChatMessage] = []
    for message in messages:
        if message.reasoning:
            pending = thinking and not message.content
            title = words("message.thinking" if pending else "message.thought")
            metadata = {"title": title, "status": "pending" if pending else "done"}
            shown.append(_chat_message("assistant", message.reasoning) | {"metadata": metadata})
        shown.append(_chat_message(message.role, message.content))
    return shown


def _chat_message(role: str, text: str) -> ChatMessage:
    # A plain string would lose its leading spaces in Gradio; a text part is taken as it is.
    return {"role": role, "content": [{"type": "text", "text": displayable(text, html=role == "assistant")}]}


def message_rows(
    messages: Iterable[Message], versions: Mapping[str, tuple[str, ...]], names: Mapping[str, str], words: Words
) -> list[Row | None]:
    """One row per message of `chat_messages`, in the same order; None below a thought.

    `names` are the models' names by id; a model that is not in the catalogue any more goes by its id.
    """
    rows: list[Row | None] = []
    for message in messages:
        if message.reasoning:
            rows.append(None)
        rows.append(_row(message, versions.get(message.id, ()), names, words))
    return rows


def _row(message: Message, siblings: tuple[str, ...], names: Mapping[str, str], words: Words) -> Row:
    return Row(
        id=message.id,
        role=message.role,
        text=message.content,
        versions=_versions(message.id, siblings),
        stats=_answered_by(message, names, words) + message_stats(message, words),
        notices=message_notices(message, words),
        model=names.get(message.model_id, message.model_id) if message.model_id else "",
    )


def _answered_by(message: Message, names: Mapping[str, str], words: Words) -> tuple[tuple[str, str], ...]:
    if message.model_id is None:
        return ()
    return ((names.get(message.model_id, message.model_id), words("stats.model_hint")),)


def _versions(message_id: str, siblings: tuple[str, ...]) -> Versions | None:
    if len(siblings) < 2 or message_id not in siblings:
        return None
    at = siblings.index(message_id)
    previous = siblings[at - 1] if at else None
    following = siblings[at + 1] if at + 1 < len(siblings) else None
    return Versions(at + 1, len(siblings), previous, following)


def message_stats(message: Message, words: Words) -> tuple[tuple[str, str], ...]:
    """The quiet line under an answer: speed, time to the first token, counts. Empty when nothing was measured."""
    usage, timings = message.usage, message.timings
    if usage is None or timings is None or not usage.completion_tokens:
        return ()
    stats: list[tuple[str, str]] = []
    speed = timings.tokens_per_second(usage.completion_tokens)
    if speed is not None:
        digits = 1 if speed < 100 else 0
        stats.append((words("stats.speed", value=words.number(speed, digits)), words("stats.speed_hint")))
    stats.append((words("stats.first", value=short_seconds(timings.first_token, words)), words("stats.first_hint")))
    stats.append((words("stats.tokens", count=words.number(usage.completion_tokens)), words("stats.tokens_hint")))
    if usage.cached_tokens:
        counts = {"count": words.number(usage.prompt_tokens), "cached": words.number(usage.cached_tokens)}
        stats.append((words("stats.cached", **counts), words("stats.cached_hint")))
    elif usage.prompt_tokens:
        stats.append((words("stats.prompt", count=words.number(usage.prompt_tokens)), words("stats.prompt_hint")))
    if message.dropped_messages:
        left_out = words("stats.dropped", count=words.number(message.dropped_messages))
        stats.append((left_out, words("stats.dropped_hint")))
    if timings.queued >= 0.1:
        stats.append((words("stats.queued", value=short_seconds(timings.queued, words)), words("stats.queued_hint")))
    return tuple(stats)


def short_seconds(seconds: float, words: Words) -> str:
    """A time as people read it: 320 ms, 1.4 s."""
    if seconds < 0.9995:
        return words("stats.milliseconds", value=max(1, round(seconds * 1000)))
    return words("stats.seconds", value=words.number(seconds, 1))
