"""The leaderboard as the page draws it: rows, intervals, who beat whom, and how little would change it. No Gradio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from playground.arena.contract import Mode, TableChoice
from playground.arena.style import FEATURES
from playground.domain import Language
from playground.errors import InvalidRequest
from playground.ui.words import LANGUAGES, Words

if TYPE_CHECKING:
    from playground.arena.leaderboard import Leaderboard, Standing  # scipy only when something is rated
    from playground.arena.ledger import Kind

KINDS: Mapping[str, tuple[str, ...]] = {
    "blind": (Mode.BLIND, Mode.DUEL),
    "named": (Mode.NAMED,),
    "imported": ("imported",),
}
"""What the page's switch stands for."""
TIES = ("apart", "davidson", "half")
ALL = ""
HEADS = ("rank", "model", "rating", "interval", "votes", "record", "best", "separate")
MOST_SHOWN = 60
"""Models on the page; a win matrix of more would be unreadable. The command line prints all."""
SHOWN_STYLES = 0.05


class VoteBook(Protocol):
    """The votes that are kept here."""

    def leaderboard(self, choice: TableChoice) -> Leaderboard:
        """The table of some of them. Raises InvalidRequest when there are none on two models."""
        ...

    def kinds(self) -> Mapping[Kind, int]:
        """How many votes there are of each kind."""
        ...

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Every vote as a row of a file, in the public form, under pseudonyms that are those of this file only."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What to count: blind or named votes, how ties are read, with style controlled or not, and which votes."""

    kind: str = "blind"
    ties: str = "apart"
    styles: bool = False
    language: str = ALL
    category: str = ALL


@dataclass(frozen=True, slots=True)
class Option:
    """One position of a switch; `hint` says in words what it means."""

    value: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One model. Numbers are for the plot, texts for the table."""

    rank: int
    name: str
    rating: float
    lower: float
    upper: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """How often a model beat another. `share` of their decided votes, None where they never met or always tied."""

    wins: int
    share: float | None
    text: str


@dataclass(frozen=True, slots=True)
class BoardView:
    """The page's leaderboard. Without rows, `note` says why, and `invite` asks for votes."""

    choice: Choice
    options: Mapping[str, tuple[Option, ...]]
    summary: str = ""
    note: str = ""
    invite: bool = False
    head: tuple[tuple[str, str], ...] = ()
    rows: tuple[Row, ...] = ()
    matrix: tuple[tuple[Cell | None, ...], ...] = ()
    sentences: tuple[str, ...] = ()


def read_choice(table: Mapping[str, object]) -> Choice:
    """What a page asked for. Raises InvalidRequest naming what is not a choice."""
    values = {name: table.get(name, "") for name in ("kind", "ties", "language", "category")}
    for name, value in values.items():
        if not isinstance(value, str) or len(value) > 100:
            raise InvalidRequest(f"{name} must be a short text.")
    kind, ties, language, category = (str(value) for value in values.values())
    for value, known in ((kind, KINDS), (ties, TIES)):
        if value not in known:
            raise InvalidRequest(f"{value!r:.40} is no choice. There are: {', '.join(known)}.")
    return Choice(kind, ties, table.get("styles") is True, language, category)


def kind_of(mode: str, *, tainted: bool = False) -> str:
    """To which of `KINDS` votes of a mode belong; a battle in which a model told its name belongs to none."""
    return "" if tainted else next((kind for kind, modes in KINDS.items() if mode in modes), "")


def kind_of_row(row: Mapping[str, Any]) -> str:
    """The same for a row of a file."""
    return kind_of("imported" if row.get("imported") else str(row["mode"]), tainted=bool(row.get("tainted")))


def board_view(book: VoteBook, choice: Choice, name_of: Callable[[str], str], words: Words) -> BoardView:
    """Count what was chosen. What cannot be counted is told, not raised. May raise StorageError."""
    kinds = list(book.kinds())
    options = _options(kinds, choice.kind, words)
    wanted = TableChoice(
        KINDS[choice.kind], choice.ties, style=choice.styles, language=choice.language, category=choice.category
    )
    try:
        board = book.leaderboard(wanted)
    except InvalidRequest:
        cast = any(_belongs(kind, choice.kind) for kind in kinds)
        note = words("board.none_chosen" if cast else f"board.none_{choice.kind}")
        return BoardView(choice, options, note=note, invite=not cast)
    return replace(_counted(board, name_of, words), choice=choice, options=options)


