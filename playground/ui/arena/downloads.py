"""Files of the arena: one's own comparisons, and the votes behind the leaderboard. Plain routes without Gradio."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from playground.arena.contract import Arena
from playground.catalog.catalog import Catalog
from playground.domain import Language
from playground.errors import PlaygroundError
from playground.ui.arena.board_view import KINDS, VoteBook, kind_of_row
from playground.ui.arena.export import WRITERS
from playground.ui.owner import owner_of
from playground.ui.words import load_words

COMPARISONS = "/arena/comparisons/{name}"
VOTES = "/arena/votes/{kind}.csv"
_AT_ONCE = 1 << 16
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def download_routes(
    arena: Arena, book: VoteBook, catalog: Catalog, language_of: Callable[[Request], Language]
) -> list[BaseRoute]:
    """`/arena/comparisons/ID.json`, `ID.md` for whoever made them, and `/arena/votes/KIND.csv`."""

    async def comparison(request: Request) -> Response:
        identity, _, end = request.path_params["name"].rpartition(".")
        if end not in WRITERS:
            return PlainTextResponse(f"Choose one of: {', '.join(WRITERS)}.", 404)
        media_type, write = WRITERS[end]
        words = load_words(language_of(request))
        try:
            seen = await run_in_threadpool(arena.view, owner_of(request), identity)
        except PlaygroundError as error:
            return PlainTextResponse(str(error), error.http_status)
        return _file(write(seen, catalog, words), media_type, f"comparison.{end}")

    async def votes(request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in KINDS:
            return PlainTextResponse(f"Choose one of: {', '.join(KINDS)}.", 404)
        rows = (row for row in book.rows() if kind_of_row(row) == kind)
        headers = _headers(f"votes-{kind}.csv")
        return StreamingResponse(_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)

    return [Route(COMPARISONS, comparison), Route(VOTES, votes)]


def _csv(rows: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of a table, many at a time; the names of its columns are those of the first row."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    first = next(rows, None)
    writer.writerow(first or ("model_a", "model_b", "winner"))
    for row in chain([first] if first else [], rows):
        writer.writerow([_cell(value) for value in row.values()])
        if target.tell() > _AT_ONCE:
            yield target.getvalue()
            target.seek(0)
            target.truncate()
    yield target.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is kept a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _file(content: str, media_type: str, name: str) -> Response:
    return Response(content, media_type=f"{media_type}; charset=utf-8", headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
