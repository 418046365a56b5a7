"""Earlier comparisons and battles of one person as plain data. No Gradio here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.arena.contract import Comparison, Mode
from playground.catalog.catalog import Catalog
from playground.ui.arena.compare_view import LEAST_SIDES
from playground.ui.arena.side_view import model_name
from playground.ui.arena.stage_view import RESULTS
from playground.ui.words import Words


@dataclass(frozen=True, slots=True)
class Past:
    """One comparison. `updated` is seconds since 1970: the browser groups by its own days.

    `kind` says side by side or blind; `note` who answered, and what was voted.
    """

    id: str
    title: str
    updated: float
    kind: str
    blind: bool
    note: str


@dataclass(frozen=True, slots=True)
class HistoryView:
    """The newest first; `active` is the one on display."""

    items: tuple[Past, ...]
    active: str


def listed(comparisons: Sequence[Comparison], active: str, catalog: Catalog, words: Words) -> HistoryView:
    """The list for the page. Names of a battle that is still blind are not in it."""
    return HistoryView(tuple(_past(one, catalog, words) for one in comparisons), active)


def _past(comparison: Comparison, catalog: Catalog, words: Words) -> Past:
    blind = comparison.mode is Mode.BLIND
    names = [model_name(side.model_id, catalog) for side in comparison.sides if side.model_id]
    if comparison.winner and len(names) == LEAST_SIDES:
        note = words(RESULTS[comparison.winner], a=names[0], b=names[1])
    elif names:
        note = " · ".join(names)
    else:
        note = words("history.open_vote")
    return Past(
        id=comparison.id,
        title=comparison.title,
        updated=comparison.updated_at.timestamp(),
        kind=words("arena.tab_battle" if blind else "arena.tab_sides"),
        blind=blind,
        note=note,
    )
