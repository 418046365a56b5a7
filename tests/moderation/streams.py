"""Feeding text to a guard in pieces, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from playground.moderation.contract import OutputGuard
from playground.moderation.moderator import PolicyModerator, build_moderator


@dataclass(frozen=True)
class Outcome:
    """What a guard let through, and whether and for what it stopped."""

    text: str
    blocked: bool
    blocked_for: frozenset[str]
    covered: tuple[str, ...]


@cache
def moderator(policy: str = "standard") -> PolicyModerator:
    return build_moderator(policy)


def stream(guard: OutputGuard, pieces: Iterable[str]) -> Outcome:
    """Feed all pieces (also after a block, as a careless caller would) and finish."""
    released = [guard.feed(piece).text for piece in pieces]
    released.append(guard.finish().text)
    blocking = [verdict for verdict in guard.verdicts if verdict.action == "block"]
    rulings = [ruling for verdict in guard.verdicts for ruling in verdict.rulings]
    return Outcome(
        text="".join(released),
        blocked=bool(blocking),
        blocked_for=frozenset(
            ruling.finding.category for verdict in blocking for ruling in verdict.rulings if ruling.action == "block"
        ),
        covered=tuple(ruling.finding.category for ruling in rulings if ruling.action == "redact"),
    )


def in_pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def every_split(text: str, pieces: int) -> Iterator[list[str]]:
    """All ways to cut a text in two, and in as many equal `pieces` from every offset."""
    for at in range(1, len(text)):
        yield [text[:at], text[at:]]
    for size in range(1, pieces + 1):
        for first in range(size):
            yield [text[:first], *in_pieces(text[first:], size)]
