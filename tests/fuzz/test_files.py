"""Files that the operator is given by others: each is read, or refused with the error of its kind, and nothing else."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import strategies as st
from pyarrow import parquet

from playground.arena.imports import read_ballots
from playground.arena.questions import read_questions
from playground.arena.vote_files import FEATURES, read_table, read_votes, votes_from_table
from playground.catalog.catalog import SHIPPED
from playground.catalog.own_rows import OwnRows
from playground.catalog.rows import PARSERS, read_rows
from playground.catalog.spec import ModelSource, ModelSpec
from playground.config import Settings, load_settings
from playground.domain import Action, Direction
from playground.errors import ConfigError, InvalidRequest, PlaygroundError, PolicyError
from playground.moderation import records
from playground.moderation.categories import CATEGORIES
from playground.moderation.guard_models.rows import GUARDS, load_guards
from playground.moderation.policy import POLICIES, load_policy
from playground.moderation.registry import DETECTORS
from playground.moderation.rules_file import load_rules
from playground.review.cases import case_lines
from playground.storage.reports import Report, Score
from playground.text import plain
from playground.ui.arena.downloads import _cell
from tests.catalogue import _toml
from tests.fuzz.depth import damaged, depths, hunt, json_values, seeds

Read = Callable[[Path], object]


def tried(read: Read, name: str, content: bytes, refusal: type[PlaygroundError]) -> None:
    """Read a file of that content; its refusal is a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with contextlib.suppress(refusal):
            read(path)


def import_votes(path: Path) -> object:
    """All that becomes of a file of votes, and one that was read is read again alike."""
    table = read_table(path)
    return votes_from_table(table), read_ballots(table, str.casefold)


COLUMNS = ["model_a", "model_b", "winner", "session", "judge", "prompt", "language", "category", "answer_a",
    "answer_b",
           "conversation_a", "conversation_b", *(f"{name}_{side}" for name in FEATURES for side in "ab")]  # fmt: skip
CELLS = json_values | st.sampled_from(["model_a", "model_b", "tie", "tie (bothbad)", "a", "b", "3", "-1", "",
    "1e999", "\ud800", 10**30,
                                       "[", '[{"role": "assistant", "content": 3}]', "=cmd",
                                       [{"role": "assistant"}]])  # fmt: skip
vote_rows = st.lists(
    st.fixed_dictionaries(
        {"model_a": st.just("a") | CELLS, "model_b": st.just("b") | CELLS, "winner": st.just("tie") | CELLS},
        optional=dict.fromkeys(COLUMNS[3:], CELLS),
    ),
    max_size=4,
)


@depths
def test_votes_in_json(examples: int) -> None:
    def check(rows: Any, seed: int, packed: bool) -> None:
        for name, content in (
            ("votes.json", json.dumps(rows)),
            ("votes.jsonl", "\n".join(map(json.dumps, rows)) if isinstance(rows, list) else json.dumps(rows)),
        ):
            data = content.encode("utf-8", "surrogatepass")
            end = ".gz" if packed else ""
            tried(import_votes, name + end, gzip.compress(data) if packed else data, InvalidRequest)
            tried(import_votes, name + end, damaged(gzip.compress(data) if packed else data, seed), InvalidRequest)

    hunt(examples, check, vote_rows | json_values, seeds, st.booleans())


@depths
def test_votes_in_a_table(examples: int) -> None:
    cells = st.sampled_from(
        ["model_a", "tie", "a", "b", '"', '""', "x,y", "\n", "\r\n", "", "\x00", "é", "9" * 40, "=1+1"]
    )
    lines = st.lists(st.lists(cells | st.text(max_size=4), max_size=5).map(",".join), max_size=6).map("\n".join)
    heads = st.lists(st.sampled_from(COLUMNS), min_size=3, max_size=6).map(",".join) | st.just("model_a,model_b,winner")

    def check(head: str, body: str, raw: bytes) -> None:
        content = f"{head}\n{body}".encode("utf-8", "surrogatepass")
        tried(import_votes, "votes.csv", content, InvalidRequest)
        tried(import_votes, "votes.csv", raw, InvalidRequest)

    hunt(examples, check, heads, lines, st.binary(max_size=60))


TYPES = st.sampled_from([
    pyarrow.string(), pyarrow.int64(), pyarrow.float64(), pyarrow.bool_(), pyarrow.binary(), pyarrow.date32(),
    pyarrow.timestamp("ns"), pyarrow.duration("s"), pyarrow.list_(pyarrow.string()), pyarrow.decimal128(20, 2),
    pyarrow.null(),
    pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])),
])  # fmt: skip
NUMBERS = st.integers(-(2**62), 2**62)


