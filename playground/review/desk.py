"""Where people report a mistake of the gate. Each can speak about their own decisions and answers only."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from playground.domain import Direction, Language, Message, Ruling
from playground.errors import InvalidRequest, UnknownDecision
from playground.moderation.fingerprint import Fingerprint
from playground.moderation.policy import Policy
from playground.moderation.screening import strictest
from playground.review.examination import Examiner
from playground.storage.decisions import DecisionStore
from playground.storage.reports import Report, ReportStore, Score

MOST_SCORES = 20


class ReportDesk:
    """Takes reports. With `keep_text` the text is kept with a report: what a person typed, or what was shown to them.

    What a model wrote and the gate blocked is never kept; nobody but the gate has seen it.
    """

    def __init__(
        self,
        *,
        decisions: DecisionStore,
        reports: ReportStore,
        examiner: Examiner,
        policy: Policy,
        fingerprint: Fingerprint,
        keep_text: bool,
    ) -> None:
        self._decisions = decisions
        self._reports = reports
        self._examiner = examiner
        self._policy = policy
        self._fingerprint = fingerprint
        self.keep_text = keep_text

    def report_decision(self, owner: str, verdict_id: str, text: str = "") -> Report:
        """This should not have been flagged. `text` are the person's own words; others than those judged are ignored.

        Raises UnknownDecision, also for somebody else's, and StorageError.
        """
        rows = self._decisions.of_verdict(owner, verdict_id)
        if not rows:
            raise UnknownDecision("This decision is not known here. Reload the page and try again.")
        first = rows[0]
        kept = self.keep_text and first.direction is Direction.INPUT and self._fingerprint(text) == first.text_hash
        report = Report(
            owner=owner,
            kind="wrong",
            subject_id=verdict_id,
            direction=first.direction,
            action=strictest(rows),
            policy=first.policy,
            language=first.language,
            model_id=first.model_id,
            scores=_scores(row.ruling for row in rows if row.ruling),
            text_hash=first.text_hash,
            text_length=first.text_length,
            text=text if kept else None,
        )
        return self._reports.add(report)

    def report_answer(self, owner: str, answer: Message, language: Language) -> Report:
        """This should have been flagged. `answer` is a message of `owner`'s, with the text that was released.

        Raises InvalidRequest when there is no text in it, and StorageError.
        """
        if answer.role != "assistant" or not answer.content:
            raise InvalidRequest("There is no answer to report here.")
        seen = self._examiner.examine(
            answer.content,
            Direction.OUTPUT,
            self._policy,
            language=language,
            model_id=answer.model_id or "",
            everyone=False,
        )
        report = Report(
            owner=owner,
            kind="missed",
            subject_id=answer.id,
            direction=Direction.OUTPUT,
            action=strictest(answer.verdicts),
            policy=self._policy.name,
            language=language,
            model_id=answer.model_id or "",
            scores=_scores(ruling for look in seen.looks for ruling in look.rulings),
            text_hash=self._fingerprint(answer.content),
            text_length=len(answer.content),
            text=answer.content if self.keep_text else None,
        )
        return self._reports.add(report)

    def reported(self, owner: str, subject_ids: Collection[str]) -> frozenset[str]:
        """Which of these decisions and answers `owner` has reported already. Raises StorageError."""
        return self._reports.among(owner, subject_ids) if subject_ids else frozenset()


def _scores(rulings: Iterable[Ruling]) -> tuple[Score, ...]:
    """The highest score of every detector and category, high ones first."""
    best: dict[tuple[str, str], Ruling] = {}
    for ruling in rulings:
        key = (ruling.finding.detector, ruling.finding.category)
        if key not in best or ruling.finding.score > best[key].finding.score:
            best[key] = ruling
    ordered = sorted(best.values(), key=lambda ruling: -ruling.finding.score)
    return tuple(
        Score(
            category=ruling.finding.category,
            score=ruling.finding.score,
            threshold=ruling.threshold,
            detector=ruling.finding.detector,
            version=ruling.finding.version,
            span=ruling.finding.span,
        )
        for ruling in ordered[:MOST_SCORES]
    )
