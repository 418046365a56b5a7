"""A tried text as the page draws it: the verdict, the marked text, every detector. No Gradio here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.domain import Action, Ruling
from playground.review.examination import Examination, Look
from playground.ui.words import Words
from playground.ui.workbench.overview_view import category_title
from playground.ui.workbench.pieces import Piece, marked_pieces

MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding; `words` is the place in the text."""

    category: str
    score: str
    value: float
    action: str
    span: str
    words: str
    reason: str


@dataclass(frozen=True, slots=True)
class DetectorCard:
    """What one detector said. `asked`: it is part of the policy. `state` is "found", "nothing" or "broken"."""

    asked: bool
    name: str
    version: str
    state: str
    text: str
    time: str
    findings: tuple[FindingRow, ...]


@dataclass(frozen=True, slots=True)
class TestBoxView:
    """`action` colours the verdict."""

    action: str
    verdict: str
    detail: str
    pieces: tuple[Piece, ...]
    detectors: tuple[DetectorCard, ...]


def testbox_view(seen: Examination, text: str, words: Words) -> TestBoxView:
    """An examination in words."""
    policy_rulings = [ruling for look in seen.looks for ruling in look.rulings]
    spans = [(*ruling.finding.span, category_title(ruling.finding.category, words)) for ruling in policy_rulings]
    outcome = "unavailable" if seen.unavailable else seen.action.value
    detail = words(
        "workbench.examined_detail",
        policy=seen.policy,
        direction=words(f"workbench.{seen.direction.value}"),
        time=words.number(seen.elapsed_ms, 2),
        released=words.number(len(seen.released)),
        characters=words.number(len(text)),
    )
    return TestBoxView(
        action=seen.action.value,
        verdict=words(f"workbench.outcome_{outcome}"),
        detail=detail,
        pieces=marked_pieces(text, spans),
        detectors=tuple(_card(look, text, words) for look in seen.looks),
    )


def _card(look: Look, text: str, words: Words) -> DetectorCard:
    state = "broken" if look.error else "found" if look.rulings else "nothing"
    told = look.error or ("" if look.rulings else words("workbench.found_nothing"))
    time = words("workbench.took", time=words.number(look.elapsed_ms, 2))
    return DetectorCard(
        look.in_policy, look.detector, look.version, state, told, time, _rows(look.rulings, text, words)
    )


def _rows(rulings: Sequence[Ruling], text: str, words: Words) -> tuple[FindingRow, ...]:
    return tuple(
        FindingRow(
            category=category_title(ruling.finding.category, words),
            score=words(
                "fact.score_value",
                score=words.number(ruling.finding.score, 3),
                threshold=words.number(ruling.threshold, 2),
            ),
            value=ruling.finding.score,
            action=_action(ruling, words),
            span="–".join(str(edge) for edge in ruling.finding.span),
            words=text[slice(*ruling.finding.span)],
            reason=_reason(ruling.finding.explanation, words),
        )
        for ruling in rulings[:MOST_FINDINGS]
    )


def _action(ruling: Ruling, words: Words) -> str:
    done = words(f"workbench.did_{ruling.action.value}")
    if ruling.shadow is None:
        return done if ruling.action is not Action.ALLOW else words("workbench.below")
    return words("workbench.would", action=words(f"workbench.did_{ruling.shadow.value}").lower())


def _reason(explanation: str, words: Words) -> str:
    return words.find(f"explanation.{explanation.replace(':', '_')}") or explanation
