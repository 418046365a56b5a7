"""A conversation as a tree of messages, and the branch of it that is on display."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playground.chat.run import Run
from playground.domain import Blocked, Conversation, Failed, Finished, FinishReason, Message

Parents = Mapping[str, str | None]
"""Message id -> id of the message before it (None: a first message), oldest first."""


@dataclass(frozen=True, slots=True)
class Thread:
    """What the page shows of one conversation.

    `messages` are the branch on display, oldest first. `versions` gives for each of them the ids of its siblings
    (retries, edits) with itself among them, oldest first. `run` is the answer that is being written, if one is.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    versions: Mapping[str, tuple[str, ...]]
    run: Run | None


def branch(parents: Parents, leaf_id: str | None) -> list[str]:
    """The ids from the first message to `leaf_id`; empty when there is no such message."""
    path: list[str] = []
    at = leaf_id
    while at in parents and at is not None:
        path.append(at)
        at = parents[at]
    return path[::-1]


def versions(parents: Parents, shown: list[str]) -> dict[str, tuple[str, ...]]:
    """For each message of `shown`, the ids of all messages with the same parent."""
    siblings: dict[str | None, list[str]] = {}
    for message_id, parent_id in parents.items():
        siblings.setdefault(parent_id, []).append(message_id)
    return {message_id: tuple(siblings[parents[message_id]]) for message_id in shown}


def newest_leaf(parents: Parents, message_id: str) -> str:
    """The newest message below `message_id` that nothing follows; itself when nothing follows it."""
    below = {message_id}
    newest = message_id
    for child, parent in parents.items():  # oldest first, so a parent is always seen before its children
        if parent in below:
            below.add(child)
            newest = child
    return newest


def end_of(last: Message) -> Blocked | Finished | Failed | None:
    """How a stored answer ended, as the event that ended it; None for one without an end, and for a question."""
    if last.role != "assistant" or last.finish_reason is None:
        return None
    blocking = next((verdict for verdict in last.verdicts if verdict.action == "block"), None)
    if last.finish_reason is FinishReason.CONTENT_FILTER and blocking is not None:
        return Blocked(blocking)
    if last.error:
        return Failed(last.error, "")
    figures = {name: value for name in ("usage", "timings") if (value := getattr(last, name)) is not None}
    return Finished(last.finish_reason, dropped_messages=last.dropped_messages, verdicts=last.verdicts, **figures)
