"""What may be seen of a comparison: all of it by name, and what the blindfold lets through before a vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from playground.arena.battles import Memory
from playground.arena.blindfold import cover, cover_comparison, uncover_in_step
from playground.arena.contract import Comparison, ComparisonView, Mode, Schedule, Side, SideView, Winner
from playground.arena.live import Live, turns
from playground.arena.names import field_names, names_of
from playground.catalog.catalog import Catalog
from playground.storage.comparisons import KeptComparison
from playground.storage.votes import VoteStore

BATCH_OWNER = "batch"
"""Whose the conversations of a batch are: nobody's, so that whoever grades them cannot open them."""


class Sight:
    """Makes views. Its methods are called with the lock of the comparison held."""

    def __init__(self, catalog: Catalog, memory: Memory, votes: VoteStore, chars_per_second: float) -> None:
        self._catalog = catalog
        self._memory = memory
        self._votes = votes
        self._speed = chars_per_second

    def open_sides(self, live: Live) -> list[SideView]:
        """The sides with everything about them."""
        return [live.side(position, self._memory.taken) for position in range(len(live.kept.sides))]

    def _names(self, kept: KeptComparison) -> frozenset[str]:
        own = {name for side in kept.sides for name in names_of(self._catalog.get(side.model_id))}
        return field_names(self._catalog) | own

    def view(self, live: Live) -> ComparisonView:
        """As it may be shown right now."""
        sides = self.open_sides(live)
        comparison = comparison_of(live.kept)
        settled, shown = True, tuple(sides)
        if is_blind(live.kept):
            names = self._names(live.kept)
            covered = [cover(side, names) for side in sides]
            tainted = comparison.tainted or any(side.hidden for side in covered)
            comparison = cover_comparison(replace(comparison, tainted=tainted))
            pace, settled = live.pace(
                [side.length for side in covered], [not side.running for side in sides], self._speed
            )
            shown = uncover_in_step(covered, pace, settled=settled)
        may_vote = settled and live.refused is None and self._may_vote(live, sides)
        return ComparisonView(comparison, shown, live.versioned((comparison, shown, may_vote)), may_vote)

    def _may_vote(self, live: Live, sides: Sequence[SideView]) -> bool:
        if len(sides) != 2 or comparison_of(live.kept).one_model:
            return False
        if not all(side.answered for side in sides) or len({turns(side.messages) for side in sides}) > 1:
            return False
        if live.kept.winner is None:
            return True
        if live.kept.batch is not None and live.kept.revealed:
            return False
        vote = self._votes.of_comparison(live.kept.id)
        return vote is None or vote.turns == turns(sides[0].messages)

    def tainted(self, live: Live) -> bool:
        """Whether a name has to be hidden in an answer of a battle that is, or was, blind."""
        if live.kept.tainted or live.kept.mode == Mode.NAMED:
            return live.kept.tainted
        names = self._names(live.kept)
        return any(cover(side, names).hidden for side in self.open_sides(live))


def is_blind(kept: KeptComparison) -> bool:
    """Whether its models must not be known yet."""
    return kept.mode != Mode.NAMED and not kept.revealed


def sides_owner(kept: KeptComparison) -> str:
    """Whose the sides' conversations are."""
    return kept.owner if kept.batch is None else BATCH_OWNER


def comparison_of(kept: KeptComparison) -> Comparison:
    """A comparison with everything about it."""
    sides = tuple(
        Side(position, side.conversation_id, side.model_id, side.params, side.system_prompt)
        for position, side in enumerate(kept.sides)
    )
    winner: Winner | None = kept.winner  # type: ignore[assignment]  # only `vote` writes it
    return Comparison(
        owner=kept.owner,
        mode=Mode(kept.mode),
        sides=sides,
        schedule=Schedule(kept.schedule),
        language=kept.language,
        winner=winner,
        revealed=kept.revealed,
        tainted=kept.tainted,
        title=kept.title,
        id=kept.id,
        created_at=kept.created_at,
        updated_at=kept.updated_at,
    )


def shown_comparison(kept: KeptComparison) -> Comparison:
    """A comparison as it may be shown."""
    whole = comparison_of(kept)
    return cover_comparison(whole) if is_blind(kept) else whole
