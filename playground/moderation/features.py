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
# Constants as arrays without dimensions: numpy is slower with scalars, and short texts are all overhead.
_PRIME = np.array(0x9E3779B97F4A7C15, dtype=np.uint64)
_KINDS = [np.array(kind, dtype=np.uint64) for kind in range(6)]  # keeps words, pairs and the orders of n-grams apart
_BORDER = np.array(_SPACE, dtype=np.uint32)
_SHIFT, _TOP = np.array(29, dtype=np.uint64), np.array(64 - BITS, dtype=np.uint64)
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
    """The words of `text`, with their places; just a border when there are none."""
    view = normalise(text)
    codes, places = _spaced(view.text.lower())
    return Words(codes, places, view)


def word_codes(text: str) -> Codes:
    """Only the code points of `read_words`, which is quicker."""
    plain = normalise(text).text.lower()
    if not plain.isascii():
        codes = _read(plain)
        return codes[_kept(codes)]
    words = b" ".join(plain.encode("ascii").translate(_ascii_bytes()).split())
    return np.frombuffer(b" " + words + b" " if words else b" ", dtype=np.uint8).astype(np.uint32)


def _spaced(plain: str) -> tuple[Codes, Places]:
    codes = _read(plain)
    places = _kept(codes).nonzero()[0]
    return codes[places], places - 1


def _read(plain: str) -> Codes:
    """Every code point as what it is read as, with a space before and behind the text."""
    raw = np.frombuffer(f" {plain} ".encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    table = _low_codes()
    try:
        return table.take(raw)
    except IndexError:
        codes = raw.copy()
        low = raw < len(table)
        codes[low] = table.take(raw[low])
        return codes


def _kept(codes: Codes) -> NDArray[np.bool_]:
    """All but the spaces behind a space."""
    kept: NDArray[np.bool_] = codes != _BORDER
    kept[1:] |= kept[:-1]
    kept[0] = True
    return kept


def feature_rows(codes: Codes) -> Places:
    """Row numbers of all features, as often as they occur.

    A hash is a polynomial in `_PRIME`, so that longer runs of characters, and pairs of words, go on from shorter ones.
    """
    wide = codes.astype(np.uint64)
    space = codes == _BORDER
    grams = []
    power = wide[:-1] * _PRIME
    power += wide[1:]
    for order in (3, 4, 5):
        power *= _PRIME
        power = power[:-1] + wide[order - 1 :]
        grams.append(power + _KINDS[order])
    words = _word_hashes(wide, space)
    pairs = words[:-1] * _PRIME
    pairs += words[1:]
    pairs += _KINDS[2]
    return _rows(np.concatenate((np.concatenate(grams)[_unbroken(space)], words + _KINDS[1], pairs)))


def feature_homes(codes: Codes) -> Places:
    """For every feature of `feature_rows`, in the same order, which word it belongs to (the first one is 0).

    A pair of words belongs to the second one.
    """
    space = codes == _SPACE
    word_of = space.cumsum() - 1  # of a character inside of a word
    orders = [word_of[1 : len(codes) - order + 2] for order in range(3, 6)]
    count = int(space.sum()) - 1
    return np.concatenate((np.concatenate(orders)[_unbroken(space)], np.arange(count), np.arange(1, max(count, 1))))


def _unbroken(space: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of all runs of 3, then of 4, then of 5 characters have no space inside (at either end there may be one)."""
    three = ~space[1:-1]
    four = three[:-1] & three[1:]
    return np.concatenate((three, four, four[:-1] & three[2:]))


def distinct(rows: Places) -> Places:
    """The different ones among `rows`, in rising order."""
    if len(rows) < 2:
        return rows
    ordered = np.sort(rows)
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def _word_hashes(wide: NDArray[np.uint64], space: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """A polynomial hash of every word, independent of where the word stands."""
    starts = space[:-1].nonzero()[0]
    if not len(starts):
        return np.empty(0, dtype=np.uint64)
    starts += 1
    powers, inverses = _powers(len(wide))
    terms = wide * powers
    terms[space] = 0
    hashed: NDArray[np.uint64] = np.add.reduceat(terms, starts)
    hashed *= inverses[starts]
    return hashed


def _rows(hashed: NDArray[np.uint64]) -> Places:
    """The upper bits once more mixed; `hashed` is used up."""
    hashed *= _PRIME
    hashed ^= hashed >> _SHIFT
    hashed *= _PRIME
    hashed >>= _TOP
    return hashed.view(np.int64)


@lru_cache(maxsize=1)
def _ascii_bytes() -> bytes:
    """For every ASCII code what it is read as; a table for `bytes.translate`."""
    return bytes(code if code < 128 and (chr(code).isalnum() or chr(code) in _KEPT) else _SPACE for code in range(256))


@lru_cache(maxsize=1)
def _low_codes() -> Codes:
    """For every code point below 0x2070 what it is read as: symbols and general punctuation part words."""
    table = np.arange(0x2070, dtype=np.uint32)
    table[:128] = np.frombuffer(_ascii_bytes()[:128], dtype=np.uint8)
    table[0x2000:] = _SPACE
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
