"""Files of the arena: one's own comparisons, and the votes behind the leaderboard. Plain routes without Gradio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from playground.arena.contract import Arena
from playground.catalog.catalog import Catalog
from playground.domain import Language
from playground.errors import PlaygroundError
from playground.ui.arena.board_view import KINDS, VoteBook, kind_of_row
from playground.ui.arena.export import IdentityOf, writers
from playground.ui.owner import owner_of
from playground.ui.words import load_words

COMPARISONS = "/arena/comparisons/{name}"
VOTES = "/arena/votes/{name}"
_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_AT_ONCE = 1 << 16
_IN_MEMORY = 1 << 23
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def download_routes(
    arena: Arena,
    book: VoteBook,
    catalog: Catalog,
    language_of: Callable[[Request], Language],
    *,
    identity: IdentityOf,
) -> list[BaseRoute]:
    """`/arena/comparisons/ID.json`, `.md` for whoever made them, and `/arena/votes/KIND.csv`, `.jsonl`, `.parquet`."""

    written_as = writers(identity)

    async def comparison(request: Request) -> Response:
        comparison_id, _, end = request.path_params["name"].rpartition(".")
        if end not in written_as:
            return PlainTextResponse(f"Choose one of: {', '.join(written_as)}.", 404)
        media_type, write = written_as[end]
        words = load_words(language_of(request))
        try:
            seen = await run_in_threadpool(arena.view, owner_of(request), comparison_id)
        except PlaygroundError as error:
            return PlainTextResponse(str(error), error.http_status)
        return _file(write(seen, catalog, words), media_type, f"comparison.{end}")

    async def votes(request: Request) -> Response:
        kind, _, end = request.path_params["name"].rpartition(".")
        if kind not in KINDS or end not in _MEDIA_TYPES:
            return PlainTextResponse(f"Choose one of: {', '.join(KINDS)}, as .{', .'.join(_MEDIA_TYPES)}.", 404)
        file = await run_in_threadpool(_written, (row for row in book.rows() if kind_of_row(row) == kind), end)
        headers = _headers(f"votes-{kind}.{end}")
        return StreamingResponse(_parts(file), media_type=_MEDIA_TYPES[end], headers=headers)

    return [Route(COMPARISONS, comparison), Route(VOTES, votes)]


def _written(rows: Iterator[Mapping[str, Any]], end: str) -> BinaryIO:
    """The rows in a file that is gone once it is closed."""
    from playground.arena.vote_files import WRITERS as VOTE_WRITERS  # noqa: PLC0415  numpy only when votes are written

    if end == "csv":
        rows = ({name: _cell(value) for name, value in row.items()} for row in rows)
    file = cast("BinaryIO", SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  whoever reads it closes it
    VOTE_WRITERS[f".{end}"](rows, file)
    file.seek(0)
    return file


def _parts(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(_AT_ONCE):
            yield part


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is kept a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _file(content: str, media_type: str, name: str) -> Response:
    return Response(content, media_type=f"{media_type}; charset=utf-8", headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
