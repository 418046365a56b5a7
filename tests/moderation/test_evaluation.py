"""The evaluation against figures worked out by hand, and the stream trial against guards that leak."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.domain import Action, Direction, Finding
from playground.moderation.contract import Detector, Scope
from playground.moderation.evaluation import Evaluation, Evaluator, Task
from playground.moderation.leaks import StreamTrial
from playground.moderation.moderator import make_detector
from playground.moderation.policy import Policy, load_policy
from playground.moderation.registry import DETECTORS
from tests.moderation.detectors import CountingClassifier, FaultyDetector

ROWS = [  # text, toxic, insult, weight: the classifier scores 1, 1, 0.5, 0, 0
    ("bad awful", 1, 1, 1.0),
    ("awful", 1, 0, 2.0),
    ("bad day", 0, 0, 1.0),
    ("a nice day", 0, 0, 3.0),
    ("hidden malice", 1, 1, 1.0),
]


def policy_of(*names: str, **changes: Any) -> Policy:
    standard = load_policy("standard", (*DETECTORS, "counting", "faulty"))
    return replace(standard, detectors=dict.fromkeys(Direction, names), **changes)


def made(**own: Detector) -> dict[str, Detector]:
    return {name: make_detector(name, DETECTORS[name]) for name in ("words", "personal_data")} | own


def data(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    keys = ("text", "toxic", "insult", "weight")
    return data(tmp_path, [dict(zip(keys, row, strict=True)) for row in ROWS])


def evaluate(policy: Policy, task: Task, **own: Detector) -> Evaluation:
    return Evaluator(policy, made(**own), task).run()


def test_figures_of_a_classifier(rows: Path) -> None:
    task = Task(data=rows, text="text", labels=("toxic",), resamples=50)
    result = evaluate(policy_of("counting"), task, counting=CountingClassifier())
    (outcome,) = result.detectors
    figures = outcome.figures["toxic"]
    assert (figures.n, figures.positives) == (5, 3)
    assert outcome.thresholds["toxic"] == 0.9
    assert outcome.categories["toxic"] == "toxicity"
    # Pairs of a positive and a negative: 2 + 2 won, "hidden malice" loses to 0.5 and ties with 0.
    assert figures.values["auc"] == pytest.approx(4.5 / 6)
    assert figures.values["precision"] == 1
    assert figures.values["recall"] == pytest.approx(2 / 3)
    assert figures.values["false_positive_rate"] == 0
    assert result.whole.figures["toxic"] == figures
    assert outcome.speed is not None
    assert result.characters == sum(len(row[0]) for row in ROWS)


def test_weights_action_and_direction_count(rows: Path) -> None:
    task = Task(data=rows, text="text", labels=("toxic",), weight="weight", resamples=20)
    (outcome,) = evaluate(policy_of("counting"), task, counting=CountingClassifier()).detectors
    assert outcome.figures["toxic"].values["recall"] == pytest.approx(3 / 4)
    warned = replace(task, direction=Direction.INPUT)
    result = evaluate(policy_of("counting"), warned, counting=CountingClassifier())
    # On input toxicity is only warned of: the detector is measured at that threshold, the policy does not block.
    assert result.detectors[0].figures["toxic"].values["recall"] == pytest.approx(3 / 4)
    assert result.whole.figures["toxic"].values["recall"] == 0
    warning = evaluate(policy_of("counting"), replace(warned, action=Action.WARN), counting=CountingClassifier())
    assert warning.whole.figures["toxic"].values["recall"] == pytest.approx(3 / 4)


def test_several_labels(rows: Path) -> None:
    task = Task(data=rows, text="text", labels=("toxic", "insult"), resamples=50)
    (outcome,) = evaluate(policy_of("counting"), task, counting=CountingClassifier()).detectors
    # The classifier does not report insults, so for that label all it says counts.
    assert outcome.categories == {"toxic": "toxicity", "insult": None}
    aucs = [outcome.figures[label].values["auc"] for label in ("toxic", "insult")]
    assert outcome.mean_auc == pytest.approx(sum(value for value in aucs if value is not None) / 2)
    assert outcome.mean_auc_interval is not None


def test_a_category_that_was_asked_for_is_the_only_one(tmp_path: Path) -> None:
    path = data(tmp_path, [{"text": "you fucking cunt", "label": 1}, {"text": "hello", "label": 0}])
    task = Task(data=path, text="text", labels=("label",), resamples=5)
    assert evaluate(policy_of("words"), task).detectors[0].figures["label"].values["auc"] == 1
    asked = evaluate(policy_of("words"), replace(task, category="profanity")).detectors[0]
    assert asked.figures["label"].values["auc"] == 1
    assert asked.thresholds["label"] == 0.8
    other = evaluate(policy_of("words"), replace(task, category="threat")).detectors[0]
    assert other.figures["label"].values["auc"] == 0.5
    assert other.figures["label"].values["recall"] == 0


def test_the_whole_policy_flags_what_any_detector_stops(tmp_path: Path) -> None:
    rows = [{"text": "awful", "label": 1}, {"text": "you fucking cunt", "label": 1}, {"text": "hello", "label": 0}]
    path = data(tmp_path, [dict(row) for row in rows])
    task = Task(data=path, text="text", labels=("label",), resamples=5)
    result = evaluate(policy_of("words", "counting"), task, counting=CountingClassifier())
    assert [outcome.figures["label"].values["recall"] for outcome in result.detectors] == [0.5, 0.5]
    assert result.whole.figures["label"].values["recall"] == 1


def test_broken_rows_are_counted_and_named_without_their_text(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": "hello", "label": 0, "weight": 1},
        {"text": "quite secret", "label": -1, "weight": 1},
        {"text": "quite secret", "label": "maybe", "weight": 1},
        {"text": "quite secret", "label": 1, "weight": "heavy"},
        {"text": ["quite secret"], "label": 1, "weight": 1},
        {"text": "  ", "label": 1, "weight": 1},
        {"text": "awful", "label": 1, "weight": 1},
    ]
    task = Task(data=data(tmp_path, rows), text="text", labels=("label",), weight="weight", resamples=5)
    result = evaluate(policy_of("counting"), task, counting=CountingClassifier())
    assert [row.number for row in result.broken] == [2, 3, 4, 5, 6]
    assert not [row for row in result.broken if "secret" in row.reason]
    assert result.rows == 2
    assert result.unread_labels == ("maybe",)


def test_rows_a_detector_failed_on_are_in_no_figure(rows: Path) -> None:
    task = Task(data=rows, text="text", labels=("toxic",), resamples=5)
    faulty = FaultyDetector("nan", late=True)
    result = evaluate(policy_of("counting", "faulty"), task, counting=CountingClassifier(), faulty=faulty)
    counting, failed = result.detectors
    assert (counting.failed, failed.failed, result.whole.failed) == (0, 4, 4)
    assert failed.figures["toxic"].n == result.whole.figures["toxic"].n == 1


def test_a_batch_that_fails_is_tried_one_by_one(rows: Path) -> None:
    class Fragile(CountingClassifier):
        def scan_batch(self, texts: Any) -> list[list[Finding]]:
            return super().scan_batch(texts)[:-1]

    task = Task(data=rows, text="text", labels=("toxic",), resamples=5)
    (outcome,) = evaluate(policy_of("counting"), task, counting=Fragile()).detectors
    assert outcome.failed == 0
    assert outcome.figures["toxic"].n == 5


def test_no_labels_at_all(rows: Path) -> None:
    result = evaluate(policy_of("counting"), Task(data=rows, text="text", resamples=5), counting=CountingClassifier())
    figures = result.whole.figures[""]
    assert figures.values["false_positive_rate"] == pytest.approx(2 / 5)
    assert figures.values["auc"] is None
    assert figures.note


def test_a_policy_that_checks_nothing_flags_nothing_and_has_no_speed(rows: Path) -> None:
    result = evaluate(policy_of(), Task(data=rows, text="text", labels=("toxic",), resamples=5))
    assert result.detectors == ()
    assert result.whole.figures["toxic"].values["recall"] == 0
    assert result.whole.speed is None


STREAMED = [
    "A harmless start of it. And then, you fucking cunt, more. And an end.",
    "Nothing to see here, move along, please, and have a nice day all of you.",
    "Write to somebody@example.com, please, or call me later.",
    "damn, that is a mild word, and it passes.",
    "First a line\nYou motherfucking\ncunt\nLast line",
]


@pytest.mark.parametrize("piece", [1, 7, 500])
def test_rule_detectors_leak_nothing(piece: int) -> None:
    policy, detectors = policy_of("words", "personal_data"), made()
    trial = StreamTrial(policy, detectors, piece)
    for text in STREAMED:
        trial.add(text, [finding for name in detectors for finding in detectors[name].scan(text)])
    report = trial.report()
    assert (report["texts"], report["flagged"], report["leaked"], report["missed"]) == (5, 3, 0, 0)
    assert report["blocked"] == 2
    assert report["whole_only"] == 0


def test_a_classifier_is_held_to_the_unit_it_flags_by_itself() -> None:
    policy, detectors = policy_of("counting"), made(counting=CountingClassifier())
    trial = StreamTrial(policy, detectors, 3)
    long_way = (
        "One bad thing to begin with, then. And much that is harmless. And harmless again. And awful, all at once."
    )
    for text in (
        "bad, awful",
        "Have a nice day, dear friend. What an awful, bad thing to say. Goodbye.",
        "fine",
        long_way,
        "A sentence with one bad thing, all right, and one that is awful, as it were, and nothing more.",
    ):
        trial.add(text, detectors["counting"].scan(text))
    report = trial.report()
    # The last ones are flagged only as a whole: no unit of them is by itself, however many the words stand in.
    assert (report["flagged"], report["leaked"], report["missed"], report["whole_only"]) == (2, 0, 0, 2)


class Sleepy:
    """Finds only what it is shown in one piece with its beginning, and holds nothing back: made to leak."""

    name = "counting"
    version = "1"
    reach = 0
    scope: Scope = "span"
    prompt = True

    def __init__(self, category: str) -> None:
        self._category = category

    def scan(self, text: str) -> list[Finding]:
        at = text.find("BEGIN it. Then END")
        return [Finding(self._category, 1.0, (at, at + 18), self.name, self.version)] if at >= 0 else []

    def unsettled(self, text: str) -> int:
        return 0


@pytest.mark.parametrize("category", ["abuse", "email"])
def test_a_leak_is_seen(category: str) -> None:
    """The finding crosses the end of a unit and is not held back, so its first half is out before it is found."""
    policy, detectors = policy_of("counting"), made(counting=Sleepy(category))
    text = "It is rather harmless, to BEGIN it. Then END, and on it goes for a while."
    for piece, leaked in ((1, 1), (500, 0)):
        trial = StreamTrial(policy, detectors, piece)
        trial.add(text, detectors["counting"].scan(text))
        report = trial.report()
        assert (report["flagged"], report["leaked"]) == (1, leaked), piece
