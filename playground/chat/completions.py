"""Answers to conversations that a client keeps itself: the way of a chat message, without anything stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat.answering import Answerer, Task
from playground.chat.incoming import clean_message, clean_prompt
from playground.chat.run import Run
from playground.chat.runs import Runs
from playground.domain import Blocked, Language, Message, SamplingParams, Verdict
from playground.errors import BadSchema, InvalidRequest
from playground.moderation.contract import Moderator
from playground.storage.decisions import DecisionStore


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A whole conversation, whose last turn is to be answered `choices` times.

    System turns, wherever they stand, become one system prompt; neighbouring turns of one role become one turn.
    `params` None takes the model's own defaults; with a seed, choice n is drawn with `seed` + n.
    """

    owner: str
    model_id: str
    turns: tuple[Message, ...]
    params: SamplingParams | None = None
    choices: int = 1
    language: Language = "en"


class Completions:
    """Answers such conversations with the runs, the gate and the engines of everybody else."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        moderator: Moderator,
        decisions: DecisionStore,
        runs: Runs,
        answerer: Answerer,
        max_message_chars: int,
    ) -> None:
        self._catalog = catalog
        self._moderator = moderator
        self._decisions = decisions
        self._runs = runs
        self._answerer = answerer
        self._limit = max_message_chars

    def start(self, request: CompletionRequest) -> tuple[Run, ...]:
        """One run for every choice; or a single one that has already ended with Blocked, when the gate says no to what
        was sent.

        Raises InvalidRequest, BadSchema, MessageTooLong, UnknownModel, Busy, StorageError.
        """
        spec = self._catalog.get(request.model_id)
        system_prompt, branch = self._cleaned(request.turns)
        verdicts: list[Verdict] = []
        cleared: list[str] = []
        schema = request.params.schema if request.params else None
        for text, context in _screenings(system_prompt, branch, schema):
            screened = self._moderator.check_input(
                text, context=context, language=request.language, model_id=request.model_id
            )
            cleared.append(screened.text)
            if screened.verdict is not None:
                verdicts.append(screened.verdict)
            if screened.blocked:
                break
        self._record(request, verdicts)
        if verdicts and verdicts[-1].action == "block":
            return (_refused(request, verdicts[-1]),)
        texts = iter(cleared)
        system_prompt = next(texts) if system_prompt else ""
        branch = [replace(turn, content=next(texts)) if turn.role == "user" else turn for turn in branch]
        if next(texts, schema) != schema:
            raise BadSchema("The schema has a text that the safety check covers. Take it out and try again.")
        return self._launched(request, spec, system_prompt, tuple(branch))

    def _cleaned(self, turns: Sequence[Message]) -> tuple[str, list[Message]]:
        system = [clean_prompt(turn.content, self._limit) for turn in turns if turn.role == "system"]
        branch: list[Message] = []
        talk = (turn for turn in turns if turn.role != "system")
        for role, together in groupby(talk, key=lambda turn: turn.role):
            texts = [clean_message(turn.content, self._limit) for turn in together]
            branch.append(Message(role, "\n\n".join(texts)))
        if not branch or branch[-1].role != "user":
            raise InvalidRequest("The last message must be the user's: there is nothing to answer.")
        if branch[0].role != "user":
            raise InvalidRequest("The first message after the system prompt must be the user's.")
        return "\n\n".join(text for text in system if text), branch

    def _launched(
        self, request: CompletionRequest, spec: ModelSpec, system_prompt: str, branch: tuple[Message, ...]
    ) -> tuple[Run, ...]:
        params = request.params or spec.defaults
        tasks = [
            Task(
                spec=spec,
                branch=branch,
                answer=Message("assistant", "", parent_id=branch[-1].id, model_id=spec.id),
                params=params if params.seed is None else replace(params, seed=(params.seed + number) % 2**63),
                system_prompt=system_prompt,
                language=request.language,
                conversation_id=None,
            )
            for number in range(request.choices)
        ]
        runs = [Run(request.owner, message_id=task.answer.id) for task in tasks]
        with ExitStack() as claims:
            for run in runs:
                claims.enter_context(self._runs.claim(run.id))
            with self._runs.positions(runs):
                for run, task in zip(runs, tasks, strict=True):
                    self._runs.launch(run, run.id, partial(self._answerer.answer, task=task))
        return tuple(runs)

    def _record(self, request: CompletionRequest, verdicts: Sequence[Verdict]) -> None:
        self._decisions.record(
            verdicts,
            owner=request.owner,
            language=request.language,
            model_id=request.model_id,
            conversation_id=None,
        )


def _screenings(system_prompt: str, branch: Sequence[Message], schema: str | None) -> Iterator[tuple[str, list[str]]]:
    """Every text that people wrote, with the turns before it. A schema is one: answers repeat its names and choices."""
    if system_prompt:
        yield system_prompt, []
    for place, turn in enumerate(branch):
        if turn.role == "user":
            yield turn.content, [earlier.content for earlier in branch[:place]]
    if schema is not None:
        yield schema, []


def _refused(request: CompletionRequest, verdict: Verdict) -> Run:
    run = Run(request.owner)
    run.emit(Blocked(verdict))
    return run
