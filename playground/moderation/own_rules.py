"""The operator's own rules, in force as soon as their file is saved; a bad edit leaves the last good ones in force."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from playground.domain import Finding
from playground.errors import PolicyError
from playground.moderation.contract import Scope
from playground.moderation.normaliser import normalise
from playground.moderation.rules_file import Rules, load_rules
from playground.moderation.word_list import WordListDetector

FILE = "rules.toml"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """What is in force, and what is wrong with the file as it is now ("" when nothing is)."""

    words: int
    patterns: int
    version: str
    error: str


class OwnRulesDetector:
    """Finds what a rules file lists; without a file it finds nothing. Safe to use from several threads.

    A finding's explanation is "own_rules:" and the name of the pattern, or the language of the word list. The file is
    looked at before every scan. When it was there and is gone, its last rules stay in force: to have none, empty it.

    Raises PolicyError when the file is there from the start and is refused.
    """

    name = "own_rules"
    reach = 4096
    scope: Scope = "span"
    prompt = True  # every search has a time limit of its own

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._state()
        self._error = ""
        self._rules = load_rules(path) if path and self._seen else Rules()
        self._words = WordListDetector(self._rules.lexicons)

    @property
    def version(self) -> str:
        """The hash of the file in force."""
        return self._rules.version

    @property
    def status(self) -> RulesStatus:
        """What is in force now."""
        self._refresh()
        rules = self._rules
        words = sum(len(lexicon.entries) for lexicon in rules.lexicons)
        return RulesStatus(words, len(rules.patterns), rules.version, self._error)

    def scan(self, text: str) -> list[Finding]:
        """Every listed word and every match. Raises DetectorUnavailable when a pattern takes too long."""
        self._refresh()
        rules, words = self._rules, self._words
        return [*self._listed(words, rules, text), *self._matched(rules, text)]

    def unsettled(self, text: str) -> int:
        """From the start of the word or match that may still be going on, to the end of `text`.

        Raises DetectorUnavailable when a pattern takes too long.
        """
        rules, words = self._rules, self._words
        held = words.unsettled(text) if rules.lexicons else 0
        if not rules.patterns:
            return held
        tail = text[-self.reach :]
        view = normalise(tail)
        return max(held, *(len(tail) - pattern.growing(tail, view) for pattern in rules.patterns))

    def _listed(self, words: WordListDetector, rules: Rules, text: str) -> Iterator[Finding]:
        for finding in words.scan(text) if rules.lexicons else ():
            language = finding.explanation.rpartition(":")[2]
            yield replace(finding, detector=self.name, version=rules.version, explanation=f"{self.name}:{language}")

    def _matched(self, rules: Rules, text: str) -> Iterator[Finding]:
        if not rules.patterns:
            return
        view = normalise(text)
        for pattern in rules.patterns:
            explanation = f"{self.name}:{pattern.name}"
            for span in pattern.spans(text, view):
                yield Finding(pattern.category, pattern.score, span, self.name, rules.version, explanation)

    def _state(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _refresh(self) -> None:
        """Take over a changed file. While one thread reads it, the others go on with the rules in force."""
        state = self._state()
        if state == self._seen or not self._lock.acquire(blocking=False):
            return
        try:
            self._seen = state
            if self._path:
                self._take(load_rules(self._path))
        except PolicyError as error:
            self._error = str(error)
            logger.error("the own rules of version %s stay in force: %s", self._rules.version, error)  # noqa: TRY400
        finally:
            self._lock.release()

    def _take(self, rules: Rules) -> None:
        self._words = WordListDetector(rules.lexicons)
        self._rules = rules
        self._error = ""
        logger.info("own rules of version %s are in force", rules.version)
