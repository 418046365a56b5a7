"""Secrets: keys and tokens of well-known services, private key blocks, and assignments of random-looking values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

import regex

from playground.domain import Finding
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Scope

_B = r"(?<![A-Za-z0-9_-])"
_SHAPES = {
    "anthropic": r"sk-ant-[A-Za-z0-9_-]{20,}",
    "openai": r"sk-(?!ant-)(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}",
    "github": r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}",
    "gitlab": r"glpat-[A-Za-z0-9_-]{20,}",
    "huggingface": r"hf_[A-Za-z0-9]{30,}",
    "aws": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "google": r"AIza[A-Za-z0-9_-]{35}",
    "slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "stripe": r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    "jwt": r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
}
_KNOWN = re.compile(_B + "(?:" + "|".join(f"(?P<{name}>{shape})" for name, shape in _SHAPES.items()) + ")")
_WORDY = {"openai", "anthropic", "npm"}  # shapes that a line of words and hyphens has too
# What every shape begins with: tokens that begin otherwise need no holding back beyond a short tail.
_BEGINNING = re.compile(
    _B + r"(?:sk[-_]|rk_|gh[pousr]_|github_pat_|glpat-|hf_|AKIA|ASIA|AIza|xox|npm_|eyJ|[0-9]{8,10}:A)"
)
_KEY_HEADER = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
# Header lines of an armoured block, then the encoded key; its line ends may be written as "\\n", or be quoted.
# By `regex`: before 3.11.5 Python's own `re` reads possessive groups with choices in them wrongly (cpython#106052).
_KEY_BODY = regex.compile(r"(?:\s{0,4}[A-Z][A-Za-z-]{2,30}: [^\n]{0,200}\n){0,8}+(?:[A-Za-z0-9+/=\s:,>]++|\\[nr])*+")
_KEY_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_NAMES = r"(?:api|secret|access|auth|private|client|bearer|encryption)[_ -]?(?:key|token|secret)"
_ASSIGNED = re.compile(
    rf"(?i)(?<![A-Za-z]){_NAMES}[\"'`]?\s{{0,4}}(?::=|=>|[:=])\s{{0,4}}[\"'`]?([A-Za-z0-9+/_.~-]{{16,200}})"
)
_ASSIGNING = re.compile(
    rf"(?i)(?<![A-Za-z]){_NAMES}[\"'`]?\s{{0,4}}(?::=?|=>?)?\s{{0,4}}[\"'`]?[A-Za-z0-9+/_.~-]{{0,200}}\Z"
)
# Cheap tests before the patterns: one of these occurs in whatever the patterns match.
_MARKERS = ("sk-", "sk_", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "AKIA", "ASIA",
            "AIza", "xox", "npm_", "eyJ", ":AA")  # fmt: skip
_NAME_ENDS = ("key", "token", "secret")
_TOKEN_BACKWARDS = re.compile(r"[A-Za-z0-9_.+/~:-]*")
_DASHES_BACKWARDS = re.compile(r"-{1,5}")
_SHORT = 128
_TOKEN_REACH = 8192
_NEAR = 8000  # so far behind its header a key block may end, whatever stands in between; a longer one is all key
_LONGEST_KEY = 1 << 17


class SecretsDetector:
    """Finds credentials; the explanation names the service or the kind ("github", "private_key", "assignment")."""

    name = "secrets"
    version = "2"
    reach = _LONGEST_KEY + 256
    prompt = True
    scope: Scope = "span"

    def scan(self, text: str) -> list[Finding]:
        """Every credential, longest reading first.

        Raises DetectorUnavailable for a key block of more than 131,072 characters: nobody has such keys, and a guard
        would have to keep it all.
        """
        return [
            Finding("secret", score, (start, end), self.name, self.version, kind)
            for start, end, score, kind in _secrets(text)
        ]

    def unsettled(self, text: str) -> int:
        """From the start of a token, key block or assignment that may still be going on, to the end of `text`."""
        begin = text.rfind("-----BEGIN", max(0, len(text) - self.reach))
        if begin >= 0 and not _ended(text, begin):
            return len(text) - begin
        tail = text[: -_TOKEN_REACH - 1 : -1]
        match = _TOKEN_BACKWARDS.match(tail)
        run = match.end() if match else 0
        if run > _SHORT:
            token = text[-run:]
            known = _BEGINNING.search(token)
            run = run - known.start() if known else _SHORT
        return max(run, _assigning(text[-320:]))


def _assigning(tail: str) -> int:
    match = _ASSIGNING.search(tail) if _has_any(tail.lower(), _NAME_ENDS) else None
    return match.end() - match.start() if match else 0


def _has_any(text: str, markers: tuple[str, ...]) -> bool:
    return any(marker in text for marker in markers)


def _ended(text: str, begin: int) -> bool:
    """Whether the block that begins there is closed, or cannot be a private key (any more)."""
    header_end = text.find("-----", begin + 10)
    if header_end < 0:
        return len(text) - begin > 80
    if "PRIVATE KEY" not in text[begin:header_end]:
        return True
    closing = text.find("-----END", header_end, begin + _NEAR)
    if closing < 0 and len(text) - begin < _NEAR:
        return False
    if closing < 0:
        closing = _body_end(text, header_end + 5)
        if not "-----END".startswith(text[closing : closing + 8]):
            return True
    return text.find("-----", closing + 8) >= 0 or len(text) - closing > 80


def _body_end(text: str, place: int) -> int:
    """Where the encoded key ends that begins at `place`."""
    body = _KEY_BODY.match(text, place)
    return body.end() if body else place


def _secrets(text: str) -> Iterator[tuple[int, int, float, str]]:
    for start, end in _private_keys(text):
        yield start, end, 1.0, "private_key"
    known = _KNOWN.finditer(text) if _has_any(text, _MARKERS) else ()
    for match in known:
        if len(set(match[0])) >= 10 and (match.lastgroup not in _WORDY or _looks_random(match[0])):
            yield *match.span(), 0.95, match.lastgroup or "token"
    assigned = _ASSIGNED.finditer(text) if _has_any(text.lower(), _NAME_ENDS) else ()
    for match in assigned:
        if _looks_random(match[1]) and not _KNOWN.match(match[1]):
            yield *match.span(1), 0.7, "assignment"


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Key blocks from header to end line; without an end line nearby, as far as the encoded body goes."""
    place = text.find("-----BEGIN")
    while place >= 0:
        stop = place + 10
        header = _KEY_HEADER.match(text, place)
        if header:
            stop = _key_end(text, place, header.end())
            yield place, stop
        place = text.find("-----BEGIN", stop)


def _key_end(text: str, place: int, body: int) -> int:
    """Where the key block ends whose header stands at `place`, and whose body begins at `body`."""
    following = text.find("-----BEGIN", body, place + _NEAR)
    closing = text.find("-----END", body, following if following >= 0 else place + _NEAR)
    end = _KEY_END.match(text, closing) if closing >= 0 else None
    if end is None:
        stop = _body_end(text, body)
        end = _KEY_END.match(text, stop)
    stop = end.end() if end else stop
    if stop - place > _LONGEST_KEY:
        raise DetectorUnavailable(f"A key block is longer than {_LONGEST_KEY:,} characters.")
    return stop


def _looks_random(value: str) -> bool:
    """Whether letters and digits are mixed as in a generated value; "your_api_key_goes_here" is not."""
    if not any(char.isdigit() for char in value) or not any(char.isalpha() for char in value):
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= 3.0
