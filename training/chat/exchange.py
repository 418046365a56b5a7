"""A question with its answer, which wordings are kept back, and which answers are as right as one another."""

import zlib
from dataclasses import dataclass
from functools import cache

from training.chat import content

Turn = tuple[str, str]
PAGES = {"en": "", "vi": "_vi"}
HELD_OUT_OF = 16
PLAIN = 3


@dataclass(frozen=True)
class Exchange:
    """A question, its answer and the language both are in."""

    question: str
    answer: str
    language: str = "en"


@cache
def chosen(patterns: tuple[str, ...], held_out: bool) -> tuple[str, ...]:
    """The patterns to learn from, or the one in sixteen that is kept back to judge by; all, where one part is empty.

    The first ones are the plain words that everybody uses, and are never kept back.
    """
    kept_back = {text for text in patterns[PLAIN:] if zlib.crc32(text.encode()) % HELD_OUT_OF == 0}
    part = tuple(text for text in patterns if (text in kept_back) is held_out)
    return part or patterns


@cache
def answers_alike() -> dict[str, tuple[str, ...]]:
    """For each answer that has others beside it, all that would be as right."""
    alike: dict[str, tuple[str, ...]] = {}
    for language in PAGES:
        outside = content.outside(language)
        replies = (intent.answers for intent in content.intents(language))
        for answers in (outside.answers, outside.answers_sum, *replies):
            alike |= dict.fromkeys(answers, answers)
    return alike


def as_right(answer: str) -> tuple[str, ...]:
    """The answer and all that would be as right."""
    return answers_alike().get(answer, (answer,))


def article(word: str) -> str:
    """The article of an English word, a or an."""
    return "an" if word[0] in "aeiou" else "a"


def capitalised(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
