"""The words Pip can know: those of its answers. Anything else it writes is garbled."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from functools import cache

from training.chat import content

FRAMES = (
    "x",
    "The capital of is",
    "Thủ đô của là",
    "in Vietnamese is",
    "in English is",
    "trong tiếng Việt là",
    "trong tiếng Anh là",
)
SLOT = re.compile(r"\{\w\}")
BROKEN = "\N{REPLACEMENT CHARACTER}"


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; numbers and signs are none."""
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text).lower())


def texts_of(value: object) -> Iterator[str]:
    """Every text in nested tables, lists and tuples."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_of(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts_of(part)


@cache
def known_words() -> frozenset[str]:
    """Every word of the project's answers in both languages, with the names and colours it repeats."""
    texts = [*FRAMES, *texts_of(content.words())]
    texts += [text for term in content.terms() for text in texts_of(astuple(term))]
    texts += [text for country in content.countries() for text in texts_of(astuple(country))]
    for language in ("en", "vi"):
        outside = content.outside(language)
        texts += [*outside.answers, *outside.answers_sum]
        texts += [answer for intent in content.intents(language) for answer in intent.answers]
    return frozenset(word for text in texts for word in words_of(SLOT.sub(" ", text)))


def strange_words(answers: Iterable[str], questions: Iterable[str]) -> tuple[str, ...]:
    """Words of the answers that are in no answer of the project and in none of the questions, and broken letters."""
    asked = {word for text in questions for word in words_of(text)}
    found = [word for text in answers for word in words_of(text) if word not in known_words() and word not in asked]
    return (*dict.fromkeys(found), *(BROKEN for text in answers if BROKEN in text))
