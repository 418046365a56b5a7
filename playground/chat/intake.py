"""From a request to an exchange that may be stored and answered, or to a refusal."""

from __future__ import annotations

from collections.abc import Sequence
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

    def prepare(self, requests: Sequence[ChatRequest], conversation_ids: Sequence[str]) -> list[Exchange] | Refusal:
        """The exchanges that the requests ask for, all of the same text, which is screened once for all of them.

        `conversation_ids` are those of new conversations where a request names none. Raises UnknownConversation,
        InvalidRequest for a place that is not there, StorageError.
        """
        places = [self._place(request, at) for request, at in zip(requests, conversation_ids, strict=True)]
        prompts = [self._prompt(request, before) for request, (before, _) in zip(requests, places, strict=True)]
        questions = self._question(requests, [earlier for _, earlier in places])
        for screened in (*prompts, *questions):
            if screened.blocked and screened.verdict is not None:
                return Refusal(screened.verdict)
        asked = [screened.verdict for screened in questions if screened.verdict is not None]
        return [
            _exchange(
                request,
                before,
                earlier,
                [prompt.text, questions[-1].text],
                tuple(filter(None, (prompt.verdict, *asked))),
            )
            for request, (before, earlier), prompt in zip(requests, places, prompts, strict=True)
        ]

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

    def _prompt(self, request: ChatRequest, before: Conversation) -> Screened:
        """The system prompt through the gate; what is stored already has been there."""
        if request.system_prompt in {"", before.system_prompt}:
            return Screened(request.system_prompt)
        return self._moderator.check_input(request.system_prompt, language=request.language, model_id=request.model_id)

    def _question(self, requests: Sequence[ChatRequest], earlier: Sequence[tuple[Message, ...]]) -> list[Screened]:
        """The question through the gate: once, and once more for each model that the policy has rules for.

        Each time it is what the time before made of it, so the last result is what may be used; a block ends it.
        """
        first = requests[0]
        if first.text is None:
            return [Screened("")]
        names = dict.fromkeys(one.model_id if self._moderator.tailors(one.model_id) else "" for one in requests)
        results: list[Screened] = []
        for name in names:
            text = results[-1].text if results else first.text
            context = _context(earlier)
            results.append(self._moderator.check_input(text, context=context, language=first.language, model_id=name))
            if results[-1].blocked:
                break
        return results


def _context(earlier: Sequence[tuple[Message, ...]]) -> list[str]:
    """What came before a question, the newest last: the turns of the first conversation; the last answers of the
    others, which the question meets as well, stand before its newest exchange.
    """
    turns = [message.content for message in earlier[0]]
    answers = [messages[-1].content for messages in earlier[1:] if messages]
    return [*turns[:-2], *answers, *turns[-2:]]


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
