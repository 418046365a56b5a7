"""Conversations and their messages, kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select, update

from playground.domain import Conversation, FinishReason, Message, SamplingParams, Timings, Usage, utc_now
from playground.errors import UnknownConversation
from playground.storage.database import Database
from playground.storage.records import conversation_of, conversation_record, message_of, message_record
from playground.storage.schema import conversations, messages, writing
from playground.text import fold

MOST_LISTED = 1000
_IDS_AT_ONCE = 500


class ConversationStore:
    """Every method raises StorageError when the database cannot do its work.

    What a method calls acknowledged is on the disk when it returns (see `Database.write`). A store sees either the
    chats or, with `sides`, the sides of comparisons; for each the other kind does not exist.
    """

    def __init__(self, database: Database, *, sides: bool = False) -> None:
        self._database = database
        self._kind = conversations.c.comparison_id.is_not(None) if sides else conversations.c.comparison_id.is_(None)

    def add(self, conversation: Conversation, turns: Sequence[Message]) -> None:
        """Keep new messages at the end of a branch, in one acknowledged transaction.

        The conversation is made if it is not there yet. Of one that is there, the options, the leaf and the time of
        the last change become those given, and the title if it had none.

        Raises UnknownConversation when it was deleted in the meantime, or is somebody else's.
        """
        self.add_all([(conversation, turns)])

    def add_all(self, exchanges: Iterable[tuple[Conversation, Sequence[Message]]]) -> None:
        """Like `add` for several conversations: all of it is kept, or nothing."""
        with self._database.write() as connection:
            for conversation, turns in exchanges:
                self._add(connection, conversation, turns)

    def _add(self, connection: Connection, conversation: Conversation, turns: Sequence[Message]) -> None:
        record = conversation_record(conversation)
        known = connection.execute(select(conversations.c.title).where(conversations.c.id == conversation.id)).first()
        if known is None:
            connection.execute(insert(conversations).values(record))
        else:
            names = (
                "model_id",
                "system_prompt",
                "params",
                "leaf_id",
                "updated_at",
                *([] if known.title else ["title"]),
            )
            self._change(connection, conversation.owner, conversation.id, {name: record[name] for name in names})
        if turns:
            rows = [message_record(turn) | {"conversation_id": conversation.id} for turn in turns]
            connection.execute(insert(messages), rows)

    def get(self, owner: str, conversation_id: str) -> Conversation:
        """One conversation of `owner`.

        Raises UnknownConversation when it is not there, deleted, or somebody else's.
        """
        with self._database.read() as connection:
            row = (
                connection.execute(select(conversations).where(self._visible(owner, conversation_id)))
                .mappings()
                .first()
            )
        if row is None:
            raise _unknown()
        return conversation_of(row)

    def speeds(self, answers: int = 500) -> dict[str, float]:
        """The median decoding speed per model over the newest `answers` answers of everybody, in tokens per second."""
        columns = (messages.c.model_id, messages.c.usage, messages.c.timings)
        told = select(*columns).where(messages.c.timings.is_not(None), messages.c.model_id.is_not(None))
        newest = told.order_by(messages.c.created_at.desc()).limit(answers)
        seen: dict[str, list[float]] = {}
        with self._database.read() as connection:
            for model_id, usage, timings in connection.execute(newest):
                speed = Timings(**timings).tokens_per_second(Usage(**(usage or {})).completion_tokens)
                if speed is not None:
                    seen.setdefault(model_id, []).append(speed)
        return {model_id: median(speeds) for model_id, speeds in seen.items()}

    def listed(self, owner: str, query: str = "") -> list[Conversation]:
        """The conversations of `owner` (newest first, at most `MOST_LISTED`) with `query` in title or messages."""
        found = select(conversations).where(
            conversations.c.owner == owner, conversations.c.deleted_at.is_(None), self._kind
        )
        if query.strip():
            found = found.where(self._mentions(fold(query.strip())))
        newest = found.order_by(conversations.c.updated_at.desc(), conversations.c.id).limit(MOST_LISTED)
        with self._database.read() as connection:
            return [conversation_of(row) for row in connection.execute(newest).mappings()]

    def _mentions(self, folded: str) -> ColumnElement[bool]:
        said = exists().where(
            messages.c.conversation_id == conversations.c.id,
            self._database.folded(messages.c.content).contains(folded, autoescape=True),
        )
        return or_(self._database.folded(conversations.c.title).contains(folded, autoescape=True), said)

    def parents(self, conversation_id: str) -> dict[str, str | None]:
        """The tree without its texts: message id -> id of the message before, oldest first."""
        tree = (
            select(messages.c.id, messages.c.parent_id)
            .where(messages.c.conversation_id == conversation_id)
            .order_by(messages.c.created_at, messages.c.id)
        )
        with self._database.read() as connection:
            return {row.id: row.parent_id for row in connection.execute(tree)}

    def messages(self, conversation_id: str, ids: Collection[str]) -> dict[str, Message]:
        """The messages with these ids, as far as they are in this conversation."""
        wanted = list(ids)
        found: dict[str, Message] = {}
        with self._database.read() as connection:
            for start in range(0, len(wanted), _IDS_AT_ONCE):
                chosen = and_(
                    messages.c.conversation_id == conversation_id,
                    messages.c.id.in_(wanted[start : start + _IDS_AT_ONCE]),
                )
                for row in connection.execute(select(messages).where(chosen)).mappings():
                    found[row["id"]] = message_of(row)
        return found

    def save_progress(self, message_id: str, text: str, reasoning: str) -> None:
        """Keep the released text of an answer that is still being written; survives the end of the process."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(messages)
                .where(_unfinished(), messages.c.id == message_id)
                .values(content=text, reasoning=reasoning)
            )

    def finish(self, answer: Message) -> None:
        """Keep an answer as it ended; acknowledged. An answer that has an end already keeps it.

        But for one that was taken for interrupted: another app process may have thought that this one was gone.
        """
        record = message_record(answer)
        open_ended = or_(_unfinished(), messages.c.finish_reason == FinishReason.INTERRUPTED.value)
        with self._database.write() as connection:
            connection.execute(update(messages).where(open_ended, messages.c.id == answer.id).values(record))

    def mark_interrupted(self) -> int:
        """Give every unfinished answer its end, with the text it has; returns how many there were.

        Except where a process holds the conversation (see `storage.writing`): whoever wrote the others is gone.
        """
        held = exists().where(writing.c.conversation_id == messages.c.conversation_id)
        ended = update(messages).where(_unfinished(), ~held).values(finish_reason=FinishReason.INTERRUPTED.value)
        with self._database.write() as connection:
            return connection.execute(ended).rowcount

    def change(
        self,
        owner: str,
        conversation_id: str,
        *,
        title: str | None = None,
        model_id: str | None = None,
        system_prompt: str | None = None,
        params: SamplingParams | None = None,
        leaf_id: str | None = None,
    ) -> None:
        """Keep what is given (None: leave as it is) of title, options and leaf; acknowledged.

        Raises UnknownConversation.
        """
        given = {
            "title": title,
            "model_id": model_id,
            "system_prompt": system_prompt,
            "params": None if params is None else asdict(params),
            "leaf_id": leaf_id,
        }
        with self._database.write() as connection:
            values = {name: value for name, value in given.items() if value is not None}
            self._change(connection, owner, conversation_id, values)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Hide a conversation until it is restored or purged.

        Raises UnknownConversation.
        """
        with self._database.write() as connection:
            self._change(connection, owner, conversation_id, {"deleted_at": utc_now()})

    def restore(self, owner: str, conversation_id: str) -> Conversation:
        """Bring back a deleted conversation (one that is there stays as it is).

        Raises UnknownConversation when it was purged, or is somebody else's.
        """
        mine = and_(conversations.c.id == conversation_id, conversations.c.owner == owner, self._kind)
        with self._database.write() as connection:
            connection.execute(update(conversations).where(mine).values(deleted_at=None))
        return self.get(owner, conversation_id)

    def purge(self, deleted_before: datetime) -> int:
        """Remove for good what was deleted before that time; returns how many conversations."""
        gone = delete(conversations).where(conversations.c.deleted_at < deleted_before)
        with self._database.write() as connection:
            return connection.execute(gone).rowcount

    def _visible(self, owner: str, conversation_id: str) -> ColumnElement[bool]:
        return and_(
            conversations.c.id == conversation_id,
            conversations.c.owner == owner,
            conversations.c.deleted_at.is_(None),
            self._kind,
        )

    def _change(self, connection: Connection, owner: str, conversation_id: str, values: dict[str, Any]) -> None:
        """Raises UnknownConversation when there is no such conversation to see."""
        if not values:
            return
        changed = update(conversations).where(self._visible(owner, conversation_id)).values(values)
        if not connection.execute(changed).rowcount:
            raise _unknown()


def ended(message: Message) -> Message:
    """`message`, with INTERRUPTED for an answer that has no end although nobody writes it any more."""
    if message.role == "assistant" and message.finish_reason is None:
        return replace(message, finish_reason=FinishReason.INTERRUPTED)
    return message


def _unfinished() -> ColumnElement[bool]:
    return and_(messages.c.role == "assistant", messages.c.finish_reason.is_(None))


def _unknown() -> UnknownConversation:
    return UnknownConversation("This conversation does not exist any more. Choose another one, or start a new one.")
