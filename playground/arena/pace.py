"""How much of each answer of a blind battle may be seen: as much of one as of the other, whoever writes faster.

All sides are shown equally many characters: as many as the slowest of those that still write has released. An answer
that has ended counts as endless, so ending early shows no earlier than the others catch up. What an answer is ahead of
the others then comes at a steady speed and not at once: a leap would tell who was waiting for whom.
"""

from __future__ import annotations

from collections.abc import Sequence

CHARS_PER_SECOND = 400.0


def common_pace(lengths: Sequence[int], ended: Sequence[bool]) -> int:
    """How many characters of every side may be shown, given how many each has released and which have ended."""
    writing = [length for length, over in zip(lengths, ended, strict=True) if not over]
    return min(writing) if writing else max(lengths, default=0)


def advance(shown: float, allowed: int, seconds: float, speed: float = CHARS_PER_SECOND) -> float:
    """How many characters are shown `seconds` after `shown` were; never fewer, never more than `allowed` by now."""
    return max(shown, min(float(allowed), shown + speed * max(0.0, seconds)))


def caught_up(shown: float, lengths: Sequence[int], ended: Sequence[bool]) -> bool:
    """Whether all answers have ended and are wholly shown."""
    return all(ended) and shown >= max(lengths, default=0)
