"""Votes from and to files: CSV, JSON, JSON lines and Parquet, the public Chatbot Arena's form among them.

A file needs the columns `model_a`, `model_b` and `winner` (`model_a`, `model_b`, `tie`, `tie (bothbad)`; the arena's
files of 2025 call the last one `both_bad`). It may have `session` (there `judge` or `evaluation_session_id`), `prompt`
(`question_id`), `language`, `category`, and the answers, from which style is read: `answer_a` and `answer_b`, or
`conversation_a` and `conversation_b` as lists of turns; or the counts of style themselves (`length_a`, `headers_a`,
...), which `arena export` writes. Other columns are not read.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from playground.arena.style import FEATURES, Style, compare_styles, measure_style, scale_styles
from playground.arena.votes import Votes, build_votes
from playground.errors import InvalidRequest

REQUIRED = ("model_a", "model_b", "winner")
_ALIASES = {
    "session": ("session", "judge", "user_id", "evaluation_session_id"),
    "prompt": ("prompt", "question_id", "prompt_hash"),
}
_SAID_OTHERWISE = {"both_bad": "tie (bothbad)"}
_LABELS = ("language", "category")
_ANSWERS = (("answer_a", "answer_b"), ("conversation_a", "conversation_b"))
_READ = frozenset(
    {*REQUIRED, *_LABELS}
    | {name for names in _ALIASES.values() for name in names}
    | {name for pair in _ANSWERS for name in pair}
    | {f"{feature}_{side}" for feature in FEATURES for side in ("a", "b")}
)
MAX_FILE_BYTES = 4 * 2**30
_AT_ONCE = 50_000
_LARGEST_COUNT = 2**31 - 1
Table = dict[str, list[Any]]


def read_votes(path: Path) -> Votes:
    """The votes of a file; the end of its name says what kind it is, `.gz` may follow.

    Raises InvalidRequest when it cannot be read, a column is missing, or a row is wrong.
    """
    return votes_from_table(read_table(path))


def read_table(path: Path) -> Table:
    """The columns of a file of votes that mean something here. Raises InvalidRequest when it cannot be read."""
    kind = path.suffixes[-2] if path.suffix == ".gz" and len(path.suffixes) > 1 else path.suffix
    if kind not in READERS:
        raise InvalidRequest(f"{path.name}: votes are read from {', '.join(sorted(READERS))}. Choose such a file.")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path.name} is larger than {MAX_FILE_BYTES // 2**30} GiB. Split it.")
        table = READERS[kind](_unpacked(path) if path.suffix == ".gz" else path.read_bytes())
    except (OSError, EOFError, ValueError, RecursionError, csv.Error, zlib.error) as error:
        reason = f"{error}".splitlines()[0] if f"{error}" else type(error).__name__
        raise InvalidRequest(f"{path.name} cannot be read as votes: {reason:.200}") from error
    if "winner" in table:
        table["winner"] = [
            _SAID_OTHERWISE.get(word, word) if isinstance(word, str) else word for word in table["winner"]
        ]
    return table


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as packed:
        data = packed.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise InvalidRequest(f"{path.name} is larger than {MAX_FILE_BYTES // 2**30} GiB when it is unpacked. Split it.")
    return data


def votes_from_table(table: Mapping[str, Sequence[Any]]) -> Votes:
    """Votes from columns. Raises InvalidRequest naming what is missing or wrong."""
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise InvalidRequest(f"The votes have no column {missing[0]}; needed are {', '.join(REQUIRED)}.")
    if not len(table["winner"]):
        raise InvalidRequest("The file has no votes in it.")
    return build_votes(
        [str(name) for name in table["model_a"]],
        [str(name) for name in table["model_b"]],
        [str(word) for word in table["winner"]],
        session=column_of(table, "session"),
        prompt=column_of(table, "prompt"),
        styles=_styles(table),
        labels={name: [str(item) for item in table[name]] for name in _LABELS if name in table},
    )


def column_of(table: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any] | None:
    """A column under any of the names it goes by; None when the table has none of them."""
    return next((table[alias] for alias in _ALIASES[name] if alias in table), None)


def answer_styles(table: Mapping[str, Sequence[Any]]) -> list[tuple[Style, Style]] | None:
    """The styles of both answers of every vote, from the answers or from counts of them; None without either."""
    for first, second in _ANSWERS:
        if first in table and second in table:
            pairs = zip(table[first], table[second], strict=True)
            return [(measure_style(_answer(a)), measure_style(_answer(b))) for a, b in pairs]
    counts = [[table.get(f"{name}_{side}") for name in FEATURES] for side in ("a", "b")]
    if any(column is None or any(value in (None, "") for value in column) for side in counts for column in side):
        return None
    left, right = (zip(*(column for column in side if column is not None), strict=True) for side in counts)
    try:
        return [(Style(*map(_count, a)), Style(*map(_count, b))) for a, b in zip(left, right, strict=True)]
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidRequest(
            f"The columns of style must hold whole numbers from 0 to {_LARGEST_COUNT:,}: {', '.join(FEATURES)}."
        ) from error


def _count(value: Any) -> int:
    count = int(value)
    if not 0 <= count <= _LARGEST_COUNT:
        raise ValueError("out of range")
    return count


def _styles(table: Mapping[str, Sequence[Any]]) -> Any:
    styles = answer_styles(table)
    if styles is None:
        return None
    return scale_styles(np.array([compare_styles(first, second) for first, second in styles], dtype=np.float64))


def _answer(value: Any) -> str:
    """An answer's text: as it is, or what the assistant said in a list of turns (also one written as JSON)."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    if isinstance(value, list | tuple | np.ndarray):
        turns = [turn for turn in value if isinstance(turn, dict) and turn.get("role") == "assistant"]
        return "\n".join(_said(turn.get("content", "")) for turn in turns)
    return "" if value is None else str(value)