def column_of_type(kind: Any, numbers: list[int]) -> Any:
    """Values of that type from numbers, as far as it has any."""
    if pyarrow.types.is_string(kind):
        return pyarrow.array(["model_a" if number % 2 else f"m{number}" for number in numbers])
    if pyarrow.types.is_temporal(kind):
        width = pyarrow.int32() if pyarrow.types.is_date32(kind) else pyarrow.int64()
        return pyarrow.array(
            [number % 2**31 if width == pyarrow.int32() else number for number in numbers], width
        ).cast(kind)
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        return pyarrow.array(numbers, pyarrow.int64()).cast(kind, safe=False)
    return pyarrow.nulls(len(numbers), kind)


@depths
def test_votes_in_parquet(examples: int) -> None:
    def check(kinds: list[Any], names: list[str], numbers: list[int], seed: int) -> None:
        columns = [column_of_type(kind, numbers) for kind in kinds]
        target = io.BytesIO()
        table = pyarrow.table(columns, names=[*("model_a", "model_b", "winner"), *names][: len(columns)])
        parquet.write_table(table, target)
        tried(import_votes, "votes.parquet", target.getvalue(), InvalidRequest)
        tried(import_votes, "votes.parquet", damaged(target.getvalue(), seed), InvalidRequest)

    names = st.lists(st.sampled_from(COLUMNS), min_size=4, max_size=4)
    kinds = st.lists(TYPES, min_size=3, max_size=7)
    hunt(examples, check, kinds, names, st.lists(NUMBERS, max_size=3), seeds)


# Files in TOML: tables of the right keys with wrong values, the shipped files with damage, and anything at all.


def toml_values(keys: list[str]) -> st.SearchStrategy[Any]:
    """Values that TOML can hold, with tables of these keys among them."""
    plain_values = (
        st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from([*keys, "block", "en"])
    )
    return st.recursive(
        plain_values,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=5),
        max_leaves=12,
    )


def toml_text(table: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in table.items())


def quoted_keys(value: Any) -> Any:
    """Keys as TOML writes any of them."""
    if isinstance(value, Mapping):
        return {json.dumps(key): quoted_keys(item) for key, item in value.items()}
    return [quoted_keys(item) for item in value] if isinstance(value, list) else value


KINDS: dict[str, tuple[Read, type[PlaygroundError], list[str], list[str], list[Path]]] = {
    "models.toml": (
        lambda path: read_rows([path]), ConfigError, ["models"],
        [*PARSERS, "path", "repo", "revision", "format", "url", "key_env", "plain_http", "en", "vi", "temperature",
        "stop"], list(SHIPPED),
    ),
    "policy.toml": (
        lambda path: load_policy(path, tuple(DETECTORS)), PolicyError,
        ["unit", "unavailable", "detectors", "input", "output", "extends", "time_limit", "shadow", "languages",
        "models"],
        ["input", "output", "action", "threshold", "shadow", "en", "standard", *CATEGORIES[:4]],
        sorted(POLICIES.glob("*.toml")),
    ),
    "rules.toml": (
        load_rules, PolicyError, ["group", "pattern"],
        ["language", "category", "score", "words", "endings", "name", "pattern", "ignore_case", *CATEGORIES[:2]], [],
    ),
    "guards.toml": (
        load_guards, PolicyError, ["guards", "forms"],
        ["name", "model", "form", "without", "input", "output", "levels", "categories", "questions", "note"],
        [GUARDS],
    ),
    "playground.toml": (
        lambda path: load_settings(["--config", str(path)], {}), ConfigError, [*Settings.__slots__], ["~nobody-here",
            "\0", "x" * 300], [],
    ),
}  # fmt: skip
NO_HOME = "x = '~nobody-here/x'"
every_kind = pytest.mark.parametrize("kind", KINDS)


@depths
@every_kind
def test_files_with_wrong_values(examples: int, kind: str) -> None:
    read, refusal, top, below, _ = KINDS[kind]
    tables = st.dictionaries(st.sampled_from(top), toml_values(below), min_size=1, max_size=4)
    lists = st.dictionaries(
        st.sampled_from(top),
        st.lists(st.dictionaries(st.sampled_from(below), toml_values(below), max_size=6), max_size=3),
    )

    def check(table: dict[str, Any]) -> None:
        tried(read, kind, toml_text(quoted_keys(table)).encode("utf-8", "surrogatepass"), refusal)

    hunt(examples, check, tables | lists)


