"""What can be done with conversations: ask, follow, look through, rename, put away."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from copy import copy
from datetime import timedelta
from functools import partial

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat.answering import Answerer, EngineSource, Observe, Preparation, Task, unobserved
from playground.chat.completions import CompletionRequest, Completions
from playground.chat.incoming import check_id, checked, clean_prompt, title_of
from playground.chat.intake import Exchange, Intake, Refusal
from playground.chat.look_book import LookBook
from playground.chat.neighbours import Neighbours
from playground.chat.run import Run
from playground.chat.runs import Runs
from playground.chat.thread import Thread, branch, newest_leaf, versions
from playground.chat.trail_book import TrailBook
from playground.domain import (
    Blocked,
    ChatRequest,
    Conversation,
    Language,
    Message,
    SamplingParams,
    Verdict,
    new_id,
    utc_now,
)
from playground.errors import DetectorUnavailable, InvalidRequest
from playground.moderation.contract import Moderator, Screened
from playground.moderation.fingerprint import Fingerprint
from playground.storage.conversations import ConversationStore, ended
from playground.storage.decisions import DecisionStore
from playground.text import plain

log = logging.getLogger(__name__)

UNDO_TIME = timedelta(days=1)
"""How long a deleted conversation can be restored."""


class ChatService:
    """The use cases of a chat. Safe to use from many threads; `owner` is whoever the conversations belong to.
    `models` makes a model ready before it is asked (None: every model is); `neighbours` are other processes on the same
    database (None: there are none); `observe` hears how each answer ended; `trails` keeps what servers tell about
    the tokens of answers, `looks` what models on this machine were seen to hold possible (None: books of its own).

    Every method that takes a conversation raises UnknownConversation when `owner` has none with that id, and any
    method may raise StorageError.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        engines: EngineSource,
        models: Preparation | None = None,
        moderator: Moderator,
        conversations: ConversationStore,
        decisions: DecisionStore,
        max_message_chars: int,
        max_runs: int,
        neighbours: Neighbours | None = None,
        observe: Observe = unobserved,
        trails: TrailBook | None = None,
        looks: LookBook | None = None,
        fingerprint: Fingerprint | None = None,
    ) -> None:
        self._catalog = catalog
        self._moderator = moderator
        self._store = conversations
        self._decisions = decisions
        self._limit = max_message_chars
        self._intake = Intake(moderator, conversations)
        self._runs = Runs(max_runs, neighbours)
        self.trails = trails or TrailBook()
        self.looks = looks or LookBook()
        self._answerer = Answerer(
            engines,
            models,
            moderator,
            conversations,
            decisions,
            observe=observe,
            trails=self.trails,
            fingerprint=fingerprint,
        )
        self._completions = Completions(
            catalog=catalog,
            moderator=moderator,
            decisions=decisions,
            runs=self._runs,
            answerer=self._answerer,
            max_message_chars=max_message_chars,
        )

    def start(self, request: ChatRequest) -> Run:
        """Screen and store the question, and begin to answer it. The answer goes on whether anybody watches or not.

        What the gate blocks is not stored and reaches no engine: the run that is returned has then already ended with
        Blocked. A redacted question is stored and sent as redacted. The request's model, system prompt and parameters
        are kept as the conversation's options.

        Raises, before anything is stored: InvalidRequest, MessageTooLong, UnknownModel, UnknownConversation, Busy,
        StorageError.
        """
        return self.start_together([request])[0]

    def start_together(self, requests: Sequence[ChatRequest], *, in_turn: bool = False) -> list[Run]:
        """Ask several conversations the same question (or each for another answer to the one it has).

        It is screened once and stored in all of them before any model runs; what the gate blocks, also of one system
        prompt, is stored in none. `in_turn`: each answer begins when the one before it in `requests` has ended, however
        that went. Raises as `start`, for all of them together.
        """
        specs = [self._catalog.get(request.model_id) for request in requests]
        requests = [checked(request, self._limit) for request in requests]
        ids = [request.conversation_id or new_id() for request in requests]
        with ExitStack() as claims:
            for request, conversation_id in zip(requests, ids, strict=True):
                claims.enter_context(self._runs.claim(conversation_id, request.owner))
            prepared = self._intake.prepare(requests, ids)
            if isinstance(prepared, Refusal):
                return self._refused(requests, prepared)
            return self._launched(requests, specs, prepared, in_turn=in_turn)

    def over(self, conversations: ConversationStore, *, with_trails: bool = True) -> ChatService:
        """The same service over other conversations, with the same line of runs: whoever waits there waits here.

        `with_trails`: whether their answers can be looked into as well.
        """
        other = copy(self)
        other._store = conversations
        other._intake = Intake(self._moderator, conversations)
        other._answerer = self._answerer.over(conversations, self.trails if with_trails else None)
        return other

    def complete(self, request: CompletionRequest) -> tuple[Run, ...]:
        """Answer a conversation that its client keeps: see `Completions.start`. Nothing but decisions is stored."""
        return self._completions.start(request)

    def active(self, owner: str, conversation_id: str) -> Run | None:
        """The run that is writing in this conversation, if there is one."""
        return self._runs.active(owner, conversation_id)

    @property
    def shared(self) -> bool:
        """Whether other processes may write in the same conversations."""
        return self._runs.neighbours.shared

    def run(self, owner: str, run_id: str) -> Run | None:
        """A run by its id: going on, or ended within the last minute."""
        return self._runs.get(owner, run_id)

    def conversations(self, owner: str, query: str = "") -> list[Conversation]:
        """The newest conversations first; with a query those that have it in the title or in a message."""
        return self._store.listed(owner, plain(query)[:200])

    def thread(self, owner: str, conversation_id: str) -> Thread:
        """The conversation with the branch on display and the run that is going on in it."""
        conversation = self._store.get(owner, check_id(conversation_id))
        run = self.active(owner, conversation_id)
        parents = self._store.parents(conversation_id)
        shown = branch(parents, conversation.leaf_id)
        found = self._store.messages(conversation_id, shown)
        if run and run.done:  # it ended in between: what was read may be older than its end
            return self.thread(owner, conversation_id)
        messages = tuple(
            found[message_id] if run and run.message_id == message_id else ended(found[message_id])
            for message_id in shown
        )
        return Thread(conversation, messages, versions(parents, shown), run)

    def messages(self, owner: str, conversation_id: str, *, whole: bool) -> tuple[Message, ...]:
        """What is stored of a conversation, the oldest message first: the branch on display, or all of them."""
        conversation = self._store.get(owner, check_id(conversation_id))
        parents = self._store.parents(conversation_id)
        wanted = list(parents) if whole else branch(parents, conversation.leaf_id)
        found = self._store.messages(conversation_id, wanted)
        return tuple(found[message_id] for message_id in wanted if message_id in found)

    def select(self, owner: str, conversation_id: str, message_id: str) -> Thread:
        """Show the branch through this message, down to the newest message below it.

        Raises InvalidRequest when the message is not in the conversation.
        """
        self._store.get(owner, check_id(conversation_id))
        parents = self._store.parents(conversation_id)
        if message_id not in parents:
            raise InvalidRequest("This message is not in the conversation. Reload the page and try again.")
        self._store.change(owner, conversation_id, leaf_id=newest_leaf(parents, message_id))
        return self.thread(owner, conversation_id)

    def rename(self, owner: str, conversation_id: str, title: str, language: Language = "en") -> Conversation:
        """Give the conversation another title; it passes the gate like everything that is kept.

        Raises InvalidRequest for an empty title and for one that the gate blocks; DetectorUnavailable when the check
        cannot run.
        """
        cleared = self._cleared(owner, conversation_id, title_of(plain(title)), language, "title")
        if not cleared.strip():
            raise InvalidRequest("The title is empty. Write a few words.")
        self._store.change(owner, check_id(conversation_id), title=cleared)
        return self._store.get(owner, conversation_id)

    def configure(
        self,
        owner: str,
        conversation_id: str,
        *,
        model_id: str | None = None,
        system_prompt: str | None = None,
        params: SamplingParams | None = None,
        language: Language = "en",
    ) -> Conversation:
        """Keep options for the next question (None: leave as it is).

        Raises UnknownModel; InvalidRequest or MessageTooLong for the system prompt, also when the gate blocks it;
        DetectorUnavailable when the check cannot run.
        """
        if model_id is not None:
            self._catalog.get(model_id)
        if system_prompt:
            prompt = clean_prompt(system_prompt, self._limit)
            system_prompt = self._cleared(owner, conversation_id, prompt, language, "system prompt")
        self._store.change(
            owner, check_id(conversation_id), model_id=model_id, system_prompt=system_prompt, params=params
        )
        return self._store.get(owner, conversation_id)

    def speeds(self) -> dict[str, float]:
        """How fast each model wrote lately on this machine: the median of its last answers, in tokens per second."""
        return self._store.speeds()

    def delete(self, owner: str, conversation_id: str) -> None:
        """Put a conversation away, and stop the answer in it; it can be restored for `UNDO_TIME`."""
        self._store.delete(owner, check_id(conversation_id))
        self.forget(conversation_id)
        run = self.active(owner, conversation_id)
        if run:
            run.cancel()
        self._store.purge(utc_now() - UNDO_TIME)

    def forget(self, conversation_id: str) -> None:
        """Keep nothing in memory any more of what was seen inside the answers of a conversation."""
        self.trails.forget(conversation_id)
        self.looks.forget(conversation_id)

    def restore(self, owner: str, conversation_id: str) -> Conversation:
        """Undo `delete`; what servers told about its answers stays gone."""
        self.trails.welcome(conversation_id)
        return self._store.restore(owner, check_id(conversation_id))

    def recover(self) -> int:
        """For the start of the server: mark answers that nobody writes any more as interrupted; returns how many.

        Where processes share a database, those of one that was killed follow when it counts as dead.
        """
        self._runs.neighbours.start()
        self._store.purge(utc_now() - UNDO_TIME)
        count = self._store.mark_interrupted()
        if count:
            log.warning("%d answers had been interrupted when the server ended", count)
        return count

    def screen(
        self, owner: str, text: str, language: Language = "en", *, conversation_id: str | None = None
    ) -> Screened:
        """Words that are kept before a model is asked, through the gate, the decision kept like any other."""
        screened = self._moderator.check_input(text, language=language)
        if screened.verdict is not None:
            self._decisions.record(
                (screened.verdict,), owner=owner, language=language, model_id="", conversation_id=conversation_id
            )
        return screened

    def line(self) -> tuple[int, int]:
        """How many answers are being written, and how many wait for their turn."""
        return self._runs.line()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no answer is being written or waited for; False when `seconds` went by before."""
        return self._runs.wait_idle(seconds)

    def close(self) -> None:
        """End what is running, marked as interrupted, and take no more questions."""
        self._runs.close()

    def _cleared(self, owner: str, conversation_id: str, text: str, language: Language, what: str) -> str:
        """A title or a system prompt through the gate, the decision kept like any other."""
        screened = self.screen(owner, text, language, conversation_id=check_id(conversation_id))
        if screened.verdict is not None and screened.verdict.unavailable:
            raise DetectorUnavailable(f"The safety check could not run, so the {what} stays as it was. Try again.")
        if screened.blocked:
            raise InvalidRequest(f"This {what} was stopped by the safety check. Change it and try again.")
        return screened.text

    def _refused(self, requests: Sequence[ChatRequest], refusal: Refusal) -> list[Run]:
        self._record(requests[0], (refusal.verdict,), requests[0].conversation_id)
        runs = [Run(request.owner, request.conversation_id) for request in requests]
        for run in runs:
            run.emit(Blocked(refusal.verdict))
            self._runs.keep_ended(run)
        return runs

    def _launched(
        self,
        requests: Sequence[ChatRequest],
        specs: Sequence[ModelSpec],
        exchanges: Sequence[Exchange],
        *,
        in_turn: bool,
    ) -> list[Run]:
        runs = [
            Run(one.conversation.owner, one.conversation.id, one.answer.parent_id, one.answer.id) for one in exchanges
        ]
        told: set[str] = set()
        with self._runs.positions(runs):
            for request, exchange in zip(requests, exchanges, strict=True):
                fresh = tuple(verdict for verdict in exchange.verdicts if verdict.id not in told)
                told |= {verdict.id for verdict in fresh}
                self._record(request, fresh, exchange.conversation.id)
            self._store.add_all([(exchange.conversation, exchange.new) for exchange in exchanges])
        before: Run | None = None
        for run, request, spec, exchange in zip(runs, requests, specs, exchanges, strict=True):
            work = partial(self._answerer.answer, task=_task(request, spec, exchange))
            self._runs.launch(run, exchange.conversation.id, work, before)
            before = run if in_turn else None
        return runs

    def _record(self, request: ChatRequest, verdicts: tuple[Verdict, ...], conversation_id: str | None) -> None:
        self._decisions.record(
            verdicts,
            owner=request.owner,
            language=request.language,
            model_id=request.model_id,
            conversation_id=conversation_id,
        )


def _task(request: ChatRequest, spec: ModelSpec, exchange: Exchange) -> Task:
    return Task(
        spec=spec,
        branch=exchange.branch,
        answer=exchange.answer,
        params=request.params or spec.defaults,
        system_prompt=exchange.conversation.system_prompt,
        language=request.language,
        conversation_id=exchange.conversation.id,
        beginning=request.beginning,
    )
