"""Votes as columns of numbers that grow: a million take about as many bytes as they have letters in their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.arena.contract import TableChoice
from playground.arena.style import FEATURES, scale_styles
from playground.arena.votes import WINNERS, Integers, Votes
from playground.storage.votes import CastRow

IMPORTED = "imported"
_WIDTH = len(FEATURES)
_MODEL_A, _MODEL_B, _WINNER, _MODE, _TAINTED, _LANGUAGE, _CATEGORY, _STYLED, _STYLE = range(9)
_COLUMNS = _STYLE + 2 * _WIDTH
_FIRST_ROOM = 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """What votes can be chosen by. `mode` is that of the comparison, `IMPORTED` for votes from files."""

    mode: str
    tainted: bool
    language: str
    category: str


class _Codes(dict[str, int]):
    """Numbers for texts, from 0 on in the order in which they came."""

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
        return code


class Ledger:
    """Every vote once, in the order in which they came. Not safe to use from many threads."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._codes = _Codes()
        self._numbers: NDArray[np.int32] = np.empty((_FIRST_ROOM, _COLUMNS), np.int32)
        self._groups: Integers = np.empty((_FIRST_ROOM, 2), np.int64)
        self._kinds: Counter[tuple[int, ...]] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def take(self, rows: Sequence[CastRow]) -> None:
        """New votes, and changed ones in the place of what they were."""
        known = len(self)
        places = np.fromiter((self._places.setdefault(row.id, len(self._places)) for row in rows), np.int64, len(rows))
        self._make_room(len(self))
        self._kinds.subtract(self._kinds_at(places[places < known]))
        self._numbers[places] = np.array([self._number(row) for row in rows], np.int32).reshape(-1, _COLUMNS)
        groups = [(_group(row.session), _group(row.prompt_hash)) for row in rows]
        self._groups[places] = np.array(groups, np.int64).reshape(-1, 2)
        self._kinds.update(self._kinds_at(places))

    def kinds(self) -> dict[Kind, int]:
        """How many votes on two models there are of each kind."""
        names = list(self._codes)
        return {
            Kind(names[mode], bool(tainted), names[language], names[category]): count
            for (mode, tainted, language, category), count in self._kinds.items()
            if count
        }

    def votes(self, choice: TableChoice) -> Votes | None:
        """The votes that count; None when there are none."""
        numbers = self._numbers[: len(self)]
        chosen = np.isin(numbers[:, _MODE], [self._codes.get(mode, -1) for mode in choice.modes])
        if not choice.tainted:
            chosen &= numbers[:, _TAINTED] == 0
        for column, wanted in ((_LANGUAGE, choice.language), (_CATEGORY, choice.category)):
            if wanted:
                chosen &= numbers[:, column] == self._codes.get(wanted, -1)
        if choice.style:
            chosen &= numbers[:, _STYLED] == 1
        alone = _alone(numbers)
        left_out = int((chosen & alone).sum())
        chosen &= ~alone
        if not chosen.any():
            return None
        votes = self._votes(numbers[chosen], self._groups[: len(self)][chosen], styled=choice.style)
        return replace(votes, left_out=left_out)

    def _votes(self, numbers: NDArray[np.int32], groups: Integers, *, styled: bool) -> Votes:
        names = np.array(list(self._codes), dtype=object)
        codes, sides = np.unique(numbers[:, [_MODEL_A, _MODEL_B]], return_inverse=True)
        order = np.argsort(names[codes])
        place = np.empty(len(codes), np.int64)
        place[order] = np.arange(len(codes))
        first, second = place[sides.reshape(-1, 2)].T
        session, prompt = (np.unique(column, return_inverse=True)[1].astype(np.int64) for column in groups.T)
        return Votes(
            models=tuple(names[codes[order]]),
            first=np.ascontiguousarray(first),
            second=np.ascontiguousarray(second),
            winner=numbers[:, _WINNER].astype(np.int64),
            session=session,
            prompt=prompt,
            styles=scale_styles(_compared(numbers[:, _STYLE:])) if styled else None,
            labels={"language": names[numbers[:, _LANGUAGE]], "category": names[numbers[:, _CATEGORY]]},
        )

    def _make_room(self, count: int) -> None:
        if count > len(self._numbers):
            more = max(count, 2 * len(self._numbers)) - len(self._numbers)
            self._numbers = np.concatenate([self._numbers, np.empty((more, _COLUMNS), np.int32)])
            self._groups = np.concatenate([self._groups, np.empty((more, 2), np.int64)])

    def _kinds_at(self, places: Integers) -> Iterator[tuple[int, ...]]:
        numbers = self._numbers[places]
        return map(tuple, numbers[~_alone(numbers)][:, [_MODE, _TAINTED, _LANGUAGE, _CATEGORY]].tolist())

    def _number(self, row: CastRow) -> tuple[int, ...]:
        codes = self._codes
        return (
            codes[row.model_a],
            codes[row.model_b],
            WINNERS.index(row.winner),
            codes[IMPORTED if row.imported else row.mode],
            row.tainted,
            codes[row.language],
            codes[row.category],
            *_counts(row.style_a, row.style_b),
        )


def _alone(numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which votes are on a model against itself: they are kept, and count for nothing."""
    return np.asarray(numbers[:, _MODEL_A] == numbers[:, _MODEL_B])


def _counts(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> Iterable[int]:
    """Whether the style of both answers is known, and what it is."""
    if first is None or second is None:
        return (0,) * (1 + 2 * _WIDTH)
    return (1, *(first[name] for name in FEATURES), *(second[name] for name in FEATURES))


def _compared(counts: NDArray[np.int32]) -> NDArray[np.float64]:
    """See `style.compare_styles`."""
    first, second = counts[:, :_WIDTH].astype(np.float64), counts[:, _WIDTH:].astype(np.float64)
    both = first + second
    return np.divide(first - second, both, out=np.zeros_like(both), where=both != 0)


def _group(name: str) -> int:
    """A number for a keyed hash, or for any other name; the same in every process."""
    try:
        return int(name[-15:], 16)
    except ValueError:
        return int.from_bytes(blake2b(name.encode(), digest_size=7).digest())
