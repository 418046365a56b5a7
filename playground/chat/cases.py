"""An answer on the table, with everything that led to it and the model loaded that wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat.incoming import check_id
from playground.chat.prompting import Built
from playground.chat.thoughts import Pieces, thoughts_of
from playground.chat.thread import branch
from playground.chat.token_views import TokenView
from playground.domain import Action, Conversation, FinishReason, Message, SamplingParams
from playground.engines.contract import Engine, LegibleTokenizer
from playground.errors import Busy, InvalidRequest
from playground.moderation.fingerprint import Fingerprint
from playground.moderation.redaction import marks_in
from playground.storage.conversations import ConversationStore


@dataclass(frozen=True, slots=True)
class Case:
    """An answer with everything that led to it. `branch` ends with the question."""

    conversation: Conversation
    branch: tuple[Message, ...]
    answer: Message
    spec: ModelSpec

    @property
    def params(self) -> SamplingParams:
        """The settings it was asked with."""
        return self.conversation.params or self.spec.defaults

    @property
    def pieces(self) -> Pieces:
        """The answer as the model wrote it: with its thoughts in their tags."""
        return [*thoughts_of(self.answer, self.spec.reasoning_tags), (self.answer.content, False)]

    @property
    def text(self) -> str:
        """The same as one text."""
        return "".join(text for text, _ in self.pieces)


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case with the model loaded. `answer` are its tokens as far as they are looked at; `whole`: all of them.

    `recut`: they are not those that the model wrote.
    """

    case: Case
    engine: Engine
    tokenizer: LegibleTokenizer
    built: Built
    answer: tuple[int, ...]
    whole: bool
    recut: bool

    def end(self, entropy: float) -> TokenView:
        """The place behind the tokens that are looked at."""
        return TokenView("", "end" if self.whole else "more", None, entropy)

    @property
    def stopped(self) -> bool:
        """Whether the gate ended the answer: what would have come next is not shown."""
        return self.whole and self.case.answer.finish_reason is FinishReason.CONTENT_FILTER


def find_case(store: ConversationStore, catalog: Catalog, owner: str, conversation_id: str, message_id: str) -> Case:
    """The case of one answer. Raises UnknownConversation, InvalidRequest, Busy while it is written, UnknownModel."""
    conversation = store.get(owner, check_id(conversation_id))
    path = branch(store.parents(conversation.id), message_id)
    found = store.messages(conversation.id, path)
    messages = tuple(found[message_id] for message_id in path)
    if len(messages) < 2 or messages[-1].role != "assistant" or messages[-1].model_id is None:
        raise InvalidRequest("There is no such answer in this conversation. Reload the page and try again.")
    if messages[-1].finish_reason is None:
        raise Busy("This answer is still being written. Wait for its end, or stop it first.")
    return Case(conversation, messages[:-1], messages[-1], catalog.get(messages[-1].model_id))


def is_received(answer: Message, prompt: Sequence[int], fingerprint: Fingerprint) -> bool:
    """Whether these are the tokens that the model received for an answer.

    Of answers of earlier days only their number is known.
    """
    if answer.making is not None and answer.making.received:
        return answer.making.received == fingerprint.of_tokens(prompt)
    return answer.usage is None or answer.usage.prompt_tokens == len(prompt)


def is_recut(answer: Message, tokens: Sequence[int], fingerprint: Fingerprint) -> bool:
    """Whether an answer was read back into other tokens than the model wrote, as far as that is known.

    What the gate covered was written otherwise; thoughts of earlier days were kept without their white space.
    """
    if any(verdict.action is Action.REDACT for verdict in answer.verdicts):
        return True
    if answer.making is None or not answer.making.written:
        return bool(answer.reasoning) and (answer.making is None or answer.making.frame is None)
    return answer.making.written != fingerprint.of_tokens(tokens)


def covered_spans(answer: Message, text: str) -> list[tuple[int, int]]:
    """Where marks stand in `text`, that of an answer, for what the gate covered."""
    if not any(verdict.action is Action.REDACT for verdict in answer.verdicts):
        return []
    return marks_in(text)
