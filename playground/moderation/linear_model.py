"""The embedded classifier's model: a table of small integers, added up.

A text's score per label is `bias + scale * sum / sqrt(norm)`, where `sum` and `norm` add one table entry for every
distinct feature. Sums of integers are exact, so a stream that arrives in pieces scores what the whole text scores, and
the contributions of single words add up to the score.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from playground.errors import DetectorUnavailable
from playground.moderation.features import ROWS, Words, distinct, feature_homes, feature_rows, read_words, word_codes

Scores = NDArray[np.float64]
_EXACT = 1 << 17  # of so many signed bytes every sum is exact in single precision, where a product is quickest
_COLUMNS = 8  # up to seven labels and the squared length, one byte each: a row is one 64-bit number


@dataclass(frozen=True, slots=True)
class WordShare:
    """How much one word (`span` in the text as given) adds to the log-odds of a label."""

    span: tuple[int, int]
    share: float


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Weights in `table` (one row of eight signed bytes per hashed feature; the last byte is the squared length).

    `scales` and `biases` belong to `labels`; `norm_scale` and `steady` make the length.
    """

    labels: tuple[str, ...]
    table: NDArray[np.uint64]
    scales: Scores
    biases: Scores
    norm_scale: float
    steady: float
    version: str

    def score(self, text: str) -> Scores:
        """The probability of every label, each from 0 to 1; `text` may have any length."""
        rows = feature_rows(word_codes(text))
        return self.probabilities(self.sums(distinct(rows)))

    def sums(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the given distinct rows add up to, per column."""
        values = self.table.take(rows).view(np.int8).reshape(-1, _COLUMNS)
        if len(values) > _EXACT:
            added: NDArray[np.int64] = values.sum(axis=0, dtype=np.int64)
            return added
        return (_ones()[: len(values)] @ values.astype(np.float32)).astype(np.int64)

    def probabilities(self, sums: NDArray[np.int64]) -> Scores:
        """The logistic function of the scaled sums."""
        logits: Scores = sums[: len(self.labels)] / self._length(sums)
        logits *= self.scales
        logits += self.biases
        np.exp(np.negative(logits, out=logits), out=logits)
        logits += 1
        return np.reciprocal(logits, out=logits)

    def _length(self, sums: NDArray[np.int64]) -> float:
        return math.sqrt(self.norm_scale * int(sums[-1]) + self.steady)

    def shares(self, text: str, label: str) -> list[WordShare]:
        """What every word adds to the log-odds of `label`, in the order of the text; with the bias they are the sum.

        A feature that occurs more than once counts where it occurs first.
        """
        column = self.labels.index(label)
        words = read_words(text)
        different, first = np.unique(feature_rows(words.codes), return_index=True)
        if not len(different):
            return []
        values = np.take(self.table, different).view(np.int8).reshape(-1, _COLUMNS).astype(np.int64)
        homes = feature_homes(words.codes)[first]
        spans = _spans(words)
        per_word = np.bincount(homes, weights=values[:, column], minlength=len(spans))
        factor = self.scales[column] / self._length(values.sum(axis=0))
        return [WordShare(span, float(share * factor)) for span, share in zip(spans, per_word, strict=True)]


class ScoreStream:
    """Scores a text that arrives in pieces; at every point `scores` are those of the text so far.

    Every completed word is looked at once.
    """

    def __init__(self, model: LinearModel) -> None:
        self._model = model
        self._seen: set[int] = set()
        self._sums = np.zeros(_COLUMNS, dtype=np.int64)
        self._parts: list[str] = []
        self._last_word = ""

    def feed(self, piece: str) -> None:
        """Take in more text."""
        border = max(piece.rfind(" "), piece.rfind("\n"))
        if border < 0:
            self._parts.append(piece)
            return
        whole = self._last_word + " " + "".join(self._parts) + piece[:border]
        self._parts = [piece[border:]]
        new = self._new_rows(whole)
        self._seen.update(new)
        self._sums += self._model.sums(np.array(new, dtype=np.int64))
        self._last_word = _last_word(whole)

    def scores(self) -> Scores:
        """The probability of every label for the text so far."""
        rest = self._new_rows(self._last_word + " " + "".join(self._parts))
        return self._model.probabilities(self._sums + self._model.sums(np.array(rest, dtype=np.int64)))

    def _new_rows(self, text: str) -> list[int]:
        return [row for row in set(feature_rows(word_codes(text)).tolist()) if row not in self._seen]


@lru_cache(maxsize=1)
def _ones() -> NDArray[np.float32]:
    return np.ones(_EXACT, dtype=np.float32)


def _last_word(text: str) -> str:
    """The end of `text` from the last place on where a word begins, read back as it is scored."""
    codes = word_codes(text)
    borders = np.flatnonzero(codes == 32)
    if len(borders) < 2:
        return ""
    return "".join(map(chr, codes[borders[-2] + 1 : borders[-1]].tolist()))


def _spans(words: Words) -> list[tuple[int, int]]:
    borders = np.flatnonzero(words.codes == 32)
    places = words.places
    return [
        words.view.span(int(places[start + 1]), int(places[stop - 1]) + 1) for start, stop in pairwise(borders.tolist())
    ]


def save_model(path: Path, model: LinearModel) -> None:
    """Write a model as a compressed archive of plain arrays, and its SHA-256 beside it."""
    np.savez_compressed(
        path,
        labels=np.array(model.labels),
        table=model.table.view(np.int8).reshape(-1, _COLUMNS),
        scales=model.scales,
        biases=model.biases,
        length=np.array([model.norm_scale, model.steady]),
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n", encoding="ascii")


def verify_model(path: Path) -> None:
    """Check a model's file against the SHA-256 noted beside it: another model of the right shape would say nothing.

    Raises DetectorUnavailable when they differ, or one of them is missing.
    """
    try:
        noted = path.with_suffix(".sha256").read_text(encoding="ascii").split()[0]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise DetectorUnavailable(
            f"The classifier's model {path.name} cannot be verified; restore its files."
        ) from error
    if noted != found:
        raise DetectorUnavailable(f"{path.name} is not the classifier's model (SHA-256 differs); restore the file.")


def load_model(path: Path) -> LinearModel:
    """Read a model; no code in the file is run.

    Raises DetectorUnavailable when it is missing, damaged or of another shape.
    """
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            table, labels = arrays["table"], tuple(str(label) for label in arrays["labels"])
            scales, biases, length = arrays["scales"], arrays["biases"], arrays["length"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DetectorUnavailable(f"The classifier's model {path.name} cannot be read; restore the file.") from error
    fits = table.shape == (ROWS, _COLUMNS) and table.dtype == np.int8 and length.shape == (2,)
    if not fits or not 0 < len(labels) < _COLUMNS or scales.shape != (len(labels),) or biases.shape != scales.shape:
        raise DetectorUnavailable(f"The classifier's model {path.name} has another shape than this version expects.")
    if not all(np.isfinite(array).all() for array in (scales, biases, length)) or length.min() <= 0:
        raise DetectorUnavailable(f"The classifier's model {path.name} holds impossible numbers; restore the file.")
    return LinearModel(
        labels=labels,
        table=np.ascontiguousarray(table).view(np.uint64).ravel(),
        scales=scales.astype(np.float64),
        biases=biases.astype(np.float64),
        norm_scale=float(length[0]),
        steady=float(length[1]),
        version=hashlib.sha256(content).hexdigest()[:12],
    )
