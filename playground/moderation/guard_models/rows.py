"""Rows of guard models, read from TOML and checked to the last key.

[[guards]]: `name` (of the detector), `model` (its id in the catalogue), `form`, and `without`, the answers of the
form's categories that this model does not have.

[forms.NAME]: `input` and `output`, the prompts for what people type and for what models write (the latter may be left
out); `levels`, the words an answer may begin with and their severity from 0 to 1; `max_tokens` of a whole answer;
`speakers`, the texts that begin somebody's turn in the prompt; `notes`, labels at the start of further lines with the
words that may follow. Then either `categories` (how the guard names one, its line in the prompt, what it `means` here,
and perhaps the `only` direction it is asked for) with `list`, the label in front of those it names; or `questions`,
each asked by itself: what a yes `means`, and the principle or risk in the words for either direction.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.domain import Direction
from playground.errors import PolicyError
from playground.moderation.categories import CATEGORIES
from playground.moderation.guard_models.prompt import QUESTION, TEXT, Quoter, Template, parse_template

GUARDS = Path(__file__).with_name("guards.toml")
_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_CATEGORIES, _PRINCIPLE = "categories", "principle"


@dataclass(frozen=True, slots=True)
class Category:
    """A category that answers name: `answer` is the guard's word for it, `line` how the prompt presents it."""

    answer: str
    line: str
    means: str
    only: Direction | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One thing asked by itself; `principles` by direction."""

    means: str
    principles: Mapping[Direction, str]


@dataclass(frozen=True, slots=True)
class Note:
    """A further line of an answer: its label, and the words that may follow."""

    label: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How a family of guards is asked and read. `levels` go from harmless on; `list_label` None: there is no list."""

    name: str
    templates: Mapping[Direction, Template]
    levels: Mapping[str, float]
    max_tokens: int
    quote: Quoter
    categories: tuple[Category, ...] = ()
    questions: tuple[Question, ...] = ()
    list_label: str | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class GuardRow:
    """One guard: the detector's name, the catalogue's id of its model, its form and the categories it has."""

    name: str
    model: str
    form: Form
    categories: tuple[Category, ...]

    def asked(self, direction: Direction) -> tuple[Category, ...]:
        """The categories that this direction's answers may name."""
        return tuple(category for category in self.categories if category.only in (None, direction))

    def constants(self, direction: Direction) -> list[tuple[str, dict[str, str]]]:
        """For every question of this direction: what a yes means ("": the answer says), and the prompt's constants."""
        if self.form.categories:
            return [("", {_CATEGORIES: "\n".join(category.line for category in self.asked(direction))})]
        return [
            (question.means, {_PRINCIPLE: question.principles[direction]})
            for question in self.form.questions
            if direction in question.principles
        ]


def load_guards(*paths: Path) -> dict[str, GuardRow]:
    """The rows of the files by name; a later file may use the forms of the earlier ones.

    Raises PolicyError naming file, row and key, and what is accepted.
    """
    forms: dict[str, Form] = {}
    rows: dict[str, GuardRow] = {}
    for path in paths:
        table = _read(path)
        forms |= {name: _form(name, form, f"{path.name}, [forms.{name}]") for name, form in table["forms"].items()}
        for number, entry in enumerate(table["guards"], start=1):
            row = _guard(entry, forms, f"{path.name}, [[guards]] {number}")
            if row.name in rows:
                raise PolicyError(f"{path.name}, [[guards]] {number}: there is a guard named {row.name} already.")
            rows[row.name] = row
    return rows


