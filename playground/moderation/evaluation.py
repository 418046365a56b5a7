"""How well detectors and a policy do on a labelled data set: figures, speed, and what a stream would leak.

The score of a detector for a text is the highest among its findings, 0 when there is none; with a category, among
those of that category. It flags a text when a finding reaches the policy's threshold: the lowest whose action is at
least the chosen one, or the strictest there is when the policy never goes so far for that category. The policy as a
whole scores the highest of its detectors and flags what it acts on, whatever the category.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.domain import Action, Direction, Finding
from playground.moderation.contract import Detector, facing
from playground.moderation.figures import RESAMPLES, Figures, Sample, mean_auc, measure
from playground.moderation.labels import LabelReader, category_of_label, read_weight
from playground.moderation.leaks import StreamTrial
from playground.moderation.policy import Policy
from playground.moderation.records import Broken, read_rows
from playground.moderation.screening import Scan
from playground.moderation.tallies import Column, Limits, Tally, scan_timed

POLICY = "policy"
_BATCH = 128
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to evaluate on. No label column means that every row is negative; `category` None follows the labels."""

    data: Path
    text: str
    labels: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    weight: str | None = None
    category: str | None = None
    direction: Direction = Direction.OUTPUT
    action: Action = Action.BLOCK
    resamples: int = RESAMPLES
    piece: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Characters per second, and milliseconds per text: median, 95th and 99th percentile."""

    characters_per_second: float
    latency_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one detector, or of the policy. `figures` by label column; `failed` rows are in none of them.

    `thresholds` holds, by label column, the score from which on a text is flagged; None when several categories count.
    """

    name: str
    figures: Mapping[str, Figures]
    thresholds: Mapping[str, float | None]
    categories: Mapping[str, str | None]
    mean_auc: float | None
    mean_auc_interval: tuple[float, float] | None
    failed: int
    speed: Speed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything found: one outcome per detector and one of the policy as a whole, and the rows left out."""

    task: Task
    policy: str
    rows: int
    characters: int
    detectors: tuple[Outcome, ...]
    whole: Outcome
    broken: tuple[Broken, ...]
    stream: Mapping[str, object] | None
    unread_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    text: str
    positive: tuple[bool, ...]
    weight: float


class Evaluator:
    """Runs detectors over a data set under a policy; `detectors` are those of the policy in the task's direction."""

    def __init__(self, policy: Policy, detectors: Mapping[str, Detector], task: Task) -> None:
        self._policy = policy
        self._detectors = tuple(facing(detectors[name], task.direction) for name in policy.detectors[task.direction])
        self._task = task
        self._categories = tuple(task.category or category_of_label(name) for name in task.labels or ("",))
        self._limits = Limits(policy, task.direction, task.action)
        self._tallies = [self._tally() for _ in self._detectors]
        self._whole = self._tally()
        self._trial = StreamTrial(policy, detectors, task.piece) if task.piece else None
        self._labels = LabelReader(task.positive)
        self._broken: list[Broken] = []
        self._positive: list[array[int]] = [array("b") for _ in self._categories]
        self._weights = array("d")
        self._lengths = array("q")

    def run(self, progress: Progress | None = None) -> Evaluation:
        """Read, scan, measure; `progress` is told the number of rows done.

        Raises InvalidRequest when the file cannot be read or lacks a column.
        """
        batch: list[_Case] = []
        for case in self._cases():
            batch.append(case)
            if len(batch) == _BATCH:
                self._take(batch)
                batch = []
                self._tell(progress)
        if batch:
            self._take(batch)
        self._tell(progress)
        return self._evaluation()

    def _tell(self, progress: Progress | None) -> None:
        if progress:
            progress(len(self._weights) + len(self._broken))

    def _tally(self) -> Tally:
        return Tally(tuple(Column() for _ in self._categories))

    def _cases(self) -> Iterator[_Case]:
        task = self._task
        needed = [task.text, *task.labels, *([task.weight] if task.weight else [])]
        for row in read_rows(task.data, needed):
            if isinstance(row, Broken):
                self._broken.append(row)
                continue
            try:
                yield self._case(row.values)
            except ValueError as error:
                self._broken.append(Broken(row.number, str(error)))

    def _case(self, values: Mapping[str, object]) -> _Case:
        text = values[self._task.text]
        if not isinstance(text, str):
            raise ValueError(f"its {self._task.text} is not text")  # noqa: TRY004 - a row's fault, not a caller's
        if not text.strip():
            raise ValueError(f"its {self._task.text} is empty")
        weight = read_weight(values[self._task.weight]) if self._task.weight else 1.0
        positive = tuple(self._labels.read(values[name]) for name in self._task.labels) or (False,)
        return _Case(text, positive, weight)

    def _take(self, batch: Sequence[_Case]) -> None:
        texts = [case.text for case in batch]
        by_detector: list[list[Scan]] = []
        spent = [0.0] * len(texts)
        for detector, tally in zip(self._detectors, self._tallies, strict=True):
            scans, seconds = scan_timed(detector, texts)
            by_detector.append(scans)
            tally.seconds.extend(seconds)
            spent = [so_far + more for so_far, more in zip(spent, seconds, strict=True)]
            for scan in scans:
                self._count(tally, scan.findings, bool(scan.failed), self._limits.lenient)
        self._whole.seconds.extend(spent)
        for at, case in enumerate(batch):
            scans = [scans[at] for scans in by_detector]
            findings = [finding for scan in scans for finding in scan.findings]
            self._count(self._whole, findings, any(scan.failed for scan in scans), self._limits.strict)
            self._keep(case)
            if self._trial:
                self._trial.add(case.text, findings)

    def _keep(self, case: _Case) -> None:
        for column, positive in zip(self._positive, case.positive, strict=True):
            column.append(positive)
        self._weights.append(case.weight)
        self._lengths.append(len(case.text))

    def _count(
        self, tally: Tally, findings: Sequence[Finding], failed: bool, limit: Callable[[str], float | None]
    ) -> None:
        reached = [self._limits.reached(limit(finding.category), finding.score) for finding in findings]
        tally.failed.append(failed)
        tally.scores.append(max((finding.score for finding in findings), default=0.0))
        tally.decided.append(any(reached))
        for column, category in zip(tally.columns, self._categories, strict=True):
            score = max((finding.score for finding in findings if finding.category == category), default=-1.0)
            column.reported |= score >= 0
            column.within.append(max(score, 0.0))
            column.within_decided.append(
                category is not None and self._limits.reached(self._limits.lenient(category), max(score, 0.0))
            )

    def _evaluation(self) -> Evaluation:
        return Evaluation(
            task=self._task,
            policy=self._policy.name,
            rows=len(self._weights),
            characters=sum(self._lengths),
            detectors=tuple(
                self._outcome(detector.name, tally, whole=False)
                for detector, tally in zip(self._detectors, self._tallies, strict=True)
            ),
            whole=self._outcome(POLICY, self._whole, whole=True),
            broken=tuple(self._broken),
            stream=self._trial.report() if self._trial else None,
            unread_labels=tuple(self._labels.unread),
        )

    def _outcome(self, name: str, tally: Tally, *, whole: bool) -> Outcome:
        able = ~np.array(tally.failed, dtype=bool)
        labels = self._task.labels or ("",)
        samples = [self._sample(at, tally, able, whole=whole) for at in range(len(labels))]
        categories = [self._counting(at, tally) for at in range(len(labels))]
        figures = {label: measure(part, self._task.resamples) for label, part in zip(labels, samples, strict=True)}
        mean, interval = mean_auc(figures.values()) if len(labels) > 1 else (None, None)
        return Outcome(
            name=name,
            figures=figures,
            thresholds={
                label: self._limits.lenient(category) if category else None
                for label, category in zip(labels, categories, strict=True)
            },
            categories=dict(zip(labels, categories, strict=True)),
            mean_auc=mean,
            mean_auc_interval=interval,
            failed=int((~able).sum()),
            speed=self._speed(tally),
        )

    def _counting(self, at: int, tally: Tally) -> str | None:
        """The category that counts for a label: the one asked for, or the label's own if the subject reports it."""
        named = self._task.category is not None or tally.columns[at].reported
        return self._categories[at] if named else None

    def _sample(self, at: int, tally: Tally, able: np.typing.NDArray[np.bool_], *, whole: bool) -> Sample:
        column = tally.columns[at]
        within = self._counting(at, tally) is not None
        return Sample(
            scores=np.array(column.within if within else tally.scores)[able],
            decided=np.array(column.within_decided if within and not whole else tally.decided, dtype=bool)[able],
            positive=np.array(self._positive[at], dtype=bool)[able],
            weights=np.array(self._weights)[able],
        )

    def _speed(self, tally: Tally) -> Speed | None:
        if not self._detectors or not len(tally.seconds):
            return None
        milliseconds = np.array(tally.seconds) * 1000
        middle, high, last = (float(value) for value in np.percentile(milliseconds, (50, 95, 99)))
        return Speed(
            characters_per_second=sum(self._lengths) / max(sum(tally.seconds), 1e-9),
            latency_ms={"p50": middle, "p95": high, "p99": last},
        )