def _said(content: Any) -> str:
    """What stands in a turn: a text, or parts of which some are texts."""
    if isinstance(content, list | tuple):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and part.get("text"))
    return str(content)


def _read_csv(data: bytes) -> Table:
    import pyarrow  # noqa: PLC0415  large, and not needed to serve the page
    from pyarrow import csv as arrow_csv  # noqa: PLC0415

    first_line = data.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode("utf-8")
    header = next(csv.reader([first_line]), [])
    read = [name for name in header if name in _READ]
    texts = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(read, pyarrow.string()), strings_can_be_null=False, include_columns=read
    )
    parsing = arrow_csv.ParseOptions(newlines_in_values=True)
    return _arrow_columns(lambda: arrow_csv.read_csv(io.BytesIO(data), parse_options=parsing, convert_options=texts))


def _read_parquet(data: bytes) -> Table:
    from pyarrow import parquet  # noqa: PLC0415

    def read() -> Any:
        file = parquet.ParquetFile(io.BytesIO(data))
        return file.read([name for name in file.schema_arrow.names if name in _READ])

    return _arrow_columns(read)


def _arrow_columns(read: Callable[[], Any]) -> Table:
    from pyarrow import ArrowException  # noqa: PLC0415

    try:
        table = read()
    except ArrowException as error:
        raise ValueError(str(error)) from error
    if len(set(table.column_names)) != len(table.column_names):
        raise ValueError("a column is there twice")
    try:
        return {name: table.column(name).to_pylist() for name in table.column_names}
    except OverflowError as error:  # a date or a time that Python has no word for
        raise ValueError(str(error)) from error


def _read_lines(data: bytes) -> Table:
    return _columns([json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()])


def _read_json(data: bytes) -> Table:
    return _columns(json.loads(data))


def _columns(rows: Any) -> Table:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it must hold one object for every vote")
    names = list(rows[0]) if rows else list(REQUIRED)
    for name in REQUIRED:
        if any(name not in row for row in rows):
            raise ValueError(f"a vote has no {name}")
    return {name: [row.get(name) for row in rows] for name in names}


READERS: dict[str, Callable[[bytes], Table]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".parquet": _read_parquet,
}


def write_votes(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write votes, a mapping each, in the kind that the file's name says; they can be read again by `read_votes`.

    Returns how many. Raises InvalidRequest for an unknown kind of file; a folder that cannot be written is an OSError.
    """
    if path.suffix not in WRITERS:
        raise InvalidRequest(f"{path.name}: votes are written to {', '.join(sorted(WRITERS))}. Choose such a name.")
    with path.open("wb") as target:
        return WRITERS[path.suffix](rows, target)


def _write_csv(rows: Iterable[Mapping[str, Any]], target: BinaryIO) -> int:
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    writer, count = csv.writer(text, lineterminator="\n"), 0
    for count, row in enumerate(rows, start=1):
        if count == 1:
            writer.writerow(row)
        writer.writerow(row.values())
    if not count:
        writer.writerow(REQUIRED)
    text.detach()
    return count


def _write_lines(rows: Iterable[Mapping[str, Any]], target: BinaryIO) -> int:
    return sum(1 for row in rows if target.write((json.dumps(dict(row), ensure_ascii=False) + "\n").encode()))


def _write_parquet(rows: Iterable[Mapping[str, Any]], target: BinaryIO) -> int:
    import pyarrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    left, parts = iter(rows), []
    while part := [dict(row) for row in islice(left, _AT_ONCE)]:
        parts.append(pyarrow.Table.from_pylist(part))
    whole = pyarrow.concat_tables(parts, promote_options="permissive") if parts else pyarrow.table({})
    parquet.write_table(whole, target)
    return int(whole.num_rows)


WRITERS: dict[str, Callable[[Iterable[Mapping[str, Any]], BinaryIO], int]] = {
    ".csv": _write_csv,
    ".jsonl": _write_lines,
    ".parquet": _write_parquet,
}
