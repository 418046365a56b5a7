"""What happened, in words a person can act on: decisions of the gate, errors, answers that ended early."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from playground.domain import Action, Direction, FinishReason, Message, Verdict
from playground.errors import PlaygroundError
from playground.ui.words import Words

Kind = Literal["blocked", "unavailable", "warned", "redacted", "error", "stopped"]
SHOWN_DETECTORS = 5
SHOWN_SPANS = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """A card of its own, never part of anybody's turn. `facts` are (label, value); `retry` offers to ask again.

    `receipt` is the id of the decision, for a report of a mistake. `spans` are places in the person's own words, which
    only their page has; those in a model's words are not told, because they are gone.
    """

    kind: Kind
    title: str
    text: str = ""
    next: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    retry: bool = False
    receipt: str = ""
    spans: tuple[tuple[int, int], ...] = ()


def verdict_notice(verdict: Verdict, words: Words) -> Notice | None:
    """The card of one decision; None when there is nothing a person needs to know."""
    side = verdict.direction.value
    retry = verdict.direction is Direction.OUTPUT
    if verdict.unavailable:
        title, next_step = words(f"notice.unavailable_{side}"), words(f"notice.unavailable_next_{side}")
        return Notice("unavailable", title, words("notice.unavailable_text"), next_step, _facts(verdict, words), retry)
    category = category_name(verdict, words)
    if verdict.action is Action.BLOCK:
        text, next_step = words(f"notice.{side}_blocked_text", category=category), words(f"notice.{side}_blocked_next")
        facts, title = _facts(verdict, words), words(f"notice.{side}_blocked")
        return Notice("blocked", title, text, next_step, facts, retry, verdict.id, _spans(verdict))
    if verdict.action in (Action.WARN, Action.REDACT):
        kind: Kind = "warned" if verdict.action is Action.WARN else "redacted"
        text = words(f"notice.{kind}_{side}_text", category=category)
        spans = _spans(verdict) if verdict.action is Action.WARN else ()
        facts, title = _facts(verdict, words), words(f"notice.{kind}_{side}")
        return Notice(kind, title, text, "", facts, receipt=verdict.id, spans=spans)
    if verdict.degraded:
        names = ", ".join(verdict.degraded[:SHOWN_DETECTORS])
        return Notice("unavailable", words("notice.degraded"), words("notice.degraded_text", detectors=names))
    return None


def error_notice(error: PlaygroundError, words: Words) -> Notice:
    """The card of something that went wrong. English shows the error's own sentence, which can be more exact."""
    return failure_notice(error.code, str(error), words)


def failure_notice(code: str, sentence: str, words: Words, *, retry: bool = False) -> Notice:
    """The card of a failure known by its code; `sentence` is the English one that came with it."""
    return Notice("error", words("error.title"), failure_sentence(code, sentence, words), retry=retry)


def failure_sentence(code: str, sentence: str, words: Words) -> str:
    """What to say of a failure: English has the exact sentence, other languages one for each code."""
    if words.language == "en" and sentence:
        return sentence
    return words.find(f"error.{code}") or words("error.error")


def message_notices(message: Message, words: Words) -> tuple[Notice, ...]:
    """Every card that belongs under a message: decisions first, then how the answer ended."""
    decided = _joined(notice for verdict in message.verdicts if (notice := verdict_notice(verdict, words)))
    ended = end_notice(message, words)
    return (*decided, ended) if ended else tuple(decided)


def _joined(notices: Iterable[Notice]) -> list[Notice]:
    """Cards that say the same as one card, with the facts of all of them: an answer is screened part by part.

    A mistake is then reported for the first of the decisions.
    """
    alike: dict[Notice, list[Notice]] = {}
    for notice in notices:
        alike.setdefault(replace(notice, facts=(), receipt=""), []).append(notice)
    joined: list[Notice] = []
    for same in alike.values():
        values: dict[str, dict[str, None]] = {}
        for label, value in (fact for notice in same for fact in notice.facts):
            values.setdefault(label, {})[value] = None
        joined.append(replace(same[0], facts=tuple((label, ", ".join(found)) for label, found in values.items())))
    return joined


def end_notice(message: Message, words: Words) -> Notice | None:
    """How an answer ended, when it did not simply come to its end."""
    match message.finish_reason:
        case FinishReason.CANCELLED:
            return Notice("stopped", words("end.stopped"), next=words("end.stopped_next"), retry=True)
        case FinishReason.INTERRUPTED:
            return Notice("error", words("end.interrupted"), next=words("end.interrupted_next"), retry=True)
        case FinishReason.ERROR:
            known = words.find(f"error.{message.error}")
            text = known or (message.error or "" if words.language == "en" else "")
            return Notice("error", words("end.failed"), text, words("end.failed_next"), retry=True)
        case FinishReason.LENGTH:
            return Notice("stopped", words("end.length"), next=words("end.length_next"))
        case _:
            return None


def category_name(verdict: Verdict, words: Words) -> str:
    """What was found, as people say it."""
    if verdict.decisive is None:
        return words("notice.other")
    category = verdict.decisive.finding.category
    return words.find(f"category.{category}") or category.replace("_", " ")


def _spans(verdict: Verdict) -> tuple[tuple[int, int], ...]:
    """Where in the person's words, for what carries the action."""
    if verdict.direction is not Direction.INPUT:
        return ()
    return tuple(ruling.finding.span for ruling in verdict.rulings if ruling.action is verdict.action)[:SHOWN_SPANS]


def _facts(verdict: Verdict, words: Words) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, str]] = [(words("fact.direction"), words(f"fact.direction_{verdict.direction.value}"))]
    ruling = verdict.decisive
    if ruling is not None:
        score = words.number(ruling.finding.score, 2)
        limit = words.number(ruling.threshold, 2)
        facts += [
            (words("fact.category"), ruling.finding.category),
            (words("fact.score"), words("fact.score_value", score=score, threshold=limit)),
            (words("fact.detector"), f"{ruling.finding.detector} {ruling.finding.version}".strip()),
        ]
        if reason := ruling.finding.explanation:
            known = words.find(f"explanation.{reason.replace(':', '_')}")
            facts.append((words("fact.explanation"), known or reason))
        if ruling.finding.windows > 1:
            parts = words.number(ruling.finding.windows)
            facts.append((words("fact.windows"), words("fact.windows_value", count=parts)))
    elif verdict.degraded:
        facts.append((words("fact.detector"), ", ".join(verdict.degraded[:SHOWN_DETECTORS])))
    if verdict.policy:
        facts.append((words("fact.policy"), verdict.policy))
    if verdict.language:
        facts.append((words("fact.language"), words(f"model.{verdict.language}")))
    if verdict.elapsed_ms:
        facts.append((words("fact.time"), words("stats.milliseconds", value=words.number(verdict.elapsed_ms, 1))))
    return (*facts, (words("fact.receipt"), verdict.id))
