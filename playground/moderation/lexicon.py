"""A word list as data: read from TOML, checked, and compiled into what the detector looks things up in."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import PolicyError
from playground.moderation.normaliser import normalise, tone_variants

LISTS = Path(__file__).parent / "lists"
GAP = r"[\s\-_*`|~]{1,6}"
_BEFORE, _AFTER = r"(?<![^\W_])", r"(?![^\W_])"
_WORD = re.compile(r"[^\W_]+")
_GROUP_KEYS = {"category", "score", "words", "endings"}
_FILE_KEYS = {"language", "fold_accents", "group"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed word or phrase in normal form, words parted by single spaces; `score` is from 0 to 1."""

    text: str
    category: str
    score: float


class Lexicon:
    """The entries of one list.

    `signals` are words of which at least one occurs wherever an entry occurs: a cheap test before the exact patterns.
    `prefixes` are the beginnings of all phrases, to tell whether one may still be going on. `folds` says that letters
    are compared without accents.
    """

    def __init__(self, language: str, folds: bool, entries: Iterable[Entry]) -> None:
        self.language = language
        self.folds = folds
        self.entries = _strongest(entries)
        phrases = [text for text in self.entries if not text.isalnum()]
        words = [text for text in self.entries if text.isalnum()]
        self.signals = frozenset(words) | {_rarest(text) for text in phrases}
        self.words = re.compile(f"{_BEFORE}{trie_pattern(words)}{_AFTER}")
        self.phrases = re.compile(f"{_BEFORE}(?=({trie_pattern(phrases)}){_AFTER})")
        self.prefixes = frozenset(text[:end] for text in phrases for end in range(1, len(text)))
        self.longest_phrase = max((len(_WORD.findall(text)) for text in phrases), default=0)
        self.hidden = frozenset(text for text in words if len(text) >= 4 and self.entries[text].score >= 0.8)
        self.hidden_pattern = re.compile(trie_pattern(self.hidden))
        digest = hashlib.sha256(repr(sorted(map(repr, self.entries.values()))).encode()).hexdigest()
        self.version = digest[:8]


def load_lexicon(path: Path) -> Lexicon:
    """Read a list. Raises PolicyError, naming file, key and what is accepted."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PolicyError(f"The word list {path.name} cannot be read: {error}") from error
    _refuse_unknown(table, _FILE_KEYS, path.name)
    language = table.get("language")
    if not isinstance(language, str) or not language:
        raise PolicyError(f"{path.name}: language must be a short text such as en or vi.")
    entries = [entry for group in table.get("group", []) for entry in group_entries(group, path.name)]
    if not entries:
        raise PolicyError(f"{path.name}: there is no entry; add a [[group]] with words.")
    return Lexicon(language, bool(table.get("fold_accents", False)), entries)


def group_entries(group: Mapping[str, Any], name: str) -> list[Entry]:
    """The entries of one `[[group]]` of the file `name`. Raises PolicyError, naming the key and what is accepted."""
    _refuse_unknown(group, _GROUP_KEYS, f"{name}, [[group]]")
    category, score = group.get("category"), group.get("score")
    if not isinstance(category, str):
        raise PolicyError(f"{name}: every [[group]] needs a category.")
    if not isinstance(score, int | float) or isinstance(score, bool) or not 0 < score <= 1:
        raise PolicyError(f"{name}: score is {score!r}; it must be a number above 0, up to 1.")
    entries = []
    for word in group.get("words", []):
        for ending in group.get("endings", [""]):
            text = " ".join(normalise(str(word) + ending).text.lower().replace("'", " ").split())
            if not text or not all(part.isalnum() for part in text.split()):
                raise PolicyError(f"{name}: {word!r} is not made of words; a list holds letters and digits only.")
            entries += [Entry(form, category, float(score)) for form in tone_variants(text)]
    return entries


def _refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise PolicyError(f"{where}: unknown key {unknown[0]}; there are: {', '.join(sorted(known))}.")


def _strongest(entries: Iterable[Entry]) -> dict[str, Entry]:
    best: dict[str, Entry] = {}
    for entry in entries:
        if entry.text not in best or best[entry.text].score < entry.score:
            best[entry.text] = entry
    return best


def _rarest(phrase: str) -> str:
    """The longest word of a phrase: long words are rare words."""
    return max(phrase.split(), key=len)


def trie_pattern(texts: Iterable[str]) -> str:
    """A regular expression for any of `texts`, sharing common beginnings; longer ones win. Spaces match gaps."""
    trie: dict[str, Any] = {}
    for text in texts:
        node = trie
        for char in text:
            node = node.setdefault(char, {})
        node[""] = {}
    return _node_pattern(trie) if trie else r"(?!)"


def _node_pattern(node: dict[str, Any]) -> str:
    branches = [_char_pattern(char) + _node_pattern(node[char]) for char in sorted(node) if char]
    if not branches:
        return ""
    joined = branches[0] if len(branches) == 1 and "" not in node else f"(?:{'|'.join(branches)})"
    return joined + ("?" if "" in node else "")


def _char_pattern(char: str) -> str:
    return r"(?:" + GAP + r"|['’])" if char == " " else re.escape(char)
