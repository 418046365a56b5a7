"""Files of questions: what is read, and the sentence for everything that is not."""

from __future__ import annotations

import pytest

from playground.arena.questions import read_questions
from playground.errors import BadQuestions
from playground.ui.words import load_words

READ = [
    ("a.txt", "One?\n\n  Two?  \r\nOne?\n", ["One?", "Two?"]),
    ("A.TXT", "\ufeffXin chào?", ["Xin chào?"]),
    ("a.jsonl", '{"prompt": "One?\\nMore."}\n\n{"prompt": "Two?", "id": 7}', ["One?\nMore.", "Two?"]),
    ("a.csv", 'id,prompt\n1,"One, or two?"\n2,\n3,"Li\nnes"', ["One, or two?", "Li\nnes"]),
    ("a.csv", "prompt;id\nMột?;1\nHai, ba?;2", ["Một?", "Hai, ba?"]),
    ("a.csv", "prompt\tid\nOne?\t1", ["One?"]),
]
REFUSED: list[tuple[str, bytes, str, int]] = [
    ("a.xlsx", b"PK", "kind", 0),
    ("noending", b"One?", "kind", 0),
    ("a.txt", "Tiếng".encode("utf-16"), "encoding", 0),
    ("a.txt", b"\xff\xfe\x00", "encoding", 0),
    ("a.txt", b" \n\n", "empty", 0),
    ("a.txt", b"", "empty", 0),
    ("a.txt", b"One?\n" + b"x" * 201, "long", 2),
    ("a.txt", b"\x01\x02\x03\x04\x05\x06\x07\x08secret", "text", 1),
    ("a.jsonl", b'{"prompt": "One?"}\n{broken secret', "json", 2),
    ("a.jsonl", b'{"prompt": "One?"}\n{"text": "secret"}', "json", 2),
    ("a.jsonl", b'{"prompt": 7}', "json", 1),
    ("a.jsonl", b'["secret"]', "json", 1),
    ("a.jsonl", b"[" * 100_000, "json", 1),
    ("a.csv", b"id,question\n1,secret", "column", 0),
    ("a.csv", b"prompt\n", "empty", 0),
    ("a.csv", b"", "column", 0),
]


@pytest.mark.parametrize(("name", "text", "questions"), READ)
def test_what_is_read(name: str, text: str, questions: list[str]) -> None:
    assert read_questions(name, text.encode(), 200) == questions


@pytest.mark.parametrize(("name", "data", "reason", "row"), REFUSED)
def test_what_is_refused_is_said_in_both_languages(name: str, data: bytes, reason: str, row: int) -> None:
    with pytest.raises(BadQuestions) as caught:
        read_questions(name, data, 200)
    assert (caught.value.reason, caught.value.row) == (reason, row)
    assert "secret" not in str(caught.value)
    for language in ("en", "vi"):
        said = load_words(language)(f"duels.bad_{reason}", row=row, most=500)  # type: ignore[arg-type]
        assert str(row) in said or not row
        assert "{" not in said.replace('{"prompt": "…"}', "")
