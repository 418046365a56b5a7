"""Data sets in every form people have them in; what is broken is named without its text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from playground.errors import InvalidRequest
from playground.moderation.records import Broken, Row, read_rows

TEXTS = ["plain", 'with "quotes", commas', "two\nlines", "Xin chào, thế giới"]
CSV = 'text,label\nplain,0\n"with ""quotes"", commas",1\n"two\nlines",0\n"Xin chào, thế giới",1\n'
RECORDS = [{"text": text, "label": number % 2} for number, text in enumerate(TEXTS)]
FORMS = {
    "a.csv": CSV.encode(),
    "a.tsv": CSV.replace(",0\n", "\t0\n").replace(",1\n", "\t1\n").replace("text,label", "text\tlabel").encode(),
    "semicolon.csv": CSV.replace(",0\n", ";0\n").replace(",1\n", ";1\n").replace("text,label", "text;label").encode(),
    "bom.csv": CSV.encode("utf-8-sig"),
    "wide.csv": CSV.encode("utf-16"),
    "packed.csv.gz": gzip.compress(CSV.encode()),
    "packed_without_saying.csv": gzip.compress(CSV.encode()),
    "a.json": json.dumps(RECORDS).encode(),
    "nested.json": json.dumps({"version": 2, "data": RECORDS}).encode(),
    "columns.json": json.dumps({"text": TEXTS, "label": [0, 1, 0, 1]}).encode(),
    "pandas.json": json.dumps({"text": dict(enumerate(TEXTS)), "label": {"0": 0, "1": 1, "2": 0, "3": 1}}).encode(),
    "a.jsonl": b"\n".join(json.dumps(record).encode() for record in RECORDS),
    "a.ndjson.gz": gzip.compress(b"\n".join(json.dumps(record).encode() for record in RECORDS)),
    "really_lines.json": b"\n".join(json.dumps(record).encode() for record in RECORDS),
    "no_suffix": json.dumps(RECORDS).encode(),
    "lines.data": b"\n".join(json.dumps(record).encode() for record in RECORDS),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[name])
    rows = [row for row in read_rows(path, ["text", "label"]) if isinstance(row, Row)]
    assert [row.values["text"] for row in rows] == TEXTS
    assert [int(str(row.values["label"])) for row in rows] == [0, 1, 0, 1]
    assert [row.number for row in rows] == [1, 2, 3, 4]


def test_stray_quotation_marks_in_a_tsv_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"unclosed\t0\nplain\t1\nit is 5" wide\t0\n', encoding="utf-8")
    rows = list(read_rows(path, ["text"]))
    assert [row.values["text"] for row in rows if isinstance(row, Row)] == ['"unclosed', "plain", 'it is 5" wide']


def test_a_field_may_be_huge(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\n{'x' * 1_000_000},1\n", encoding="utf-8")
    (row,) = read_rows(path, ["text", "label"])
    assert isinstance(row, Row)
    assert len(str(row.values["text"])) == 1_000_000


def test_broken_rows_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\ngood,1\ntoo,many,fields\nshort\nsecret \xff,1\n\nlast,0\n")
    rows = list(read_rows(path, ["text", "label"]))
    broken = {row.number: row.reason for row in rows if isinstance(row, Broken)}
    assert broken == {
        2: "it has 3 fields, the header has 2",
        3: "it has 1 fields, the header has 2",
        4: "its text is not UTF-8",
    }
    assert [row.number for row in rows if isinstance(row, Row)] == [1, 5]
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"text": "a"}\n{"text": \n[1]\n{"text": null}\n{"other": 1}\n{"text": "b"}\n', encoding="utf-8")
    kinds = [type(row) for row in read_rows(lines, ["text"])]
    assert kinds == [Row, Broken, Broken, Broken, Broken, Row]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.csv", None, ["missing.csv", "No such file"]),
        ("a.csv", b"one,two\n1,2\n", ["no column text", "one, two"]),
        ("a.tsv", b"one\ttwo\n1\t2\n", ["no column text", "one, two"]),
        ("a.json", b'[{"one": 1, "two": 2}]', ["no column text", "one, two"]),
        ("a.jsonl", b'{"one": 1}', ["no column text", "one"]),
        ("empty.csv", b"", ["empty"]),
        ("empty.json", b"[]", ["empty"]),
        ("empty.jsonl", b"\n", ["empty"]),
        ("bad.json", b"[1, 2", ["bad.json", "not JSON"]),
        ("number.json", b"5", ["no list of records"]),
        ("keys.json", b'{"a": [{"text": 1}], "b": [{"text": 2}, {"text": 3}]}', ["no list", "a, b"]),
        ("deep.json", b"[" * 200_000, ["nested too deeply"]),
        ("torn.jsonl.gz", gzip.compress(b"x" * 99, mtime=0)[:12] + b"\xff" * 20, ["cannot be read"]),
        ("cut.csv.gz", gzip.compress(CSV.encode() * 1000, mtime=0)[:60], ["cannot be read"]),
        ("unknown.bin", b"\x00\x01\x02", ["no kind known", ".jsonl"]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(
    name: str, content: bytes | None, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest) as caught:
        list(read_rows(path, ["text"]))
    assert all(word in str(caught.value) for word in words), str(caught.value)
