"""Text as hashed n-grams: which rows of a weight table a text adds up.

A text is normalised, lower-cased, and reduced to words; every word, every pair of neighbouring words, and every run of
3 to 5 characters inside a word (its borders included) is hashed to a row number. Only array operations are used, so
that a long text, or a batch of short ones, costs a few nanoseconds per character and feature.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from playground.moderation.normaliser import normalise

BITS = 19
ROWS = 1 << BITS
"""How many rows a weight table has; a power of two."""

LONGEST_WORD = 64
_ORDERS = (3, 4, 5)
_SPACE = 32
_KEPT = "*!?@$"  # symbols that stand for letters or carry tone; all other ASCII symbols part words
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_ODD = 0x100000001B3  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_ODD, -1, 1 << 64)

Codes = NDArray[np.uint32]
RowNumbers = NDArray[np.int64]


def word_codes(text: str) -> Codes:
    """The code points of `text` in normal form, words parted by single spaces, with a space before and behind.

    Empty (a single space) when there is no word in it.
    """
    plain = normalise(text).text.lower()
    raw = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.empty(len(raw) + 2, dtype=np.uint32)
    codes[0] = codes[-1] = _SPACE
    codes[1:-1] = np.where(raw < 128, _ascii()[np.minimum(raw, 127)], raw)
    codes[1:-1][(raw >= 0x2000) & (raw < 0x2070)] = _SPACE  # general punctuation
    kept = np.ones(len(codes), dtype=bool)
    kept[1:] = (codes[1:] != _SPACE) | (codes[:-1] != _SPACE)
    return codes[kept]


def feature_rows(codes: Codes) -> tuple[RowNumbers, NDArray[np.int64]]:
    """Row numbers of all features of `word_codes`, and the position in `codes` where each feature ends (exclusive)."""
    rows: list[RowNumbers] = []
    ends: list[NDArray[np.int64]] = []
    space = codes == _SPACE
    wide = codes.astype(np.uint64)
    for order in _ORDERS:
        count = len(codes) - order + 1
        if count <= 0:
            break
        hashed = np.zeros(count, dtype=np.uint64)
        inner = np.zeros(count, dtype=bool)
        for place in range(order):
            hashed = hashed * _PRIME + wide[place : place + count]
            if 0 < place < order - 1:
                inner |= space[place : place + count]
        whole = np.flatnonzero(~inner)
        rows.append(_row(hashed[whole], order))
        ends.append(whole + order)
    borders = np.flatnonzero(space)
    if len(borders) > 1:
        starts, stops = borders[:-1] + 1, borders[1:]
        words = _word_hashes(wide, starts, stops)
        rows.append(_row(words, 1))
        ends.append(stops)
        rows.append(_row(words[:-1] * _PRIME + words[1:], 2))
        ends.append(stops[1:])
    if not rows:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate(rows), np.concatenate(ends)


def _word_hashes(wide: NDArray[np.uint64], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A polynomial hash of every word from differences of one running sum, independent of where the word stands."""
    powers, inverses = _powers(len(wide))
    running = np.zeros(len(wide) + 1, dtype=np.uint64)
    np.cumsum(wide * powers, out=running[1:])
    hashed: NDArray[np.uint64] = (running[stops] - running[starts]) * inverses[starts]
    return hashed


def _row(hashed: NDArray[np.uint64], kind: int) -> RowNumbers:
    mixed = (hashed + np.uint64(kind)) * _PRIME
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRIME
    return (mixed >> np.uint64(64 - BITS)).astype(np.int64)


@lru_cache(maxsize=1)
def _ascii() -> Codes:
    table = np.full(128, _SPACE, dtype=np.uint32)
    for char in (*map(chr, range(128)),):
        if char.isalnum() or char in _KEPT:
            table[ord(char)] = ord(char)
    return table


@lru_cache(maxsize=4)
def _powers_of(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    powers = np.ones(size, dtype=np.uint64)
    inverses = np.ones(size, dtype=np.uint64)
    powers[1:] = np.cumprod(np.full(size - 1, _ODD, dtype=np.uint64))
    inverses[1:] = np.cumprod(np.full(size - 1, _INVERSE, dtype=np.uint64))
    return powers, inverses


def _powers(length: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    powers, inverses = _powers_of(1 << max(10, (length - 1).bit_length()))
    return powers[:length], inverses[:length]
