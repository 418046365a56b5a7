"""Grading a batch: its pairs one after the other, blind until whoever grades asks to see the names.

A name that is shown after every vote would soon be known by its style. So the models of a batch stay hidden while
somebody grades, which is also what makes it honest to take the last vote back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from playground.arena.contract import ComparisonView
from playground.arena.parts import ArenaParts
from playground.errors import InvalidRequest, UnknownModel
from playground.storage.duels import GradedPair, Tally

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Score:
    """How a model fared in the pairs that one person graded; `bad` are those in which both were bad."""

    model_id: str
    wins: int
    losses: int
    ties: int
    bad: int


@dataclass(frozen=True, slots=True)
class Queue:
    """How far one person is with a batch.

    `scores` and `graded` (the last `MOST_SHOWN`, in order of grading) are of the pairs whose names were shown.
    """

    duel_id: str
    tally: Tally
    scores: tuple[Score, ...] = ()
    graded: tuple[GradedPair, ...] = ()


class Grading:
    """`look` gives a pair as its owner may see it, `withdraw` takes a vote back, `forget` makes pairs be read again.

    Every method may raise StorageError, and UnknownConversation for a batch or a pair that is not there.
    """

    def __init__(
        self,
        parts: ArenaParts,
        look: Callable[[str, str], ComparisonView],
        withdraw: Callable[[str, str], None],
        forget: Callable[[Iterable[str]], None],
    ) -> None:
        self._parts = parts
        self._look = look
        self._withdraw = withdraw
        self._forget = forget

    def next(self, owner: str, duel_id: str | None = None) -> ComparisonView | None:
        """The pair to be graded now, of this batch or (None) of any; None when none waits.

        Raises UnknownModel for a pair of a model that is not in the catalogue any more; it then waits behind the rest.
        """
        pair_id = self._parts.duels.claim(owner, duel_id)
        if pair_id is None:
            return None
        try:
            return self._look(owner, pair_id)
        except UnknownModel:
            self._parts.duels.release(owner, pair_id)
            raise

    def skip(self, owner: str, pair_id: str) -> None:
        """Put a pair behind all others, for whoever comes to it."""
        self._parts.duels.release(owner, pair_id)
        self._forget([pair_id])

    def undo(self, owner: str, duel_id: str) -> ComparisonView:
        """Take the last vote on a batch back; its pair is the next one again.

        Raises InvalidRequest when there is none whose names are hidden.
        """
        pair_id = self._parts.duels.last_graded(owner, duel_id)
        if pair_id is None:
            raise InvalidRequest("There is no vote to take back: the names of what you graded have been shown.")
        self._withdraw(owner, pair_id)
        return self._look(owner, pair_id)

    def reveal(self, owner: str, duel_id: str) -> None:
        """Show the names in all pairs that `owner` graded; their votes are final then."""
        self._forget(self._parts.duels.reveal(owner, duel_id))

    def queue(self, owner: str, duel_id: str, *, results: bool = True) -> Queue:
        """How far `owner` is with a batch, with the results of what may be told or without."""
        self._parts.duels.get(duel_id)
        tally = self._parts.duels.tallies(owner, [duel_id])[duel_id]
        if tally.mine == tally.hidden or not results:
            return Queue(duel_id, tally)
        graded = self._parts.duels.revealed(owner, duel_id)
        return Queue(duel_id, tally, _scores(graded), tuple(graded[-MOST_SHOWN:]))


def _scores(graded: Iterable[GradedPair]) -> tuple[Score, ...]:
    """Those who won most first."""
    counts: dict[str, Counter[str]] = {}
    for pair in graded:
        for at, model_id in enumerate(pair.models):
            counts.setdefault(model_id, Counter())[_fate(pair.winner, at)] += 1
    scores = [
        Score(model_id, count["win"], count["loss"], count["tie"], count["bad"]) for model_id, count in counts.items()
    ]
    return tuple(sorted(scores, key=lambda score: (score.losses - score.wins, score.model_id)))


def _fate(winner: str, at: int) -> str:
    """What a vote says of the model on the left (0) or on the right (1)."""
    decided = {"tie": "tie", "tie (bothbad)": "bad"}
    return decided.get(winner) or ("win" if winner == ("model_a", "model_b")[at] else "loss")
