"""Files of the arena, as they leave the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.arena.vote_files import read_table
from playground.catalog.catalog import Catalog
from playground.library.library import Identity
from playground.ui.arena.downloads import download_routes
from tests.ui.arena.memory import MemoryArena, MemoryBook


@pytest.fixture
def client(arena: MemoryArena, catalog: Catalog) -> TestClient:
    book = MemoryBook()
    for at, model in enumerate(("pip", "=1+1")):
        row = {"model_a": model, "model_b": "echo", "winner": "tie", "language": "vi", "mode": "named"}
        book.kept[f"{at}"] = {**row, "tainted": False}
    routes = download_routes(arena, book, catalog, lambda _: "en", identity=lambda _: Identity())  # type: ignore[arg-type]
    return TestClient(Starlette(routes=routes))


@pytest.mark.parametrize(
    ("end", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("jsonl", "application/jsonl; charset=utf-8"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
def test_votes_in_every_kind_of_file(client: TestClient, tmp_path: Path, end: str, media_type: str) -> None:
    answer = client.get(f"/arena/votes/named.{end}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["content-disposition"] == f'attachment; filename="votes-named.{end}"'
    path = tmp_path / f"votes.{end}"
    path.write_bytes(answer.content)
    table = read_table(path)
    # A spreadsheet would take the second name for a formula.
    assert table["model_a"] == ["pip", "'=1+1" if end == "csv" else "=1+1"]
    assert (table["model_b"], table["winner"]) == (["echo", "echo"], ["tie", "tie"])
    assert client.get(f"/arena/votes/blind.{end}").status_code == 200


@pytest.mark.parametrize("name", ["named.xlsx", "odd.csv", "csv", "named", ".csv"])
def test_other_files_are_not_there(client: TestClient, name: str) -> None:
    answer = client.get(f"/arena/votes/{name}")
    assert (answer.status_code, "blind, named, imported, as .csv, .jsonl, .parquet" in answer.text) == (404, True)
