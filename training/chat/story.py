"""Short stories from a small grammar."""

import random

from training.chat import content


def article(word: str) -> str:
    """The article of a word, a or an."""
    return "an" if word[0] in "aeiou" else "a"


def tell_story(random_source: random.Random, hero: str | None = None) -> str:
    """A story of five sentences about a hero."""
    parts = content.words()["story"]

    def pick(name: str) -> str:
        return random_source.choice(str(parts[name]).split(", "))

    hero = hero or pick("heroes")
    trait, place, thing, friend = pick("traits"), pick("places"), pick("things"), pick("friends")
    event, trouble, rescue = random_source.choice(content.lines(parts["turns"])).split(" | ")
    known = friend.split(" ", 1)[1]
    return (
        f"Once upon a time {article(trait)} {trait} {hero} lived {place}. "
        f"One day the {hero} {event.replace('{o}', thing)} but {trouble}. "
        f"Then {friend} came by, and together they {rescue}. "
        f"From that day on, the {hero} and the {known} were good friends. {pick('endings')}"
    )
