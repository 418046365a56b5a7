"""Names that users tell.

With a fixed list of names a network learns the list: a Pip that had met 135 names in English greeted 98 of 100 of these
rightly, and one of a hundred others. So most of the names are new each time, made of parts of two others, and only
repeating what was said answers rightly.
"""

import random

from training.chat import content
from training.chat.exchange import PAGES

LISTED = 0.4
"""How often a listed name comes."""
PAIRS = 0.3
"""Of Vietnamese names the share of pairs, such as Minh Anh; what is neither listed nor a pair is foreign."""
IN_SMALL_LETTERS = 0.1


def listed(language: str) -> list[str]:
    """The names of the list for a language."""
    names: list[str] = content.words()[f"names{PAGES[language]}"].split(", ")
    return names


def joined(first: str, second: str, random_source: random.Random) -> str:
    """The beginning of a name and the end of another, for instance Garissa of Gareth and Melissa."""
    return first[: random_source.randint(1, len(first))] + second[random_source.randint(1, len(second) - 1) :].lower()


def drawn_name(language: str, random_source: random.Random) -> str:
    """A name: a listed one or one that is new."""
    drawn = random_source.random()
    if drawn < LISTED:
        return random_source.choice(listed(language))
    first, second = random_source.sample(listed(language), 2)
    if language == "en":
        return joined(first, second, random_source)
    return f"{first.split()[0]} {second.split()[-1]}" if drawn < LISTED + PAIRS else drawn_name("en", random_source)


def as_typed(name: str, sentence: str, random_source: random.Random) -> str:
    """The name, sometimes in small letters, where the rest of the sentence tells that it is a name."""
    said_to_be_one = any(word in sentence for word in ("name", "tên", "ten"))
    return name.lower() if said_to_be_one and random_source.random() < IN_SMALL_LETTERS else name
