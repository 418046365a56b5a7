"""Votes as columns: what the ratings are computed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.errors import InvalidRequest

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# The public Chatbot Arena's words for an outcome, in the order of the codes.
WINNERS = ("model_a", "model_b", "tie", "tie (bothbad)")
A_WINS, B_WINS, TIE, BOTH_BAD = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Votes, one entry of every array for each.

    `first` and `second` are indices into `models`; `winner` is an index into `WINNERS`. `session` and `prompt` say
    which votes belong together (the same person; the same question): such votes are no independent witnesses.
    `styles` [votes, features] is how the first answer's style differs from the second's, see `arena.style`; None when
    the answers are not known. `labels` are further columns to choose by (language, category), each of texts.
    `left_out` counts votes on a model against itself, which are none of these: they say nothing of any model.
    """

    models: tuple[str, ...]
    first: Integers
    second: Integers
    winner: Integers
    session: Integers
    prompt: Integers
    styles: Floats | None
    labels: Mapping[str, NDArray[np.object_]]
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.winner)

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Which votes preferred neither side."""
        return self.winner >= TIE

    def where(self, chosen: NDArray[np.bool_]) -> Votes:
        """Those votes only; the models stay, also those left without a vote."""
        return replace(
            self,
            first=self.first[chosen],
            second=self.second[chosen],
            winner=self.winner[chosen],
            session=self.session[chosen],
            prompt=self.prompt[chosen],
            styles=None if self.styles is None else self.styles[chosen],
            labels={name: column[chosen] for name, column in self.labels.items()},
        )

    def labelled(self, name: str, value: str) -> Votes:
        """Votes with this value of a label.

        Raises InvalidRequest for a label or value that no vote has, listing what there is.
        """
        if name not in self.labels:
            raise InvalidRequest(f"The votes have no column {name}. There are: {', '.join(self.labels) or 'none'}.")
        chosen = self.labels[name] == value
        if not chosen.any():
            known = sorted({str(item) for item in self.labels[name]})[:20]
            raise InvalidRequest(f"No vote has {name} {value!r:.60}. There are: {', '.join(known)}.")
        return self.where(chosen)

    def appearances(self) -> Integers:
        """How many votes every model took part in."""
        count = len(self.models)
        return np.bincount(self.first, minlength=count) + np.bincount(self.second, minlength=count)


def build_votes(
    model_a: Sequence[str],
    model_b: Sequence[str],
    winner: Sequence[str],
    *,
    session: Sequence[Any] | None = None,
    prompt: Sequence[Any] | None = None,
    styles: Floats | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> Votes:
    """Votes from columns of equal length; without `session` or `prompt` every vote stands for itself.

    Raises InvalidRequest naming the first row with an unknown winner.
    """
    models = sorted({*model_a, *model_b})
    place = {name: at for at, name in enumerate(models)}
    first = np.fromiter(map(place.__getitem__, model_a), np.int64, len(model_a))
    second = np.fromiter(map(place.__getitem__, model_b), np.int64, len(model_b))
    codes = {word: code for code, word in enumerate(WINNERS)}
    outcome = np.fromiter((codes.get(word, -1) for word in winner), np.int64, len(winner))
    known = ", ".join(WINNERS)
    _refuse(outcome < 0, lambda row: f"vote {row}: winner is {winner[row - 1]!r:.60}; it must be one of {known}.")
    votes = Votes(
        models=tuple(models),
        first=first,
        second=second,
        winner=outcome,
        session=_groups(session, len(outcome)),
        prompt=_groups(prompt, len(outcome)),
        styles=styles,
        labels={name: np.asarray(column, dtype=object) for name, column in (labels or {}).items()},
    )
    return _between_two(votes) if (first == second).any() else votes


def _between_two(votes: Votes) -> Votes:
    """Without votes on a model against itself, and without models that have no others."""
    left = votes.where(votes.first != votes.second)
    models, sides = np.unique([left.first, left.second], return_inverse=True)
    first, second = sides.reshape(2, -1)
    return replace(
        left,
        models=tuple(votes.models[model] for model in models),
        first=first,
        second=second,
        left_out=len(votes) - len(left),
    )


def _refuse(wrong: NDArray[np.bool_], sentence: Any) -> None:
    if wrong.any():
        raise InvalidRequest(f"The votes cannot be used: {sentence(int(np.argmax(wrong)) + 1)}")


def _groups(column: Iterable[Any] | None, count: int) -> Integers:
    if column is None:
        return np.arange(count)
    # As texts first: numpy takes lists among the values of a file for further dimensions.
    texts = np.asarray([str(value) for value in column], dtype=str)
    places: Integers = np.unique(texts, return_inverse=True)[1].astype(np.int64)
    return places
