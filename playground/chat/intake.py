"""From a request to an exchange that may be stored and answered, or to a refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from playground.chat.incoming import title_of
from playground.chat.thread import branch
from playground.domain import ChatRequest, Conversation, Message, Verdict, utc_now
from playground.errors import InvalidRequest
from playground.moderation.contract import Moderator, Screened
from playground.storage.conversations import ConversationStore


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is about to be stored and answered.

    `branch` ends with the question, `answer` is empty as yet, `new` are the messages that are not stored yet.
    `verdicts` are the gate's decisions about system prompt and question, those of rules on trial included.
    """

    conversation: Conversation
    branch: tuple[Message, ...]
    answer: Message
    new: tuple[Message, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The gate said no to the question or to the system prompt."""

    verdict: Verdict


class Intake:
    """Puts a checked request in its place in the conversation, and through the gate. Stores nothing."""

    def __init__(self, moderator: Moderator, store: ConversationStore) -> None:
        self._moderator = moderator
        self._store = store

    def prepare(self, request: ChatRequest, conversation_id: str) -> Exchange | Refusal:
        """The exchange that the request asks for; `conversation_id` is the new conversation's if it names none.

        Raises UnknownConversation, InvalidRequest for a place that is not there, StorageError.
        """
        before, earlier = self._place(request, conversation_id)
        verdicts: list[Verdict] = []
        texts: list[str] = []
        for screened in self._screened(request, before, earlier):
            if screened.verdict is not None:
                if screened.blocked:
                    return Refusal(screened.verdict)
                verdicts.append(screened.verdict)
            texts.append(screened.text)
        return _exchange(request, before, earlier, texts, tuple(verdicts))

    def _place(self, request: ChatRequest, conversation_id: str) -> tuple[Conversation, tuple[Message, ...]]:
        """The conversation as it is, and its messages up to the one that the request goes on from."""
        if request.conversation_id is None:
            if request.parent_id is not None:
                raise InvalidRequest("A new conversation has no earlier message. Reload the page and try again.")
            return Conversation(request.owner, conversation_id), ()
        conversation = self._store.get(request.owner, conversation_id)
        path = branch(self._store.parents(conversation_id), request.parent_id)
        found = self._store.messages(conversation_id, path)
        earlier = tuple(found[message_id] for message_id in path)
        wanted = "user" if request.text is None else "assistant"
        if request.parent_id is not None and (not earlier or earlier[-1].role != wanted):
            raise InvalidRequest("The message to go on from is not there. Reload the page and try again.")
        return conversation, earlier

    def _screened(
        self, request: ChatRequest, before: Conversation, earlier: tuple[Message, ...]
    ) -> tuple[Screened, Screened]:
        """System prompt and question through the gate; what is stored already has been there."""
        prompt, question = Screened(request.system_prompt), Screened("")
        if request.system_prompt not in {"", before.system_prompt}:
            prompt = self._moderator.check_input(
                request.system_prompt, language=request.language, model_id=request.model_id
            )
        if request.text is not None:
            question = self._moderator.check_input(
                request.text,
                context=[message.content for message in earlier],
                language=request.language,
                model_id=request.model_id,
            )
        return prompt, question


def _exchange(
    request: ChatRequest,
    before: Conversation,
    earlier: tuple[Message, ...],
    cleared: list[str],
    verdicts: tuple[Verdict, ...],
) -> Exchange:
    system_prompt, text = cleared
    asked = earlier
    if request.text is not None:
        told = tuple(verdict for verdict in verdicts if not verdict.silent)
        asked = (*earlier, Message("user", text, parent_id=request.parent_id, verdicts=told))
    answer = Message("assistant", "", parent_id=asked[-1].id, model_id=request.model_id)
    conversation = replace(
        before,
        title=before.title or title_of(asked[0].content),
        model_id=request.model_id,
        system_prompt=system_prompt,
        params=request.params,
        leaf_id=answer.id,
        updated_at=utc_now(),
    )
    return Exchange(conversation, asked, answer, (*asked[len(earlier) :], answer), verdicts)
