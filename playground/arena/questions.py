"""The questions of a batch from a file: one a line, JSON lines with a key prompt, or CSV with a column prompt."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import PurePath

from playground.chat.incoming import clean_message
from playground.errors import BadQuestions, InvalidRequest, MessageTooLong

KEY = "prompt"
_SEPARATORS = (",", ";", "\t")
Row = tuple[int, str]
"""A question with its row in the file, counted from 1."""


def read_questions(name: str, data: bytes, longest: int) -> list[str]:
    """The different questions of a file called `name`, in their order, each at most `longest` characters.

    Raises BadQuestions with what is wrong and where; never with the file's words.
    """
    kind = PurePath(name).suffix.lower()
    if kind not in READERS:
        raise BadQuestions(f"Questions are read from {', '.join(READERS)}. Choose such a file.", "kind")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadQuestions("The file is not UTF-8 text. Save it as UTF-8 and try again.", "encoding") from error
    found = [_question(row, question, longest) for row, question in READERS[kind](text)]
    if not found:
        raise BadQuestions("There is no question in the file. Write at least one and try again.", "empty")
    return list(dict.fromkeys(found))


def _question(row: int, text: str, longest: int) -> str:
    try:
        return clean_message(text, longest)
    except MessageTooLong as error:
        raise BadQuestions(
            f"The question in row {row} has {len(text):,} characters; at most {longest:,} can be asked. Shorten it.",
            "long",
            row,
        ) from error
    except InvalidRequest as error:
        raise BadQuestions(f"The question in row {row} is not text. Mend it and try again.", "text", row) from error


def _lines(text: str) -> Iterator[Row]:
    return ((row, line.strip()) for row, line in enumerate(text.splitlines(), 1) if line.strip())


def _json_lines(text: str) -> Iterator[Row]:
    for row, line in _lines(text):
        try:
            told = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadQuestions(f'There is no JSON in row {row}. Write {{"{KEY}": "…"}}.', "json", row) from error
        question = told.get(KEY) if isinstance(told, dict) else None
        if not isinstance(question, str) or not question.strip():
            raise BadQuestions(f'There is no {KEY} in row {row}. Write {{"{KEY}": "…"}}.', "json", row)
        yield row, question


def _table(text: str) -> Iterator[Row]:
    """The column of questions, between commas, semicolons or tabs; rows without one are passed over."""
    try:
        tables = [csv.DictReader(io.StringIO(text, newline=""), delimiter=separator) for separator in _SEPARATORS]
        table = next((one for one in tables if KEY in (one.fieldnames or ())), None)
        if table is None:
            raise BadQuestions(f"The first row names no column {KEY}. Name the column of the questions so.", "column")
        questions = [told[KEY] for told in table]
    except csv.Error as error:
        raise BadQuestions("The file cannot be read as CSV. Save it as CSV in UTF-8 and try again.", "csv") from error
    return ((row, question) for row, question in enumerate(questions, 1) if question and question.strip())


READERS: dict[str, Callable[[str], Iterator[Row]]] = {".txt": _lines, ".jsonl": _json_lines, ".csv": _table}
