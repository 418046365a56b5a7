"""Signs of an attack on the prompt as data: read from TOML, checked, and compiled."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import PolicyError

CUES = Path(__file__).parent / "cues" / "prompt_attacks.toml"
CATEGORIES = ("prompt_injection", "jailbreak")
_CUE_KEYS = {"name", "category", "weight", "folded", "patterns"}
_PART = re.compile(r"<(\w+)>")
_GAP = r"[^\w\n]{1,6}"
_START = r"(?:(?<!\w)|(?!\w))"  # a pattern that begins with a letter begins at the beginning of a word
_END = r"(?!\w)"  # in folded patterns every word is written whole: Vietnamese has no endings


@dataclass(frozen=True, slots=True)
class Cue:
    """One sign: `weight` is how sure one sighting makes us, from 0 to 1; `folded` says to look without accents."""

    name: str
    category: str
    weight: float
    folded: bool
    patterns: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class CueSet:
    """All cues of a file; `version` changes with its content."""

    cues: tuple[Cue, ...]
    version: str


def load_cues(path: Path = CUES) -> CueSet:
    """Read a file of cues. Raises PolicyError, naming the cue and what is wrong with it."""
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"The file of cues {path.name} cannot be read: {error}") from error
    parts = table.get("parts", {})
    cues = tuple(_cue(row, parts, path.name) for row in table.get("cue", []))
    if not cues:
        raise PolicyError(f"{path.name}: there is no [[cue]].")
    return CueSet(cues, hashlib.sha256(content).hexdigest()[:8])


def _cue(row: dict[str, Any], parts: dict[str, str], file: str) -> Cue:
    where = f"{file}, cue {row.get('name')!r}"
    unknown = sorted(set(row) - _CUE_KEYS)
    if unknown:
        raise PolicyError(f"{where}: unknown key {unknown[0]}; there are: {', '.join(sorted(_CUE_KEYS))}.")
    weight = row.get("weight")
    if not isinstance(weight, float) or not 0 < weight < 1:
        raise PolicyError(f"{where}: weight is {weight!r}; it must be a number between 0 and 1.")
    if row.get("category") not in CATEGORIES:
        raise PolicyError(f"{where}: category must be one of {', '.join(CATEGORIES)}.")
    folded = bool(row.get("folded", False))
    patterns = tuple(_compiled(pattern, parts, where, folded) for pattern in row.get("patterns", []))
    if not patterns or not isinstance(row.get("name"), str):
        raise PolicyError(f"{where}: a cue needs a name and patterns.")
    return Cue(row["name"], row["category"], weight, folded, patterns)


def _compiled(pattern: str, parts: dict[str, str], where: str, folded: bool) -> re.Pattern[str]:
    known = {"few": r"(?:\w[\w'’]*[^\w\n]{1,6}){0,4}?"} | {name: f"(?:{part})" for name, part in parts.items()}

    def expand(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise PolicyError(f"{where}: unknown part <{match[1]}>; there are: {', '.join(sorted(known))}.")
        return known[match[1]].replace(" ", _GAP)

    # "<few>" brings the gap behind its words itself, so the space in front of it is the only one.
    whole = _PART.sub(expand, pattern.replace(" ", _GAP))
    try:
        return re.compile(rf"{_START}(?:{whole}){_END if folded else ''}", re.MULTILINE)
    except re.error as error:
        raise PolicyError(f"{where}: a pattern is no regular expression: {error}.") from error
