"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`FIX`: the playground cannot work, or not safely, before this is mended. `NOTE`: good to know."""

    OK = "ok"
    NOTE = "note"
    FIX = "fix"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `said` is what is there, `advice` what to do about it (empty when it is well)."""

    subject: str
    state: State
    said: str
    advice: str = ""


def ok(subject: str, said: str) -> Finding:
    """All is well."""
    return Finding(subject, State.OK, said)


def note(subject: str, said: str, advice: str = "") -> Finding:
    """Good to know."""
    return Finding(subject, State.NOTE, said, advice)


def fix(subject: str, said: str, advice: str) -> Finding:
    """To be mended."""
    return Finding(subject, State.FIX, said, advice)
