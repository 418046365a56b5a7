"""Everything the operator can do, for whichever face asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from playground.domain import Action, Direction, Language, utc_now
from playground.errors import InvalidRequest
from playground.moderation.holding import Held
from playground.moderation.policy import Policy
from playground.review.cases import case_lines
from playground.review.examination import DetectorState, Examination, Examiner
from playground.review.numbers import Dimension, Numbers, Period, count_decisions, start_of
from playground.review.replay import Replay, replay
from playground.storage.decisions import DecisionStore
from playground.storage.reports import LABELS, Label, Report, ReportStore

LONGEST_TEXT = 200_000
REPLAY_TIME = timedelta(days=30)


class Workbench:
    """The use cases of the workbench. Every method may raise StorageError.

    `policy` is the one in force; `load` reads another by its name, of which `policies` are the ones on offer. `held`
    says how long answers were held back of late, None before the first.
    """

    def __init__(
        self,
        *,
        decisions: DecisionStore,
        reports: ReportStore,
        examiner: Examiner,
        policy: Policy,
        policies: Iterable[str],
        load: Callable[[str], Policy],
        held: Callable[[], Held | None],
    ) -> None:
        self.policy = policy
        self.policies = tuple(policies)
        self._decisions = decisions
        self._reports = reports
        self._examiner = examiner
        self._load = load
        self.held = held

    def detectors(self) -> list[DetectorState]:
        """Every detector, and whether it can run now."""
        return self._examiner.states(self.policy)

    def numbers(self, dimension: Dimension, period: Period) -> Numbers:
        """Decisions counted, up to now."""
        now = utc_now()
        start = start_of(period, now)
        decisions, messages = self._decisions.since(start), self._decisions.messages_since(start)
        return count_decisions(decisions, messages, dimension, period, now)

    def reports(self, *, labelled: bool) -> list[Report]:
        """Reports that wait for a label, or those that have one; newest first."""
        return self._reports.listed(LABELS if labelled else [None])

    def open_reports(self) -> int:
        """How many reports wait for a label."""
        return self._reports.open_count()

    def label(self, report_id: str, label: str) -> None:
        """Say whether the gate decided right; "" takes the label back.

        Raises InvalidRequest for an unknown report or label.
        """
        known: dict[str, Label | None] = {"": None, **{name: name for name in LABELS}}
        if label not in known:
            raise InvalidRequest(f"Unknown label {label!r}; there are: {', '.join(LABELS)}.")
        self._reports.label(report_id, known[label])

    def cases(self) -> Iterator[str]:
        """The labelled reports as lines of JSON, newest first."""
        return case_lines(self._reports.listed(["right", "wrong"], limit=1_000_000))

    def replay(self, *, direction: Direction, category: str, action: Action, threshold: float) -> Replay:
        """The decisions of the last `REPLAY_TIME`, with one threshold of the policy in force moved.

        Raises InvalidRequest for values that cannot be.
        """
        return replay(
            self._decisions.since(utc_now() - REPLAY_TIME),
            self.policy,
            direction=direction,
            category=category,
            action=action,
            threshold=threshold,
        )

    def examine(self, text: str, direction: Direction, policy: str, language: Language) -> Examination:
        """Try a text. Nothing of it is kept.

        Raises InvalidRequest for a text that is too long and for a policy that is not on offer.
        """
        if len(text) > LONGEST_TEXT:
            raise InvalidRequest(f"The text has {len(text):,} characters; at most {LONGEST_TEXT:,} can be tried.")
        if policy not in self.policies:
            raise InvalidRequest(f"Unknown policy {policy!r}; there are: {', '.join(self.policies)}.")
        chosen = self.policy if policy == self.policy.name else self._load(policy)
        return self._examiner.examine(text, direction, chosen, language=language)
