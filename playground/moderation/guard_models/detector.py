"""The detector: asks a guard model about every part of a text and turns its answers into findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from playground.domain import Direction, Finding
from playground.errors import DetectorUnavailable
from playground.moderation.categories import HARM
from playground.moderation.contract import Piece, Scope, TextModel
from playground.moderation.guard_models.answer import Answer, Leaning, read_answer, read_first_token
from playground.moderation.guard_models.prompt import QUESTION, TEXT
from playground.moderation.guard_models.rows import GuardRow
from playground.moderation.guard_models.windows import cut

_ALTERNATIVES = 20  # of the first token; more than there are ways to begin a level
_LONGEST_WINDOW = 4096  # tokens: guards were trained on turns of conversations, not on books
_LEAST_ROOM = 64  # tokens of text below which a guard could not make sense of a part
_LONGEST_WORD = 8  # tokens: what the word of a level takes at most


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What a guard says about one part: (category, explanation) pairs, and the severity they share."""

    severity: float
    found: tuple[tuple[str, str], ...]


class GuardDetector:
    """Judges texts with the guard of a row through a TextModel; a finding per category, whatever its score.

    The score is the guard's severity, from 0 to 1: of two levels the probability of the worse, of more the mean of
    their severities, by the first token's probabilities, or by the level alone from an engine that tells none. A
    harmful answer without a category that the row knows counts as `harm`. Texts longer than the guard reads are read in
    overlapping parts; a finding's span is the part with the highest score. Safe to use from several threads.
    """

    reach = 0
    scope: Scope = "text"

    def __init__(
        self, row: GuardRow, model: TextModel, direction: Direction = Direction.INPUT, question: str = ""
    ) -> None:
        self.name = row.name
        self._row = row
        self._model = model
        # A guard without words for answers judges them as if they had been typed.
        self._direction = direction if direction in row.form.templates else Direction.INPUT
        self._question = question

    @property
    def version(self) -> str:
        """The model's id and revision."""
        return self._model.version

    def facing(self, direction: Direction, context: Sequence[str] = ()) -> GuardDetector:
        """The same guard for texts of that direction; for an answer, the newest of `context` is what it answers."""
        question = context[-1] if context and direction is Direction.OUTPUT else ""
        return GuardDetector(self._row, self._model, direction, question)

    def scan(self, text: str) -> list[Finding]:
        """A finding for every category that is named or asked for; none for blank text.

        Raises DetectorUnavailable when the model is not there, fails, or does not answer in its form.
        """
        if not text.strip():
            return []
        quote = self._row.form.quote
        room, question = self._room(quote(self._question))
        spans = cut(text, room, lambda part: self._model.measure([Piece(quote(part))]))
        best: dict[str, Finding] = {}
        for start, end in spans:
            words = {TEXT: quote(text[start:end]), QUESTION: question}
            for severity, category, explanation in self._judged(words) if words[TEXT] else ():
                if category not in best or best[category].score < severity:
                    best[category] = Finding(
                        category, severity, (start, end), self.name, self.version, explanation, windows=len(spans)
                    )
        return list(best.values())

    def unsettled(self, text: str) -> int:  # noqa: ARG002 - the contract's signature
        """Nothing: a guard is asked about whole units."""
        return 0

    def _room(self, question: str) -> tuple[int, str]:
        """How many tokens of text fit beside the longest prompt, and the question as far as it takes half of them.

        A question is context and was screened when it was asked; of one that is too long its end is taken.
        """
        longest = max(
            self._model.measure(self._prompt(constants, {TEXT: "", QUESTION: ""}))
            for _, constants in self._row.constants(self._direction)
        )
        fixed = longest + self._row.form.max_tokens + _LONGEST_WORD
        room = min(self._model.context_length() - fixed, _LONGEST_WINDOW)
        if room < _LEAST_ROOM:
            raise DetectorUnavailable(
                f"The context of {self._row.model} is too short for the prompt of the guard {self.name}. "
                "Raise context_length in its catalogue entry, or kv_cache_mb."
            )
        allowed = min(room // 2, room - _LEAST_ROOM)
        if not question or not allowed:
            return room, ""
        (_, kept), *_ = cut(question[::-1], allowed, lambda part: self._model.measure([Piece(part[::-1])]))
        question = question[len(question) - kept :]
        return room - self._model.measure([Piece(question)]), question

    def _prompt(self, constants: dict[str, str], words: dict[str, str]) -> tuple[Piece, ...]:
        return self._row.form.templates[self._direction].fill(constants, words)

    def _judged(self, words: dict[str, str]) -> Iterator[tuple[float, str, str]]:
        for means, constants in self._row.constants(self._direction):
            judgement = self._judge(self._prompt(constants, words), means)
            for category, explanation in judgement.found:
                yield judgement.severity, category, explanation

    def _judge(self, prompt: tuple[Piece, ...], means: str) -> _Judgement:
        """Ask for the first token, and for the rest only when that leaves something open: most texts are harmless."""
        form = self._row.form
        leaning: Leaning | None = None
        first = self._model.complete(prompt, max_tokens=1, alternatives=_ALTERNATIVES).first
        if first:
            leaning = read_first_token(form, first)
            if leaning.whole and (form.levels[leaning.level] == 0 or not (form.categories or form.notes)):
                return _Judgement(leaning.severity, self._found(Answer(leaning.level), means))
        longest = form.max_tokens if leaning and leaning.whole else max(form.max_tokens, _LONGEST_WORD)
        text = self._model.complete(prompt, max_tokens=longest, alternatives=0).text
        answer = read_answer(form, [category.answer for category in self._row.asked(self._direction)], text)
        severity = leaning.severity if leaning else form.levels[answer.level]
        return _Judgement(severity, self._found(answer, means))

    def _found(self, answer: Answer, means: str) -> tuple[tuple[str, str], ...]:
        """Categories with explanations, in the row's words only. Several answered ones may mean the same category."""
        notes = "".join(f"; {label} {word}" for label, word in answer.notes)
        meanings = {category.answer: category.means for category in self._row.asked(self._direction)}
        found = {meanings[named]: f"{answer.level}: {named}{notes}" for named in reversed(answer.named)}
        if not found or answer.others:
            found.setdefault(means or HARM, f"{answer.level}{notes}")
        return tuple(found.items())
