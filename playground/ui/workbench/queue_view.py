"""Reported mistakes, as cards to label. No Gradio here."""

from __future__ import annotations

from dataclasses import dataclass

from playground.review.cases import should_flag
from playground.storage.reports import Report
from playground.ui.words import Words
from playground.ui.workbench.overview_view import category_title
from playground.ui.workbench.pieces import Piece, marked_pieces


@dataclass(frozen=True, slots=True)
class ReportCard:
    """One report. `pieces` is the kept text, cut where something was found; empty when none is kept."""

    id: str
    title: str
    created_at: str
    facts: tuple[tuple[str, str], ...]
    scores: tuple[tuple[str, str], ...]
    pieces: tuple[Piece, ...]
    no_text: str
    label: str
    outcome: str


def report_card(report: Report, words: Words) -> ReportCard:
    """A report in words."""
    spans = [(*score.span, category_title(score.category, words)) for score in report.scores]
    said = words(f"workbench.kind_{report.kind}_{report.direction.value}")
    found = category_title(report.scores[0].category, words) if report.scores else words("workbench.nothing_found")
    flag = should_flag(report)
    return ReportCard(
        id=report.id,
        title=f"{said} {found}",
        created_at=report.created_at.isoformat(),
        facts=(
            (words("workbench.fact_decided"), words(f"workbench.did_{report.action.value}")),
            (words("fact.policy"), report.policy),
            (words("fact.language"), report.language),
            (words("fact.model"), report.model_id or "–"),
            (words("fact.length"), words.number(report.text_length)),
            (words("fact.receipt"), report.subject_id[:8]),
        ),
        scores=tuple(
            (
                category_title(score.category, words),
                words(
                    "workbench.scored",
                    score=words.number(score.score, 2),
                    threshold=words.number(score.threshold, 2),
                    detector=f"{score.detector} {score.version}".strip(),
                ),
            )
            for score in report.scores
        ),
        pieces=() if report.text is None else marked_pieces(report.text, spans),
        no_text=words("workbench.no_text"),
        label=report.label or "",
        outcome="" if flag is None else words("workbench.case_flag" if flag else "workbench.case_pass"),
    )
