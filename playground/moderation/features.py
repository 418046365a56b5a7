"""Text as hashed n-grams: which rows of a weight table a text adds up.

A text is normalised, lower-cased, and reduced to words; every word, every pair of neighbouring words, and every run of
3 to 5 characters inside a word (its borders included) is hashed to a row number. Only array operations are used, so
that a long text, or a batch of short ones, costs a few nanoseconds per character and feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from playground.moderation.normaliser import Normalised, normalise

BITS = 19
ROWS = 1 << BITS
"""How many rows a weight table has; a power of two."""

_SPACE = 32
_KEPT = "*!?@$"  # symbols that stand for letters or carry tone; all other ASCII symbols part words
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_KINDS = np.arange(6, dtype=np.uint64)  # keeps words, pairs and the orders of n-grams apart
_ODD = 0x100000001B3  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_ODD, -1, 1 << 64)

Codes = NDArray[np.uint32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """A text as code points in normal form: words parted by single spaces, with a space before and behind.

    `places` tells for every code point where it stood in the normalised text (borders: -1).
    """

    codes: Codes
    places: Places
    view: Normalised


def read_words(text: str) -> Words:
    """The words of `text`; just a border when there are none."""
    view = normalise(text)
    raw = np.frombuffer(view.text.lower().encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.full(len(raw) + 2, _SPACE, dtype=np.uint32)
    codes[1:-1] = np.where(raw < 128, _ascii()[np.minimum(raw, 127)], raw)
    codes[1:-1][(raw >= 0x2000) & (raw < 0x2070)] = _SPACE  # general punctuation
    kept = codes != _SPACE
    kept[1:] |= kept[:-1]
    kept[0] = True
    places = kept.nonzero()[0]
    return Words(codes[places], places - 1, view)


def feature_rows(codes: Codes) -> tuple[Places, Places]:
    """Row numbers of all features, and for each the position in `codes` of a character of the word it belongs to."""
    wide = codes.astype(np.uint64)
    space = codes == _SPACE
    hashes: list[NDArray[np.uint64]] = []
    homes: list[Places] = []
    hashed, broken = wide[:-1] * _PRIME + wide[1:], space[1:-1]
    for order in range(3, 6):
        hashed = hashed[:-1] * _PRIME + wide[order - 1 :]
        if order > 3:
            broken = broken[:-1] | space[order - 2 : -1]
        whole = (~broken).nonzero()[0]
        hashes.append(hashed[whole] + _KINDS[order])
        homes.append(whole + 1)
    borders = space.nonzero()[0]
    starts = borders[:-1] + 1
    words = _word_hashes(wide, starts, borders[1:])
    hashes += (words + _KINDS[1], words[:-1] * _PRIME + words[1:] + _KINDS[2])
    homes += (starts, starts[1:])
    return _rows(np.concatenate(hashes)), np.concatenate(homes)


def distinct(rows: Places) -> Places:
    """The different ones among `rows`, in rising order."""
    if len(rows) < 2:
        return rows
    ordered = np.sort(rows)
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def _word_hashes(wide: NDArray[np.uint64], starts: Places, stops: Places) -> NDArray[np.uint64]:
    """A polynomial hash of every word from differences of one running sum, independent of where the word stands."""
    powers, inverses = _powers(len(wide))
    running = np.zeros(len(wide) + 1, dtype=np.uint64)
    np.cumsum(wide * powers, out=running[1:])
    hashed: NDArray[np.uint64] = (running[stops] - running[starts]) * inverses[starts]
    return hashed


def _rows(hashed: NDArray[np.uint64]) -> Places:
    mixed = hashed * _PRIME
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRIME
    mixed >>= np.uint64(64 - BITS)
    return mixed.astype(np.int64)


@lru_cache(maxsize=1)
def _ascii() -> Codes:
    table = np.full(128, _SPACE, dtype=np.uint32)
    for code in range(128):
        if chr(code).isalnum() or chr(code) in _KEPT:
            table[code] = code
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
