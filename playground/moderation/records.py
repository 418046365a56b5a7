"""Rows of a data set, one after another: CSV, TSV, JSON and JSON lines, gzipped or not.

A row that cannot be used is named by its number (from 1, a header not counted) and a reason, never by its text, and
reading goes on. What cannot be read at all raises InvalidRequest with one sentence that says what there is.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TextIO

from playground.errors import InvalidRequest

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATORS = {".csv": ",\t;|", ".tsv": "\t,;|", ".tab": "\t,;|", ".txt": "\t,;|"}
_LINES = (".jsonl", ".ndjson")
_PROBE = 2000  # rows that are looked at to tell how a table is quoted, and what keys JSON has


@dataclass(frozen=True, slots=True)
class Row:
    """One record: `number` counts from 1; values are text in tables, anything JSON knows otherwise."""

    number: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be used, and why."""

    number: int
    reason: str


def read_rows(path: Path, needed: Sequence[str]) -> Iterator[Row | Broken]:
    """The records of `path`, each with the columns `needed`; the kind follows from the name, or from the beginning.

    Raises InvalidRequest when the file cannot be read, is of no kind known here, or has no such column.
    """
    try:
        with _open(path) as beginning:
            kind = _kind(path, beginning.read(4096))
        yield from _READERS[kind](path, needed)
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InvalidRequest(f"The file {path} cannot be read ({reason}).") from error


def _open(path: Path) -> TextIO:
    """The text of the file. Bytes that are no text become lone surrogates, so that only their row is lost."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    stream: gzip.GzipFile | io.BufferedReader = gzip.GzipFile(path) if packed else path.open("rb")
    beginning = stream.read(4)
    stream.seek(0)
    encoding = next((name for mark, name in _BOMS if beginning.startswith(mark)), "utf-8")
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _kind(path: Path, beginning: str) -> str:
    suffix = _suffix(path)
    if suffix in _LINES:
        return "lines"
    if suffix == ".json":
        return "json"
    if suffix in _SEPARATORS:
        return "table"
    first = beginning.lstrip()[:1]
    if first == "[":
        return "json"
    if first == "{":
        return "lines" if _parsed(beginning.lstrip().splitlines()[0]) is not None else "json"
    if any(separator in beginning for separator in ",\t;|"):
        return "table"
    raise InvalidRequest(f"The file {path} is of no kind known here; there are: .csv, .tsv, .json, .jsonl (and .gz).")


def _parsed(line: str) -> object | None:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value


# Tables


def _read_table(path: Path, needed: Sequence[str]) -> Iterator[Row | Broken]:
    csv.field_size_limit(sys.maxsize)
    separator = _separator(path, needed)
    quoting = _quoting(path, separator)
    with _open(path) as stream:
        reader = csv.reader(stream, delimiter=separator, quoting=quoting)
        header = [name.strip() for name in next(reader)]
        for number, fields in enumerate((fields for fields in reader if fields), 1):
            if len(fields) != len(header):
                yield Broken(number, f"it has {len(fields)} fields, the header has {len(header)}")
            else:
                yield _clean(number, dict(zip(header, fields, strict=True)), needed)


def _separator(path: Path, needed: Sequence[str]) -> str:
    """The separator under which the header names what is needed."""
    candidates = _SEPARATORS.get(_suffix(path), _SEPARATORS[".csv"])
    headers = {}
    for separator in candidates:
        with _open(path) as stream:
            headers[separator] = [name.strip() for name in next(csv.reader(stream, delimiter=separator), [])]
    for separator, names in headers.items():
        if set(needed) <= set(names):
            return separator
    best = max(headers.values(), key=len)
    if not any(best):
        raise InvalidRequest(f"The file {path} is empty.")
    raise _no_column(path, next(name for name in needed if name not in best), best)


def _quoting(path: Path, separator: str) -> Literal[0, 3]:
    """Whether quotation marks enclose fields, or are part of the text as in many TSV files: what breaks fewer rows."""
    with _open(path) as stream:
        quoted = _misfits(csv.reader(stream, delimiter=separator, strict=True))
    with _open(path) as stream:
        plain = _misfits(csv.reader(stream, delimiter=separator, quoting=csv.QUOTE_NONE, strict=True))
    return csv.QUOTE_NONE if plain < quoted else csv.QUOTE_MINIMAL


def _misfits(reader: Iterator[list[str]]) -> float:
    """The share of rows, of the first ones, that do not fit the header."""
    width = len(next(reader, []))
    seen = misfits = 0
    while seen < _PROBE:
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error:
            fields = []
        seen += 1
        misfits += len(fields) != width
    return misfits / max(seen, 1)


# JSON


def _read_lines(path: Path, needed: Sequence[str]) -> Iterator[Row | Broken]:
    with _open(path) as stream:
        yield from _records(path, (_parsed(line) for line in stream if line.strip()), needed)


def _read_json(path: Path, needed: Sequence[str]) -> Iterator[Row | Broken]:
    with _open(path) as stream:
        content = stream.read()
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise InvalidRequest(f"The file {path} is nested too deeply.") from error
    except ValueError as error:
        if isinstance(_parsed(content.lstrip().partition("\n")[0]), dict):
            yield from _read_lines(path, needed)
            return
        raise InvalidRequest(f"The file {path} is not JSON: {error}.") from error
    yield from _records(path, _items(path, value), needed)


def _items(path: Path, value: object) -> Iterable[object]:
    """The records of a JSON value: a list, the one list in an object, or an object of columns."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not value:
        raise InvalidRequest(f"The file {path} holds no list of records.")
    columns = [list(column.values()) if isinstance(column, dict) else column for column in value.values()]
    lists = [column for column in columns if isinstance(column, list)]
    if (
        len(lists) == len(columns)
        and len({len(column) for column in lists}) == 1
        and not isinstance(lists[0][:1], dict)
    ):
        nested = len(lists) == 1 and all(isinstance(item, dict) for item in lists[0])
        return lists[0] if nested else (dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True))
    tables = [column for column in lists if column and all(isinstance(item, dict) for item in column)]
    if len(tables) == 1:
        return tables[0]
    raise InvalidRequest(f"The file {path} holds no list of records; its keys are: {_listed(value)}.")


def _records(path: Path, items: Iterable[object], needed: Sequence[str]) -> Iterator[Row | Broken]:
    source = iter(items)
    first = list(islice(source, _PROBE))
    names = {str(name): None for item in first if isinstance(item, dict) for name in item}
    for name in needed:
        if first and name not in names:
            raise _no_column(path, name, list(names))
    number = 0
    for batch in (first, source):
        for item in batch:
            number += 1
            yield _clean(number, item, needed) if isinstance(item, dict) else Broken(number, "it is not a JSON object")
    if not number:
        raise InvalidRequest(f"The file {path} is empty.")


def _clean(number: int, values: Mapping[str, object], needed: Sequence[str]) -> Row | Broken:
    for name in needed:
        value = values.get(name)
        if value is None:
            return Broken(number, f"it has no {name}")
        if isinstance(value, str) and any("\udc80" <= char <= "\udcff" for char in value if char >= "\ud800"):
            return Broken(number, f"its {name} is not UTF-8")
    return Row(number, values)


def _no_column(path: Path, name: str, columns: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(f"{path} has no column {name}; there are: {_listed(columns)}.")


def _listed(names: Iterable[str]) -> str:
    shown = [name if len(name) <= 40 else name[:39] + "…" for name in islice(names, 40)]
    return ", ".join(shown)


_READERS = {"table": _read_table, "lines": _read_lines, "json": _read_json}
