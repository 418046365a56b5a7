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
        trial, at = matcher.deep_copy(), Place(place.in_string, place.escaped)
        for count in range(most + 1):
            if trial.is_accepting():
                return count
            bits = allowed_bits(trial)
            if trial.is_error() or not bits.any():
                return None
            token = self.choose(trial, bits, at)
            trial.consume_token(token)
            at.advance(self._tokens[token])
        return None

    def choose(self, matcher: LLMatcher, bits: Bits, place: Place) -> int:
        """The next token on the way to the end, among those that `bits` allow."""
        for token in self._eos:
            if _has(bits, token):
                return token
        if (forced := self._forced(matcher.compute_ff_bytes(), bits)) is not None:
            return forced
        wanted = self._quote if place.in_string and not place.escaped else () if place.in_string else self._ends
        for token in wanted:
            if _has(bits, token):
                return token
        first = int(bits.astype(np.bool_).argmax())
        return first * 8 + int(np.unpackbits(bits[first : first + 1], bitorder="little").argmax())

    def _forced(self, data: bytes, bits: Bits) -> int | None:
        """The longest token that begins what has to come next."""
        for length in range(min(len(data), self._longest), 0, -1):
            token = self._ids.get(data[:length])
            if token is not None and _has(bits, token):
                return token
        return None


def allowed_bits(matcher: LLMatcher) -> Bits:
    """One bit for every token, the lowest first: whether it may come next."""
    return np.frombuffer(matcher.compute_bitmask(), np.uint8)


def _has(bits: Bits, token: int) -> bool:
    return bool(bits[token >> 3] >> (token & 7) & 1)
