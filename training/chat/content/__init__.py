"""The texts Pip learns from: TOML data written for this project, and its reader."""

import itertools
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
TOPIC_COMMA = re.compile(r",\s*(?![^\[]*\])")
INTENT_FILES = ("smalltalk", "guide", "facts")


@dataclass(frozen=True)
class Term:
    """A word of the field with its explanations."""

    names: tuple[str, ...]
    names_vi: tuple[str, ...]
    english: str
    simple: str
    vietnamese: str
    simple_vietnamese: str


@dataclass(frozen=True)
class Intent:
    """One thing people say, in many wordings, and what Pip answers."""

    id: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Country:
    """A country and its capital in both languages."""

    name: str
    capital: str
    name_vi: str
    capital_vi: str


@dataclass(frozen=True)
class Group:
    """Question forms that take any topic of a list."""

    kind: str
    forms: tuple[str, ...]
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Outside:
    """Questions beyond Pip's knowledge, and how it declines."""

    questions: tuple[str, ...]
    groups: tuple[Group, ...]
    answers: tuple[str, ...]
    answers_sum: tuple[str, ...]


def lines(text: str) -> tuple[str, ...]:
    r"""The non-empty lines of a text; a written ``\n`` becomes a line break inside a line."""
    return tuple(line.strip().replace("\\n", "\n") for line in text.strip().splitlines() if line.strip())


def phrase(pattern: str, random_source: random.Random) -> str:
    """One wording of a pattern: ``[a|b|]`` becomes a, b or nothing."""
    while match := ALTERNATIVES.search(pattern):
        choice = random_source.choice(match.group(1).split("|"))
        pattern = pattern[: match.start()] + choice + pattern[match.end() :]
    return tidy(pattern)


def tidy(text: str) -> str:
    """The text without the spaces that an empty part leaves."""
    return re.sub(r" +([?.!,])", r"\1", re.sub(r"  +", " ", text)).strip()


def wordings(pattern: str) -> Iterator[str]:
    """Every wording of a pattern."""
    parts = ALTERNATIVES.split(pattern)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    for chosen in itertools.product(*choices):
        yield tidy("".join(chosen))


def read_table(name: str) -> dict[str, Any]:
    """The parsed TOML file of that name."""
    return tomllib.loads(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def optional_table(name: str) -> dict[str, Any]:
    """The parsed TOML file of that name, or an empty table where a language does not have it."""
    return read_table(name) if resources.files(__name__).joinpath(f"{name}.toml").is_file() else {}


@cache
def terms() -> tuple[Term, ...]:
    """The glossary."""
    simple_vi = read_table("simple_vi")["simple"]
    return tuple(
        Term(
            (entry["name"], *entry["aliases"]),
            tuple(dict.fromkeys((entry["name_vi"], entry["name"]))),
            entry["english"],
            entry["simple"],
            entry["vietnamese"],
            simple_vi[entry["name"]],
        )
        for entry in read_table("glossary")["term"]
    )


@cache
def asks(language: str) -> dict[str, tuple[str, ...]]:
    """By the first name of a term: wordings that ask for this very term, in a language."""
    return {name: lines(text) for name, text in optional_table(f"asks_{language}").get("asks", {}).items()}


@cache
def intents(language: str) -> tuple[Intent, ...]:
    """Small talk, how to use the playground, and simple facts in a language, ``en`` or ``vi``."""
    entries = [entry for name in INTENT_FILES for entry in optional_table(f"{name}_{language}").get("intent", [])]
    return tuple(Intent(entry["id"], lines(entry["questions"]), lines(entry["answers"])) for entry in entries)


@cache
def synonyms(language: str) -> dict[str, tuple[str, ...]]:
    """By a word, or several, in small letters: what may stand for it in a question, in a language."""
    rows = (line.split(" : ") for line in lines(read_table("synonyms")[language]))
    return {source: tuple(others.split(" | ")) for source, others in rows}


@cache
def everyday(language: str) -> tuple[tuple[str, str], ...]:
    """What is said day after day in a language, each as (id of its intent, words)."""
    return tuple((intent, line) for intent, text in read_table("everyday")[language].items() for line in lines(text))


@cache
def countries() -> tuple[Country, ...]:
    """Countries and capitals."""
    return tuple(Country(*line.split(" | ")) for line in lines(read_table("geography")["countries"]))


@cache
def outside(language: str) -> Outside:
    """Out-of-scope questions in a language, ``en`` or ``vi``."""
    table = read_table(f"outside_{language}")
    groups = tuple(
        Group(group.get("id", "topic"), lines(group["forms"]), tuple(TOPIC_COMMA.split(group["topics"].strip())))
        for group in table["group"]
    )
    return Outside(lines(table["questions"]), groups, lines(table["answers"]), lines(table["answers_sum"]))


@cache
def phrasings(name: str) -> tuple[str, ...]:
    """Ways to ask, by the name of the list."""
    return lines(read_table("phrasings")[name])


@cache
def words() -> dict[str, Any]:
    """Translations, names, system prompts and the story parts."""
    return read_table("words")
