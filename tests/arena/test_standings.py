"""The votes that are kept: as columns, read again only as far as they changed, and as files for others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.arena.contract import TableChoice
from playground.arena.leaderboard import build_leaderboard
from playground.arena.ledger import Kind
from playground.arena.standings import Standings
from playground.arena.style import Style, compare_styles, scale_styles
from playground.arena.vote_files import read_table, read_votes, write_votes
from playground.arena.votes import WINNERS, build_votes
from playground.domain import utc_now
from playground.errors import InvalidRequest
from playground.storage.database import Database
from playground.storage.migrations import migrate
from playground.storage.votes import Vote, VotedSide, VoteStore

MODELS = ("strong", "middle", "weak")
ALL = TableChoice(modes=("blind", "imported"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VoteStore]:
    database = Database(f"sqlite:///{tmp_path / 'votes.db'}")
    migrate(database)
    yield VoteStore(database)
    database.close()


def ballots(count: int, **more: Any) -> list[Vote]:
    """Votes of a few people on a few questions; the better model wins more often."""
    random = np.random.default_rng(5)
    made = []
    for at in range(count):
        first, second = random.choice(3, 2, replace=False)
        better = random.random() < 1 / (1 + 3.0 ** (first - second))
        made.append(
            Vote(
                model_a=MODELS[first],
                model_b=MODELS[second],
                winner="tie" if at % 7 == 0 else "model_a" if better else "model_b",
                mode="blind",
                comparison_id=f"{at:032x}",
                session=f"{at % 5:032x}",
                prompt_hash=f"question {at % 11}",
                language="vi" if at % 3 else "en",
                side_a=VotedSide(style={"length": at + 1, "headers": 1, "lists": 0, "bold": 2}, conversation_hash="a1"),
                side_b=VotedSide(style={"length": 2 * at, "headers": 0, "lists": 0, "bold": 2}),
                **more,
            )
        )
    return made


def cast(store: VoteStore, votes: list[Vote]) -> list[Vote]:
    return [store.cast(vote) for vote in votes]


def test_the_columns_are_those_that_the_votes_give(store: VoteStore) -> None:
    votes = cast(store, ballots(40))
    kept = Standings(store).votes(TableChoice(style=True))
    differences = [
        compare_styles(Style(**(one.side_a.style or {})), Style(**(one.side_b.style or {}))) for one in votes
    ]
    same = build_votes(
        [one.model_a for one in votes],
        [one.model_b for one in votes],
        [one.winner for one in votes],
        session=[one.session for one in votes],
        prompt=[one.prompt_hash for one in votes],
        styles=scale_styles(np.array(differences)),
    )
    assert kept is not None
    assert kept.models == same.models
    for name in ("first", "second", "winner", "session"):
        assert getattr(kept, name).tolist() == getattr(same, name).tolist(), name
    groups = {(int(mine), int(theirs)) for mine, theirs in zip(kept.prompt, same.prompt, strict=True)}
    assert len(groups) == len({mine for mine, _ in groups}) == len({theirs for _, theirs in groups}) == 11
    assert kept.styles is not None
    assert kept.styles == pytest.approx(same.styles)
    english = Standings(store).votes(TableChoice(language="en"))
    assert english is not None
    assert len(english) == sum(one.language == "en" for one in votes)


def test_what_changed_is_read_again_and_nothing_else(store: VoteStore) -> None:
    votes = cast(store, ballots(20))
    standings = Standings(store)
    assert sum(standings.kinds().values()) == 20
    store.cast(replace(votes[3], winner="tie (bothbad)", language="xx"))
    changed = standings.votes(TableChoice())
    assert changed is not None
    assert len(changed) == 20
    assert WINNERS[changed.winner[3]] == "tie (bothbad)"
    assert standings.kinds()[Kind("blind", tainted=False, language="xx", category="")] == 1
    assert sum(standings.kinds().values()) == 20


def test_a_file_of_votes_is_read_once(store: VoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add([replace(vote, comparison_id=None, imported=True) for vote in ballots(50)])
    standings = Standings(store)
    assert sum(standings.kinds().values()) == 50
    read: list[int] = []
    changed_since = store.changed_since
    monkeypatch.setattr(
        store, "changed_since", lambda moment: (read.append(len(part)) or part for part in changed_since(moment))
    )
    store.cast(ballots(51)[50])
    assert sum(standings.kinds().values()) == 51
    assert read == [1]


def test_votes_made_earlier_and_kept_later_count(store: VoteStore) -> None:
    before = utc_now() - timedelta(minutes=5)
    cast(store, ballots(10))
    standings = Standings(store)
    assert sum(standings.kinds().values()) == 10
    late = [replace(vote, comparison_id=None, imported=True, changed_at=before) for vote in ballots(5)]
    store.add(late)
    assert sum(standings.kinds().values()) == 15


def test_one_vote_more_gives_the_table_that_all_votes_give(store: VoteStore) -> None:
    cast(store, ballots(400))
    standings = Standings(store)
    before = standings.leaderboard(ALL)
    store.cast(replace(ballots(401)[400], winner="model_b"))
    after, fresh = standings.leaderboard(ALL), Standings(store).leaderboard(ALL)
    assert after.battles == fresh.battles == 401
    assert after.spread is before.spread
    assert [line.rating for line in after.standings] == pytest.approx(
        [line.rating for line in fresh.standings], abs=1e-3
    )
    for mine, theirs in zip(after.standings, fresh.standings, strict=True):
        assert mine.upper - mine.lower == pytest.approx(theirs.upper - theirs.lower, rel=0.2)
    cast(store, [replace(vote, comparison_id=f"{at + 1000:032x}") for at, vote in enumerate(ballots(20))])
    assert standings.leaderboard(ALL).spread is not before.spread


def test_a_spread_of_other_models_is_not_used() -> None:
    columns = (["a", "b"] * 20, ["b", "a"] * 20, ["model_a"] * 30 + ["model_b"] * 10)
    votes = build_votes(*columns, session=[at // 10 for at in range(40)])
    renamed = build_votes(["x", "b"] * 20, ["b", "x"] * 20, columns[2], session=[at // 10 for at in range(40)])
    spread = build_leaderboard(votes).spread
    assert build_leaderboard(votes, spread=spread).spread is spread
    assert build_leaderboard(renamed, spread=spread).spread is not spread


def test_nothing_in_a_file_leads_back_to_the_database_or_to_another_file(store: VoteStore) -> None:
    votes = cast(store, ballots(30))
    standings = Standings(store)
    files = [list(standings.rows()) for _ in range(2)]
    secret = {value for vote in votes for value in (vote.id, vote.session, vote.prompt_hash, "a1")}
    names = ("session", "prompt", "id", "conversation_hash_a")
    for rows in files:
        told = {str(row[name]) for row in rows for name in names}
        assert not told & secret
        assert {row["day"] for row in rows} == {vote.created_at.date().isoformat() for vote in votes}
        assert "created_at" not in rows[0]
    one, other = ({str(row[name]) for row in rows for name in names} for rows in files)
    assert not one & other
    for rows in files:
        assert len({row["session"] for row in rows}) == 5
        assert len({row["prompt"] for row in rows}) == 11
        assert len({row["id"] for row in rows}) == 30
    sizes = sorted([row["session"] for row in files[0]].count(name) for name in {row["session"] for row in files[0]})
    assert sizes == [6] * 5


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_own_votes_and_imported_ones_go_into_one_file(store: VoteStore, tmp_path: Path, kind: str) -> None:
    cast(store, ballots(12))
    store.add(
        [Vote(model_a="x", model_b="y", winner="tie", mode="imported", session="s", prompt_hash="", imported=True)]
    )
    path = tmp_path / f"votes.{kind}"
    assert write_votes(Standings(store).rows(), path) == 13
    assert len(read_votes(path)) == 13
    table = read_table(path)
    assert [length in (None, "") for length in table["length_a"]].count(True) == 1


def test_votes_on_a_model_against_itself_count_for_nothing_and_are_told(store: VoteStore, tmp_path: Path) -> None:
    votes = cast(store, ballots(30))
    alone = replace(votes[0], id="x" * 32, comparison_id="x" * 32, model_a="strong", model_b="strong")
    store.cast(alone)
    store.cast(replace(alone, id="y" * 32, comparison_id="y" * 32, model_a="nobody", model_b="nobody"))
    standings = Standings(store)
    kept = standings.votes(TableChoice())
    assert kept is not None
    assert (len(kept), kept.left_out, kept.models) == (30, 2, ("middle", "strong", "weak"))
    assert sum(standings.kinds().values()) == 30
    assert store.on_one_model() == 2
    table = standings.leaderboard(TableChoice())
    assert (table.battles, table.left_out) == (30, 2)
    assert table.standings == build_leaderboard(replace(kept, left_out=0)).standings
    path = tmp_path / "votes.csv"
    assert write_votes(standings.rows(), path) == 30
    assert read_votes(path).left_out == 0
    store.cast(replace(alone, model_b="weak"))  # a changed mind about another pair
    assert sum(standings.kinds().values()) == 31


def test_the_table_of_one_category_and_one_language(store: VoteStore) -> None:
    """One model wins what is asked about code in English, and loses everything else."""
    kinds = [("en", "code"), ("en", "general"), ("vi", "code"), ("vi", "maths")] * 10
    for at, (language, category) in enumerate(kinds):
        winner = "model_a" if (language, category) == ("en", "code") else "model_b"
        store.cast(
            Vote(
                model_a="coder", model_b="talker", winner=winner, mode="blind", comparison_id=f"{at:032x}", session="s",
                prompt_hash=f"{at}", language=language, category=category,
            )
        )  # fmt: skip
    standings = Standings(store)

    def first(**choice: str) -> tuple[str, int]:
        table = standings.leaderboard(TableChoice(**choice))  # type: ignore[arg-type]
        return table.standings[0].model, table.battles

    assert first() == ("talker", 40)
    assert first(language="en", category="code") == ("coder", 10)
    assert first(language="vi", category="code") == ("talker", 10)
    assert first(category="general") == ("talker", 10)
    assert first(language="vi") == ("talker", 20)
    with pytest.raises(InvalidRequest, match="no votes"):
        standings.leaderboard(TableChoice(language="en", category="maths"))