def _belongs(votes: Kind, kind: str) -> bool:
    return kind_of(votes.mode, tainted=votes.tainted) == kind


def _options(votes: Sequence[Kind], kind: str, words: Words) -> Mapping[str, tuple[Option, ...]]:
    found = {
        name: sorted({str(getattr(one, name)) for one in votes if _belongs(one, kind)} - {""})
        for name in ("language", "category")
    }
    kinds = [one for one in KINDS if one != "imported" or any(_belongs(vote, one) for vote in votes)]
    languages: Mapping[Language, str] = LANGUAGES
    known = {str(code): name for code, name in languages.items()}
    return {
        "kind": tuple(Option(one, words(f"board.kind_{one}"), words(f"board.kind_{one}_hint")) for one in kinds),
        "ties": tuple(Option(rule, words(f"board.ties_{rule}"), words(f"board.ties_{rule}_hint")) for rule in TIES),
        "language": (
            Option(ALL, words("board.all_languages")),
            *(Option(code, known.get(code, code)) for code in found["language"]),
        ),
        "category": (
            Option(ALL, words("board.all_categories")),
            *(Option(name, words.find(f"board.category_{name}") or name) for name in found["category"]),
        ),
    }


def _counted(board: Leaderboard, name_of: Callable[[str], str], words: Words) -> BoardView:
    shown = board.standings[:MOST_SHOWN]
    return BoardView(
        choice=Choice(),
        options={},
        summary=words(
            "board.summary",
            votes=words.number(board.battles),
            models=words.number(len(board.standings)),
            ties=words.number(board.ties),
        ),
        head=tuple((words(f"board.head_{name}"), words(f"board.head_{name}_hint")) for name in HEADS),
        rows=tuple(_row(standing, name_of, words) for standing in shown),
        matrix=_matrix(board, len(shown), words),
        sentences=tuple(_sentences(board, name_of, words)),
    )


def _row(standing: Standing, name_of: Callable[[str], str], words: Words) -> Row:
    texts = (
        words.number(standing.rank),
        name_of(standing.model),
        words.number(standing.rating),
        words("board.interval", lower=words.number(standing.lower), upper=words.number(standing.upper)),
        words.number(standing.votes),
        words("board.record", wins=standing.wins, ties=standing.ties, losses=standing.losses),
        words("board.percent", value=words.number(100 * standing.best)),
        _separate(standing.separate, words),
    )
    return Row(standing.rank, texts[1], standing.rating, standing.lower, standing.upper, texts)


def _separate(votes: int | None, words: Words) -> str:
    if votes is None:
        return "–"
    return words.number(votes) if votes else words("board.parted")


def _matrix(board: Leaderboard, count: int, words: Words) -> tuple[tuple[Cell | None, ...], ...]:
    wins = board.wins

    def cell(row: int, column: int) -> Cell | None:
        if row == column:
            return None
        won, met = int(wins[row, column]), int(wins[row, column] + wins[column, row])
        if not met:
            return Cell(won, None, words("board.never_met"))
        return Cell(won, won / met, words("board.won_of", wins=words.number(won), met=words.number(met)))

    return tuple(tuple(cell(row, column) for column in range(count)) for row in range(count))


def _sentences(board: Leaderboard, name_of: Callable[[str], str], words: Words) -> list[str]:
    """How sure the first place is, what would take it away, whose votes these are, and what style does."""
    first = board.standings[0]
    said = [words("board.first", model=name_of(first.model), chance=words.number(100 * first.best))]
    if board.fragility is not None and board.fragility.votes is not None:
        rival, count = name_of(board.fragility.rival), words.number(board.fragility.votes)
        share = words.number(100 * board.fragility.votes / max(1, board.battles), 1)
        said.append(words("board.fragile", count=count, share=share, rival=rival))
    elif board.fragility is not None:
        said.append(words("board.firm"))
    if board.left_out:
        said.append(words("board.left_out", count=words.number(board.left_out)))
    one = board.people == 1
    said.append(words("board.one_person") if one else words("board.people", people=words.number(board.people)))
    for feature, weight in zip(FEATURES, board.coefficients, strict=False):
        if abs(weight) >= SHOWN_STYLES:
            way = "more" if weight > 0 else "less"
            said.append(words(f"board.style_{way}", feature=words(f"board.feature_{feature}")))
    return said
