"""The shipped rows, and what is refused in rows of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.domain import Direction
from playground.errors import PolicyError
from playground.moderation.categories import ATTACKS, HARM, HARMS
from playground.moderation.guard_models.rows import GUARDS, load_guards

OWN = """
[[guards]]
name = "mine"
model = "my-guard"
form = "mine"

[forms.mine]
max_tokens = 8
input = "<s>{text}</s> Is that {principle}?"
levels = { no = 0, yes = 1 }
questions = [{ means = "harm", input = "bad" }]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "guards.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_guards() -> None:
    rows = load_guards(GUARDS)
    families = {row.form.name for row in rows.values()}
    assert families == {"qwen3guard", "llama-guard-3", "shieldgemma", "granite-guardian-3"}
    assert {row.name for row in rows.values()} == set(rows)
    for row in rows.values():
        assert set(row.form.templates) == set(Direction)
        means = {category.means for category in row.categories} | {question.means for question in row.form.questions}
        assert means <= {HARM, *HARMS, *ATTACKS}  # guards judge harm and attacks, never the wording
        assert "question" in row.form.templates[Direction.OUTPUT].places
        assert "question" not in row.form.templates[Direction.INPUT].places


def test_the_categories_that_prompts_list() -> None:
    rows = load_guards(GUARDS)
    (_, small), (_, large) = (rows[f"llama-guard-3-{size}b"].constants(Direction.INPUT)[0] for size in (1, 8))
    assert large["categories"] == small["categories"] + "\nS14: Code Interpreter Abuse."
    (_, asked), (_, answered) = (rows["qwen3guard-4b"].constants(way)[0] for way in Direction)
    assert asked["categories"] == answered["categories"] + "\nJailbreak."
    assert [len(rows["granite-guardian-3.2-5b"].constants(way)) for way in Direction] == [6, 5]


def test_an_own_file_adds_guards_and_may_use_the_shipped_forms(tmp_path: Path) -> None:
    more = '\n[[guards]]\nname = "sea"\nmodel = "sea-guard"\nform = "llama-guard-3"\n'
    rows = load_guards(GUARDS, write(tmp_path, OWN.replace("\n[forms", more + "\n[forms", 1)))
    assert rows["sea"].form is rows["llama-guard-3-8b"].form
    assert rows["mine"].constants(Direction.OUTPUT) == []
    assert rows["mine"].form.max_tokens == 8


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[[guards]]", "[[guard]]", "unknown key 'guard'; accepted: guards, forms"),
        ("[[guards]]", "[guards]", "must be tables"),
        ("max_tokens = 8", "max_tokens = [", "cannot be read"),
        ('name = "mine"', 'name = "Mine!"', "name is 'Mine!'"),
        ('name = "mine"', "", "name must be a text"),
        ('name = "mine"', 'name = "qwen3guard-4b"', "a guard named qwen3guard-4b already"),
        ('model = "my-guard"', "model = 3", "model must be a text"),
        ('form = "mine"', 'form = "yours"', "form is 'yours'; accepted: .*mine"),
        ('form = "mine"', 'form = "mine"\nwithout = ["S1"]', "without holds 'S1'; accepted: none"),
        ('form = "mine"', 'form = "mine"\nsize = 3', "unknown key 'size'"),
        ("max_tokens = 8", "max_tokens = 0", "max_tokens is 0"),
        ("max_tokens = 8", "max_tokens = true", "max_tokens is True"),
        ("max_tokens = 8", "tokens = 8", "unknown key 'tokens'"),
        ("{text}", "{words}", "unknown place 'words'; accepted: text, question, principle"),
        ("{text}", "", "{text} must be there once"),
        ("{text}", "{text}{text}", "{text} must be there once"),
        ("{principle}", "it", "{principle} too"),
        ('input = "<s>', 'output = "<s>', "input must be a text"),
        ("{ no = 0, yes = 1 }", "{ yes = 1 }", "at least two words"),
        ("{ no = 0, yes = 1 }", "{ no = 0, yes = 2 }", "'yes' has the severity 2"),
        ("{ no = 0, yes = 1 }", "{ no = 0, yes = nan }", "severity nan"),
        ("{ no = 0, yes = 1 }", "{ no = 0.1, yes = 1 }", "severity 0, and one 1"),
        ("{ no = 0, yes = 1 }", "{ no = 0, yes = true }", "severity True"),
        ('means = "harm"', 'means = "evil"', "means is 'evil'; accepted: profanity"),
        (', input = "bad"', "", "needs its words for input or output"),
        ('questions = [{ means = "harm", input = "bad" }]', "", "either categories or questions"),
        ("questions = [", "questions = [3, ", "questions must be a list of tables"),
        ("max_tokens = 8", 'max_tokens = 8\nlist = ""', "belongs to them"),
        ("max_tokens = 8", 'max_tokens = 8\nspeakers = [""]', "speakers must be a list of texts"),
        ("max_tokens = 8", 'max_tokens = 8\nnotes = [{ label = "x" }]', "words must be a list"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert OWN.count(old) == 1
    with pytest.raises(PolicyError, match=sentence) as raised:
        load_guards(GUARDS, write(tmp_path, OWN.replace(old, new)))
    assert "guards.toml" in str(raised.value)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ('categories = [{ answer = "A", line = "A.", means = "harm", only = "both" }]', "only is 'both'"),
        ('categories = [{ answer = "A", means = "harm" }]', "line must be a text"),
        ('categories = [{ answer = "A", line = "A.", means = "harm" }]', "list, the label"),
    ],
)
def test_a_malformed_category_is_named(tmp_path: Path, extra: str, sentence: str) -> None:
    text = OWN.replace('questions = [{ means = "harm", input = "bad" }]', extra).replace("{principle}", "{categories}")
    with pytest.raises(PolicyError, match=sentence):
        load_guards(write(tmp_path, text))
