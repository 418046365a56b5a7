"""The chat as plain data, and what people can do to it. No Gradio here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from playground.chat.run import RunSnapshot
from playground.chat.service import ChatService
from playground.chat.thread import Thread
from playground.domain import Blocked, ChatRequest, Message, SamplingParams
from playground.errors import InvalidRequest, PlaygroundError
from playground.review.desk import ReportDesk
from playground.ui.notice_view import Notice, error_notice, verdict_notice
from playground.ui.words import Words

WINDOW = 30
"""How many of the last messages the page shows at once: every update of an answer costs in proportion to it."""

Outcome = Literal["pending", "taken", "refused"]


@dataclass(frozen=True, slots=True)
class ChatView:
    """One tab of one person. Messages are the branch on display, oldest first.

    `params` None means the model's own. `ticket` is the page's name for the last message it sent, and `outcome` tells
    whether the server has taken it; until then the page keeps the words.
    """

    owner: str
    model_id: str
    conversation_id: str | None = None
    system_prompt: str = ""
    params: SamplingParams | None = None
    messages: tuple[Message, ...] = ()
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    window: int = WINDOW
    busy: bool = False
    notice: Notice | None = None
    ticket: str = ""
    outcome: Outcome = "taken"

    @property
    def shown(self) -> tuple[Message, ...]:
        """The messages inside the window."""
        return self.messages[-self.window :]

    @property
    def earlier(self) -> int:
        """How many messages lie before the window."""
        return max(0, len(self.messages) - self.window)

    @property
    def reportable(self) -> frozenset[str]:
        """Ids of the answers and decisions on display."""
        decisions = (verdict.id for message in self.shown for verdict in message.verdicts)
        receipts = (self.notice.receipt,) if self.notice and self.notice.receipt else ()
        return frozenset((*(message.id for message in self.shown), *decisions, *receipts))


def opened(view: ChatView, service: ChatService, conversation_id: str) -> ChatView:
    """The conversation with this id, as it is now. Raises UnknownConversation."""
    same = conversation_id == view.conversation_id
    window = view.window if same else WINDOW
    return _with_thread(replace(view, window=window, notice=None), service.thread(view.owner, conversation_id))


def closed(view: ChatView) -> ChatView:
    """An empty page for a new conversation with the same model."""
    return ChatView(view.owner, view.model_id)


def refreshed(view: ChatView, service: ChatService) -> ChatView:
    """The same conversation, read again; the notice stays."""
    if view.conversation_id is None:
        return view
    return _with_thread(view, service.thread(view.owner, view.conversation_id))


def sent(view: ChatView, service: ChatService, words: Words, *, text: str, ticket: str, edit: str = "") -> ChatView:
    """Ask `text`; `edit` is the id of an earlier question that it replaces, as a new version.

    Raises what `ChatService.start` raises, and InvalidRequest for a message that is not on display.
    """
    if not text.strip():
        raise InvalidRequest(words("error.empty"))
    last = view.messages[-1].id if view.messages else None
    parent_id = find(view, edit).parent_id if edit else last
    run = service.start(_request(view, words, text, parent_id))
    end = run.snapshot().end
    if isinstance(end, Blocked) and run.user_message_id is None:
        return replace(view, notice=verdict_notice(end.verdict, words), ticket=ticket, outcome="refused")
    taken = replace(view, conversation_id=run.conversation_id, notice=None, ticket=ticket, outcome="taken")
    return refreshed(taken, service)


def retried(view: ChatView, service: ChatService, words: Words, message_id: str) -> ChatView:
    """Ask again for an answer to the question before `message_id`, as a new version of it."""
    service.start(_request(view, words, None, find(view, message_id).parent_id))
    return refreshed(replace(view, notice=None), service)


def selected(view: ChatView, service: ChatService, message_id: str) -> ChatView:
    """Show another version of a message, and what follows it."""
    if view.conversation_id is None:
        raise InvalidRequest("There is no conversation yet. Write a message first.")
    return _with_thread(view, service.select(view.owner, view.conversation_id, message_id))


def widened(view: ChatView) -> ChatView:
    """Show more of the messages before the window."""
    return replace(view, window=view.window + WINDOW)


def with_model(view: ChatView, service: ChatService, words: Words, model_id: str) -> ChatView:
    """Go on with another model. Parameters that were chosen stay, a model's own do not."""
    if view.conversation_id is not None:
        service.configure(view.owner, view.conversation_id, model_id=model_id, language=words.language)
    return replace(view, model_id=model_id, notice=None)


def with_settings(
    view: ChatView, service: ChatService, words: Words, system_prompt: str, params: SamplingParams
) -> ChatView:
    """Keep the system prompt and the parameters for the next questions of this conversation."""
    if view.conversation_id is None:
        return replace(view, system_prompt=system_prompt, params=params, notice=None)
    kept = service.configure(
        view.owner,
        view.conversation_id,
        system_prompt=system_prompt,
        params=params,
        language=words.language,
    )
    return replace(view, system_prompt=kept.system_prompt, params=kept.params, notice=None)


def reported(view: ChatView, desk: ReportDesk, receipt: str, text: str) -> ChatView:
    """Tell the operator that this decision was a mistake; `text` are the person's own words, if they are to be kept.

    Raises UnknownDecision, also for somebody else's.
    """
    desk.report_decision(view.owner, receipt, text)
    return view


def flagged(view: ChatView, desk: ReportDesk, words: Words, message_id: str) -> ChatView:
    """Tell the operator that this answer should have been flagged. Raises InvalidRequest when it is not on display."""
    desk.report_answer(view.owner, find(view, message_id), words.language)
    return view


def failed(view: ChatView, words: Words, error: PlaygroundError, ticket: str = "") -> ChatView:
    """Tell about an error. A message that was being sent is given back."""
    view = replace(view, notice=error_notice(error, words))
    return replace(view, ticket=ticket, outcome="refused") if ticket else view


def following(view: ChatView, snapshot: RunSnapshot) -> Message:
    """The answer being written, the last message of the view, as far as it has been released."""
    return replace(view.messages[-1], content=snapshot.text, reasoning=snapshot.reasoning)


def find(view: ChatView, message_id: str) -> Message:
    """A message on display. Raises InvalidRequest when there is none with this id."""
    for message in view.messages:
        if message.id == message_id:
            return message
    raise InvalidRequest("This message is not on display any more. Reload the page and try again.")


def _request(view: ChatView, words: Words, text: str | None, parent_id: str | None) -> ChatRequest:
    return ChatRequest(
        owner=view.owner,
        model_id=view.model_id,
        text=text,
        conversation_id=view.conversation_id,
        parent_id=parent_id,
        system_prompt=view.system_prompt,
        params=view.params,
        language=words.language,
    )


def _with_thread(view: ChatView, thread: Thread) -> ChatView:
    conversation = thread.conversation
    return replace(
        view,
        model_id=conversation.model_id or view.model_id,
        conversation_id=conversation.id,
        system_prompt=conversation.system_prompt,
        params=conversation.params,
        messages=thread.messages,
        versions=thread.versions,
        busy=thread.run is not None,
    )