@depths
@every_kind
def test_files_with_damage_and_files_of_anything(examples: int, kind: str) -> None:
    read, refusal, top, _, shipped = KINDS[kind]
    texts = [path.read_text(encoding="utf-8") for path in shipped] or ["x = [1]\n"]

    def check(text: str, seed: int, raw: bytes) -> None:
        tried(read, kind, damaged(text, seed).encode("utf-8", "surrogatepass"), refusal)
        tried(read, kind, raw, refusal)
        tried(read, kind, f"{top[0]} = ".encode() + raw, refusal)

    hunt(examples // 2, check, st.sampled_from(texts), seeds, st.binary(max_size=40))


@pytest.mark.parametrize(
    "content",
    [
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
        "x = 1e99999",
        "x = 9999-99-99",
        "\ufeffx = 1",
        "x = '\x00'",
        "x = '~nobody-here/x'",
    ],
)
@every_kind
def test_what_no_parser_likes(kind: str, content: str) -> None:
    read, refusal, top, _, _ = KINDS[kind]
    for name in ("x", *top[:2]):
        tried(read, kind, content.replace("x =", f"{name} =", 1).encode(), refusal)


specs = st.builds(
    lambda name, family, description, licence, tags, repo: ModelSpec(
        id="owner/name", name=name, family=family, engine="auto", context_length=2048, licence=licence,
            languages=("en",),
        description={"en": description, "vi": description}, tags=tuple(tags), source=ModelSource(repo=repo,
            revision="main"),
    ),
    *[st.text(min_size=1, max_size=20).filter(lambda text: bool(plain(text).strip()))] * 4,
    st.lists(st.text(min_size=1, max_size=9).filter(lambda text: bool(plain(text).strip())), max_size=3),
    st.just("owner/name"),
)  # fmt: skip


@depths
def test_a_row_that_is_added_is_read_as_it_was_given(examples: int) -> None:
    def check(spec: ModelSpec) -> None:
        with tempfile.TemporaryDirectory() as folder:
            rows = OwnRows(Path(folder) / "models.toml")
            kept = rows.put(spec)
            words = {language: plain(text) for language, text in spec.description.items()}
            assert kept == replace(
                spec, name=plain(spec.name), family=plain(spec.family), licence=plain(spec.licence),
                    description=words,
                tags=tuple(map(plain, spec.tags)),
            )  # fmt: skip
            assert rows.drop(spec.id)

    hunt(examples, check, specs)


@depths
def test_questions_and_labelled_data(examples: int) -> None:
    rows = st.lists(
        st.dictionaries(st.sampled_from(["prompt", "text", "label"]), json_values, max_size=3) | json_values, max_size=4
    )

    def evaluated(path: Path) -> object:
        return list(records.read_rows(path, ["text", "label"]))

    def asked(path: Path) -> object:
        return read_questions(path.name, path.read_bytes(), 1000)

    def check(values: list[Any], raw: bytes, seed: int) -> None:
        lines = "\n".join(map(json.dumps, values)).encode()
        for name in ("x.jsonl", "x.txt", "x.json", "x.csv", "x.tsv", "x.bin"):
            for content in (lines, json.dumps(values).encode(), raw, damaged(gzip.compress(lines), seed)):
                tried(evaluated, name, content, InvalidRequest)
                tried(asked, name, content, InvalidRequest)

    hunt(examples // 2, check, rows, st.binary(max_size=60), seeds)


def score_of(score: float) -> Score:
    return Score(category="slur", score=score, threshold=0.5, detector="words", version="1", span=(0, 1))


reports = st.builds(
    lambda text, label, policy, scores: Report(
        owner="o", kind="wrong", subject_id="s", direction=Direction.OUTPUT, action=Action.BLOCK, policy=policy,
        language="en", model_id="m", text_hash="0", text_length=len(text), text=text, label=label,
        scores=tuple(score_of(score) for score in scores),
    ),
    st.text(max_size=40), st.sampled_from(["right", "wrong", "unsure", None]), st.text(max_size=9),
        st.lists(st.floats(0, 1), max_size=2),
)  # fmt: skip


@depths
def test_what_the_workbench_exports_can_be_evaluated(examples: int) -> None:
    def check(given: list[Report]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cases.jsonl"
            path.write_text("".join(case_lines(given)), encoding="utf-8", errors="surrogatepass")
            labelled = [report for report in given if report.label in {"right", "wrong"}]
            if labelled:
                read = list(records.read_rows(path, ["text", "label"]))
                assert [row.values["text"] for row in read if isinstance(row, records.Row)] == [
                    one.text for one in labelled
                ]

    hunt(examples, check, st.lists(reports, max_size=4))


@depths
def test_no_cell_of_an_export_is_a_formula(examples: int) -> None:
    def check(value: str) -> None:
        assert not str(_cell(value)).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))

    hunt(examples, check, st.text(max_size=6) | st.text("=+-@\t\r\n '\"a", max_size=6))


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.arena.vote_files.MAX_FILE_BYTES", 2**20)
    path = tmp_path / "votes.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 2**26))
    assert path.stat().st_size < 2**17
    with pytest.raises(InvalidRequest, match="larger than"):
        read_votes(path)
