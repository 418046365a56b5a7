"""Every wording the generator can draw, before the noise of typing."""

import re
from collections.abc import Iterator
from itertools import product

from training.chat import content


def normalised(text: str) -> str:
    """The text as it is compared: lower case, words only."""
    return re.sub(r"[^\w]+", " ", text.lower()).strip()


def filled(patterns: tuple[str, ...], slot: str, values: list[str]) -> Iterator[str]:
    """The patterns with every value in their slot."""
    for pattern in patterns:
        for wording, value in product(content.wordings(pattern), values):
            yield wording.replace(f"{{{slot}}}", value)


def declined_wordings(language: str) -> Iterator[str]:
    """Every out-of-scope question of a language."""
    outside = content.outside(language)
    for pattern in outside.questions:
        yield from content.wordings(pattern)
    for group in outside.groups:
        topics = [wording for topic in group.topics for wording in content.wordings(topic)]
        yield from filled(group.forms, "x", topics)


def scope_wordings() -> Iterator[str]:
    """Every question inside the scope, sums and names left out."""
    english = [name for term in content.terms() for name in term.names]
    vietnamese = [name for term in content.terms() for name in term.names_vi]
    for list_name, names in (("definition", english), ("simple", english), ("and_term", english)):
        yield from filled(content.phrasings(f"{list_name}_en"), "t", names)
    for list_name in ("definition_vi", "simple_vi", "and_term_vi"):
        yield from filled(content.phrasings(list_name), "t", vietnamese)
    countries = content.countries()
    yield from filled(content.phrasings("capital_en"), "c", [country.name for country in countries])
    yield from filled(content.phrasings("capital_vi"), "c", [country.name_vi for country in countries])
    yield from filled(content.phrasings("country_en"), "p", [country.capital for country in countries])
    yield from filled(content.phrasings("country_vi"), "p", [country.capital_vi for country in countries])
    pairs = [line.split(" : ") for line in content.lines(content.words()["translations"])]
    yield from filled(content.phrasings("word_to_vi"), "w", [english for english, _ in pairs])
    yield from filled(content.phrasings("word_to_en"), "w", [vietnamese for _, vietnamese in pairs])
    for language in ("en", "vi"):
        for patterns in content.asks(language).values():
            for pattern in patterns:
                yield from content.wordings(pattern)
        yield from (words for _, words in content.everyday(language))
        for intent in content.intents(language):
            for pattern in intent.questions:
                yield from content.wordings(pattern)
