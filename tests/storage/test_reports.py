"""Reports of mistakes: kept once, listed by label, labelled and taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.domain import Action, Direction
from playground.errors import InvalidRequest
from playground.storage.database import Database
from playground.storage.reports import LABELS, Report, ReportStore, Score

REPORT = Report(
    owner="anna",
    kind="wrong",
    subject_id="d1",
    direction=Direction.INPUT,
    action=Action.BLOCK,
    policy="standard",
    language="vi",
    model_id="pip",
    scores=(Score(category="abuse", score=0.9, threshold=0.5, detector="words", version="1", span=(3, 7)),),
    text_hash="h",
    text_length=9,
)


def test_a_report_comes_back_as_it_was(database: Database) -> None:
    store = ReportStore(database)
    assert store.add(REPORT) == REPORT
    assert store.listed([None]) == [REPORT]
    assert store.open_count() == 1


def test_the_same_thing_is_reported_once_by_each_person(database: Database) -> None:
    store = ReportStore(database)
    store.add(REPORT)
    again = replace(REPORT, id="other", text="different")
    assert store.add(again) == REPORT
    store.add(replace(REPORT, id="b" * 32, owner="binh"))
    assert store.open_count() == 2


def test_labels_move_a_report_and_can_be_taken_back(database: Database) -> None:
    store = ReportStore(database)
    store.add(REPORT)
    store.label(REPORT.id, "wrong")
    (labelled,) = store.listed(LABELS)
    assert labelled.label == "wrong"
    assert labelled.labelled_at is not None
    assert (store.listed([None]), store.listed(["right"]), store.open_count()) == ([], [], 0)
    store.label(REPORT.id, None)
    assert store.listed([None]) == [REPORT]
    with pytest.raises(InvalidRequest, match="not there"):
        store.label("nothing", "right")
