"""Labelled reports as regression cases: one JSON object a line, in the form that `moderation evaluate` reads.

`label` is 1 when the text should be flagged and 0 when it should not. `text` is there only if the operator keeps texts;
a case without one still tells what was scored and decided. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from playground.domain import Action
from playground.storage.reports import Report


def case_lines(reports: Iterable[Report]) -> Iterator[str]:
    """A line for every report that was labelled right or wrong, in their order."""
    for report in reports:
        expected = should_flag(report)
        if expected is not None:
            yield json.dumps(_case(report, expected=expected), ensure_ascii=False) + "\n"


def should_flag(report: Report) -> bool | None:
    """What the label says about the text; None when it says nothing."""
    if report.label not in {"right", "wrong"}:
        return None
    flagged = report.kind == "wrong" or report.action is not Action.ALLOW
    return flagged if report.label == "right" else not flagged


def _case(report: Report, *, expected: bool) -> dict[str, object]:
    top = report.scores[0] if report.scores else None
    return {
        "id": report.id,
        **({} if report.text is None else {"text": report.text}),
        "label": int(expected),
        "text_hash": report.text_hash,
        "text_length": report.text_length,
        "direction": report.direction.value,
        "category": top.category if top else None,
        "action": report.action.value,
        "policy": report.policy,
        "language": report.language,
        "model": report.model_id,
        "scores": [
            {
                "category": score.category,
                "score": score.score,
                "threshold": score.threshold,
                "detector": score.detector,
                "version": score.version,
                "span": list(score.span),
            }
            for score in report.scores
        ],
        "reported_at": report.created_at.isoformat(),
        "labelled_at": report.labelled_at.isoformat() if report.labelled_at else None,
    }
