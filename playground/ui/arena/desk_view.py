"""The batches as the page lists them: what they ask, how far they are, and what can be done with them. No Gradio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playground.arena.batches import MOST_MODELS, MOST_QUESTIONS, Batch
from playground.arena.questions import READERS
from playground.errors import BadQuestions, Busy, NotTheOperator, PlaygroundError
from playground.ui.notice_view import failure_sentence
from playground.ui.picker_view import ModelCard
from playground.ui.words import Words

MOST_FILE_BYTES = 2**20
WORKING = ("checking", "asking", "halting")


@dataclass(frozen=True, slots=True)
class BatchCard:
    """One batch. `created` is in seconds since 1970, for the browser's own dates.

    `status` says what is going on, `fraction` how far that is (None: nothing is). `may`: "grade" or "results", and for
    the operator "halt" or "go_on".
    """

    id: str
    title: str
    facts: tuple[str, ...]
    created: float
    working: bool
    status: str
    fraction: float | None
    graded: str
    graded_fraction: float
    problem: str
    may: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choosable:
    """A model that a batch can ask."""

    id: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class DeskView:
    """All batches, and for the operator the form of a new one. `begun` is the id of one that was just begun."""

    operator: bool
    batches: tuple[BatchCard, ...]
    models: tuple[Choosable, ...] = ()
    endings: tuple[str, ...] = tuple(READERS)
    most_bytes: int = MOST_FILE_BYTES
    most_models: int = MOST_MODELS
    hint: str = ""
    problem: str = ""
    begun: str = ""


def desk_view(
    batches: Sequence[Batch], models: Sequence[ModelCard], words: Words, name: Callable[[str], str], *, operator: bool
) -> DeskView:
    """The list for whoever looks; `name` is what people call a model."""
    return DeskView(
        operator=operator,
        batches=tuple(_card(batch, words, name, operator=operator) for batch in batches),
        models=tuple(Choosable(card.id, card.name, _note(card, words)) for card in models) if operator else (),
        hint=words("duels.file_hint", questions=words.number(MOST_QUESTIONS)) if operator else "",
    )


def _note(card: ModelCard, words: Words) -> str:
    return "" if card.state == "ready" else words("picker.absent")


def _card(batch: Batch, words: Words, name: Callable[[str], str], *, operator: bool) -> BatchCard:
    working = batch.stage in WORKING
    tally = batch.tally
    facts = [
        words("duels.questions", count=words.number(batch.questions)),
        words("duels.models", count=words.number(len(batch.models))),
    ]
    if batch.held_back:
        facts.append(words("duels.held_back", count=words.number(batch.held_back)))
    more = batch.questions - batch.held_back - 1
    title = batch.first or words("duels.untitled")
    return BatchCard(
        id=batch.id,
        title=words("duels.and_more", first=title, count=words.number(more)) if batch.first and more > 0 else title,
        facts=tuple(facts),
        created=batch.created_at.timestamp(),
        working=working,
        status=_status(batch, words, name, operator=operator),
        fraction=batch.done / max(1, batch.total) if working or batch.stage == "open" else None,
        graded=_graded(batch, words),
        graded_fraction=tally.graded / max(1, tally.pairs),
        problem=sentence_of(batch.problem, words) if batch.problem is not None and operator else "",
        may=_may(batch, operator=operator),
    )


def _status(batch: Batch, words: Words, name: Callable[[str], str], *, operator: bool) -> str:
    """Which model is at work is told to the operator only: others may be about to grade it."""
    if batch.stage == "answered":
        return ""
    counts = {"done": words.number(batch.done), "total": words.number(batch.total)}
    model = name(batch.model_id) if operator and batch.model_id else words("duels.a_model")
    return words(f"duels.stage_{batch.stage}", model=model, **counts)


def _graded(batch: Batch, words: Words) -> str:
    tally = batch.tally
    if not tally.pairs:
        return words("duels.no_pairs") if batch.stage == "answered" else ""
    return words("duels.graded_of", graded=words.number(tally.graded), pairs=words.number(tally.pairs))


def _may(batch: Batch, *, operator: bool) -> tuple[str, ...]:
    tally = batch.tally
    person = ("grade",) if tally.left else ("results",) if tally.mine else ()
    if not operator:
        return person
    return (*person, *{"open": ("go_on",), "checking": ("halt",), "asking": ("halt",)}.get(batch.stage, ()))


def sentence_of(error: PlaygroundError, words: Words) -> str:
    """What to say of an error of a batch, with the next step, in either language."""
    if isinstance(error, BadQuestions):
        return words(f"duels.bad_{error.reason}", row=words.number(error.row), most=words.number(MOST_QUESTIONS))
    if isinstance(error, Busy):
        return words("duels.busy")
    if isinstance(error, NotTheOperator):
        return words("duels.operator_only")
    return failure_sentence(error.code, str(error), words)
