"""How people really type: no capitals, missing marks, small words before and after, a typo now and then."""

import random
import re
import unicodedata
from functools import cache

from training.chat.content import phrasings, synonyms

REWORDED_SHARES = (0.6, 0.4)
# Spellings, in every question; what means the same in a question of small talk is in content/synonyms.toml.
SWAPS = (
    ("explain", "describe"),
    ("give me", "show me"),
    ("what is", "what's"),
    ("What is", "What's"),
    ("What is", "what is"),
    ("please", "pls"),
    ("do you know", "can you say"),
    ("you", "u"),
    ("your", "ur"),
    ("are", "r"),
)
# fmt: off
SMALL_WORDS = frozenset((
    "a", "an", "the", "is", "are", "do", "does", "of", "to", "in", "me", "my", "your", "can", "i", "it", "for",
    "please", "so", "and",
))
# fmt: on


def roughen(question: str, language: str, random_source: random.Random) -> str:
    """The question as somebody in a hurry may type it."""
    question = surround(question, language, random_source)
    if random_source.random() < 0.12:
        old, new = random_source.choice(SWAPS)
        question = question.replace(old, new, 1) if f" {old} " in f" {question} " else question
    if random_source.random() < 0.08:
        question = without_small_word(question, random_source)
    if language == "vi" and random_source.random() < 0.1:
        question = without_marks(question)
    draw = random_source.random()
    if draw < 0.22:
        question = question.lower()
    elif draw < 0.24 and len(question) < 40:
        question = question.upper()
    elif draw < 0.6:
        question = question[:1].upper() + question[1:]
    if random_source.random() < 0.2:
        question = question.rstrip("?.! ")
    if random_source.random() < 0.06:
        question = with_typo(question, random_source)
    return question.strip() or "?"


@cache
def known_words(language: str) -> re.Pattern[str]:
    """Finds what has synonyms, the longest first."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(synonyms(language), key=len, reverse=True))})(?!\w)", re.IGNORECASE)


def reworded(question: str, language: str, random_source: random.Random) -> str:
    """The question with a word or two exchanged for what means the same, sometimes."""
    for share in REWORDED_SHARES:
        found = list(known_words(language).finditer(question))
        if not found or random_source.random() >= share:
            break
        place = random_source.choice(found)
        other = random_source.choice(synonyms(language)[place.group().lower()])
        other = other[:1].upper() + other[1:] if place.group()[0].isupper() else other
        question = question[: place.start()] + other + question[place.end() :]
    return question


def surround(question: str, language: str, random_source: random.Random) -> str:
    """The question with an opening or a closing around it, sometimes."""
    draw = random_source.random()
    if draw < 0.12:
        opening = random_source.choice(phrasings(f"opening_{language}"))
        keeps_capital = question.startswith(("I ", "I'")) or question[:2].isupper()
        lowered = question if keeps_capital else question[:1].lower() + question[1:]
        return f"{opening}{random_source.choice((' ', ', ', ': '))}{lowered}"
    if draw < 0.19:
        closing = random_source.choice(phrasings(f"closing_{language}"))
        return f"{question.rstrip('.?! ')}{random_source.choice((', ', ' ', '? '))}{closing}"
    return question


def without_marks(question: str) -> str:
    """Vietnamese as typed without its diacritics."""
    letters = unicodedata.normalize("NFD", question.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def without_small_word(question: str, random_source: random.Random) -> str:
    """The question with one small word left out."""
    parts = question.split(" ")
    places = [index for index, part in enumerate(parts) if part.lower() in SMALL_WORDS]
    if len(parts) > 3 and places:
        del parts[random_source.choice(places)]
    return " ".join(parts)


def with_typo(question: str, random_source: random.Random) -> str:
    """The question with one letter lost, or two letters exchanged; digits stay as they are."""
    if len(question) < 8:
        return question
    place = random_source.randrange(1, len(question) - 2)
    pair = question[place : place + 2]
    if any(not letter.isalpha() for letter in pair):
        return question
    return question[:place] + (pair[1] + pair[0] if random_source.random() < 0.5 else pair[1]) + question[place + 2 :]