def _read(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PolicyError(f"The file of guard models {path.name} cannot be read: {error}") from error
    _keys(table, ("guards", "forms"), path.name)
    forms, guards = table.get("forms", {}), table.get("guards", [])
    if not isinstance(forms, dict) or not _tables(list(forms.values())) or not _tables(guards):
        raise PolicyError(f"{path.name}: guards must be tables [[guards]], and forms tables [forms.NAME].")
    return {"forms": forms, "guards": guards}


def _guard(entry: Mapping[str, Any], forms: Mapping[str, Form], where: str) -> GuardRow:
    _keys(entry, ("name", "model", "form", "without"), where)
    name, model = _text(entry, "name", where), _text(entry, "model", where)
    if not _NAME.fullmatch(name):
        raise PolicyError(f"{where}: name is {name!r}; it must be small letters, digits, and - _ . between them.")
    form = forms[_one_of(entry.get("form"), forms, f"{where}: form is")]
    left_out = _texts(entry.get("without", []), f"{where}: without")
    for answer in left_out:
        _one_of(answer, [category.answer for category in form.categories], f"{where}: without holds")
    return GuardRow(name, model, form, tuple(item for item in form.categories if item.answer not in left_out))


def _form(name: str, table: Mapping[str, Any], where: str) -> Form:
    _keys(
        table,
        ("input", "output", "speakers", "levels", "max_tokens", "list", "notes", "categories", "questions"),
        where,
    )
    categories = tuple(_category(item, f"{where}, categories") for item in _list(table, "categories", where))
    questions = tuple(_question(item, f"{where}, questions") for item in _list(table, "questions", where))
    if bool(categories) == bool(questions):
        raise PolicyError(f"{where}: there must be either categories or questions.")
    if bool(categories) != ("list" in table):
        raise PolicyError(f'{where}: list, the label in front of the answered categories, belongs to them ("": none).')
    templates = {
        way: _template(
            _text(table, way.value, where), _CATEGORIES if categories else _PRINCIPLE, f"{where}, {way.value}"
        )
        for way in Direction
        if way is Direction.INPUT or way.value in table
    }
    speakers = _texts(table.get("speakers", []), f"{where}: speakers")
    return Form(
        name=name,
        templates=templates,
        levels=_levels(table.get("levels"), where),
        max_tokens=_count(table.get("max_tokens"), where),
        quote=Quoter(templates.values(), speakers),
        categories=categories,
        questions=questions,
        list_label=str(table["list"]) if categories else None,
        notes=tuple(_note(item, f"{where}, notes") for item in _list(table, "notes", where)),
    )


def _template(source: str, constant: str, where: str) -> Template:
    template = parse_template(source)
    accepted = (TEXT, QUESTION, constant)
    for place in template.places:
        _one_of(place, accepted, f"{where}: unknown place")
    if template.places.count(TEXT) != 1 or constant not in template.places:
        raise PolicyError(f"{where}: {{{TEXT}}} must be there once, and {{{constant}}} too.")
    return template


def _levels(table: object, where: str) -> dict[str, float]:
    if not isinstance(table, dict) or len(table) < 2:
        raise PolicyError(f"{where}: levels must be a table of at least two words with their severity.")
    for word, severity in table.items():
        number = isinstance(severity, int | float) and not isinstance(severity, bool)
        if not number or not 0 <= severity <= 1 or not word.strip():
            raise PolicyError(f"{where}: the level {word!r} has the severity {severity!r}; it must be from 0 to 1.")
    if min(table.values()) != 0 or max(table.values()) != 1:
        raise PolicyError(f"{where}: one of the levels must have the severity 0, and one 1.")
    return {word: float(severity) for word, severity in sorted(table.items(), key=lambda item: item[1])}


def _category(table: Mapping[str, Any], where: str) -> Category:
    _keys(table, ("answer", "line", "means", "only"), where)
    only = _one_of(table["only"], tuple(Direction), f"{where}: only is") if "only" in table else None
    return Category(
        answer=_text(table, "answer", where),
        line=_text(table, "line", where),
        means=_one_of(table.get("means"), CATEGORIES, f"{where}: means is"),
        only=Direction(only) if only else None,
    )


def _question(table: Mapping[str, Any], where: str) -> Question:
    _keys(table, ("means", *Direction), where)
    principles = {way: _text(table, way.value, where) for way in Direction if way.value in table}
    if not principles:
        raise PolicyError(f"{where}: a question needs its words for {' or '.join(Direction)}.")
    return Question(_one_of(table.get("means"), CATEGORIES, f"{where}: means is"), principles)


def _note(table: Mapping[str, Any], where: str) -> Note:
    _keys(table, ("label", "words"), where)
    return Note(_text(table, "label", where), _texts(table.get("words"), f"{where}: words"))


def _count(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1024:
        raise PolicyError(f"{where}: max_tokens is {value!r}; it must be a whole number from 1 to 1024.")
    return value


def _keys(table: Mapping[str, Any], accepted: Sequence[str], where: str) -> None:
    for key in table:
        _one_of(key, accepted, f"{where}: unknown key")


def _list(table: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not _tables(value):
        raise PolicyError(f"{where}: {key} must be a list of tables.")
    return list(value)


def _tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{where}: {key} must be a text that is not empty.")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise PolicyError(f"{where} must be a list of texts that are not empty.")
    return tuple(value)


def _one_of(value: object, accepted: Collection[str], what: str) -> str:
    if not isinstance(value, str) or value not in accepted:
        raise PolicyError(f"{what} {value!r}; accepted: {', '.join(accepted) or 'none'}.")
    return value
