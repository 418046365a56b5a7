"""What may be seen of a comparison: all of it by name, and what the blindfold lets through before a vote."""

from __future__ import annotations

from collections.abc import Sequence

from playground.arena.battles import Memory
from playground.arena.blindfold import cover, cover_comparison, covered_length, uncover_in_step
from playground.arena.contract import Comparison, ComparisonView, Mode, Schedule, Side, SideView, Winner
from playground.arena.leaks import gives_away
from playground.arena.live import Live, turns
from playground.arena.names import field_names, telling_names
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

    def _cover(self, sides: Sequence[SideView]) -> list[SideView]:
        """The sides with names hidden: the same names whoever answers."""
        names = field_names(self._catalog)
        return [cover(side, names) for side in sides]

    def view(self, live: Live) -> ComparisonView:
        """As it may be shown right now. Raises UnknownModel for a blind one of a model that is not there any more."""
        sides = self.open_sides(live)
        comparison = comparison_of(live.kept)
        settled, shown = True, tuple(sides)
        if is_blind(live.kept):
            for side in live.kept.sides:
                self._catalog.get(side.model_id)  # the names of what is in the catalogue are hidden, and no others
            covered = self._cover(sides)
            comparison = cover_comparison(comparison)
            pace, settled = live.pace(
                [covered_length(side) for side in covered], [not side.running for side in sides], self._speed
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
        """Whether an answer of a battle that is, or was, blind gives one of its two models away as it was shown."""
        if live.kept.tainted or live.kept.mode == Mode.NAMED:
            return live.kept.tainted
        names = {name for side in live.kept.sides for name in telling_names(self._catalog.get(side.model_id))}
        return any(gives_away(_shown_words(side), names) for side in self._cover(self.open_sides(live)))


def _shown_words(side: SideView) -> str:
    """All answers of a side, one below the other."""
    return "\n".join(message.content for message in side.messages if message.role == "assistant")


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
