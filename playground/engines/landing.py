"""Bringing a JSON document to its end with few tokens, for answers that are running out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llguidance import LLMatcher

_QUOTE, _ESCAPE = ord('"'), ord("\\")
# What is written, if it may be, outside of strings: an end, the next item, the shortest of values.
_ENDS = (b"}", b"]", b", ", b",", b"0", b'"')
Bits = NDArray[np.uint8]


@dataclass(slots=True)
class Place:
    """Where in a JSON text one is: whether in a string, and there right behind a backslash."""

    in_string: bool = False
    escaped: bool = False

    def advance(self, data: bytes) -> None:
        """Go on behind these bytes."""
        for byte in data:
            if self.escaped:
                self.escaped = False
            elif byte == _QUOTE:
                self.in_string = not self.in_string
            elif self.in_string and byte == _ESCAPE:
                self.escaped = True


class Lander:
    """Chooses what ends a document soon, always the same: so it can be tried out how many tokens that takes.

    `tokens` are the bytes of a model's tokens, by id.
    """

    def __init__(self, tokens: Sequence[bytes], eos_ids: frozenset[int]) -> None:
        self._tokens = tokens
        self._ids = {token: index for index, token in enumerate(tokens) if token}
        self._longest = max(map(len, self._ids), default=0)
        self._ends = [self._ids[end] for end in _ENDS if end in self._ids]
        self._quote = [self._ids[b'"']] if b'"' in self._ids else []
        self._eos = sorted(eos_ids)

    def measure(self, matcher: LLMatcher, place: Place, most: int) -> int | None:
        """How many tokens it takes to end the document from here; None when `most` are not enough."""
        trial, at, count = matcher.deep_copy(), Place(place.in_string, place.escaped), 0
        while count <= most:
            if trial.is_accepting():
                return count
            tokens = self._way(trial, at)
            if not tokens or not trial.consume_tokens(tokens):
                return None
            at.advance(b"".join(self._tokens[token] for token in tokens))
            count += len(tokens)
        return None

    def choose(self, matcher: LLMatcher, place: Place) -> int | None:
        """The next token on the way to the end; None when there is no way."""
        if matcher.is_accepting():
            return self._eos[0]
        return next(iter(self._way(matcher, place)), None)

    def _way(self, matcher: LLMatcher, place: Place) -> list[int]:
        """The next tokens on the way to the end: several, where what has to come next leaves no choice."""
        if forced := matcher.compute_ff_bytes():
            return self._cover(forced)
        bits = allowed_bits(matcher)
        if matcher.is_error() or not bits.any():
            return []
        wanted = self._quote if place.in_string and not place.escaped else () if place.in_string else self._ends
        for token in wanted:
            if bits[token >> 3] >> (token & 7) & 1:
                return [token]
        first = int(bits.astype(np.bool_).argmax())
        return [first * 8 + int(np.unpackbits(bits[first : first + 1], bitorder="little").argmax())]

    def _cover(self, data: bytes) -> list[int]:
        """Tokens that spell these bytes, each as long as can be."""
        tokens: list[int] = []
        while data:
            lengths = range(min(len(data), self._longest), 0, -1)
            token = next((found for length in lengths if (found := self._ids.get(data[:length])) is not None), None)
            if token is None:
                break
            tokens.append(token)
            data = data[len(self._tokens[token]) :]
        return tokens


def allowed_bits(matcher: LLMatcher) -> Bits:
    """One bit for every token, the lowest first: whether it may come next."""
    return np.frombuffer(matcher.compute_bitmask(), np.uint8)
