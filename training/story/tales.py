"""Stories from a grammar, and the conversations in which they are told."""

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from training.chat.content import lines, phrase
from training.chat.exchange import Turn, article, capitalised, chosen
from training.chat.noise import roughen

LANGUAGES = ("en", "vi")
ANY_MOOD = "any"


@dataclass(frozen=True)
class Plot:
    """What happens in a story: its steps in order, ways to end it, and the moods it suits."""

    moods: tuple[str, ...]
    steps: tuple[str, ...]
    ends: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What a story was asked to hold: anything that is None is the teller's choice."""

    language: str
    hero: str | None = None
    thing: str | None = None
    mood: str = ANY_MOOD


@cache
def table(language: str) -> dict[str, Any]:
    """The parsed grammar of a language, ``en`` or ``vi``."""
    return tomllib.loads(resources.files(__package__).joinpath(f"tales_{language}.toml").read_text(encoding="utf-8"))


@cache
def words(language: str, name: str) -> tuple[str, ...]:
    """A list of the grammar: heroes, names, traits, places, things or helpers."""
    return tuple(table(language)[name].split(", "))


@cache
def plots(language: str, mood: str) -> tuple[Plot, ...]:
    """The plots that suit a mood."""
    found = [
        Plot(tuple(entry["moods"].split(", ")), lines(entry["steps"]), lines(entry["ends"]))
        for entry in table(language)["plot"]
    ]
    return tuple(plot for plot in found if mood in plot.moods)


@cache
def questions(language: str, kind: str) -> tuple[str, ...]:
    """Ways to ask of one kind: free, hero, both, mood, talk, thanks or other."""
    return lines(table(language)["questions"][kind])


@cache
def moods(language: str) -> dict[str, str]:
    """The words of a language for the moods, and the mood that each of them means."""
    spoken = table(language)["questions"]["moods"].split(", ")
    return dict(zip(spoken, ("funny", "sad", "bedtime"), strict=True))


def bare(thing: str) -> str:
    """A thing without its English article."""
    return thing.removeprefix("an ").removeprefix("a ")


def title(name: str, hero: str, thing: str, language: str) -> str:
    """What a story is called. All that must stay the same is chosen here once; so small a model loses it otherwise."""
    if language == "en":
        return f"{name} the {hero} and the {bare(thing)}"
    return capitalised(f"{hero} {name} và {thing}")


def tell(request: Request, source: random.Random) -> str:
    """A title, and a story of about six sentences that holds what was asked for."""
    language = request.language
    plot = source.choice(plots(language, request.mood))

    def pick(name: str) -> str:
        return source.choice(words(language, name))

    hero, thing, trait = request.hero or pick("heroes"), request.thing or pick("things"), pick("traits")
    name = pick("names")
    slots = {
        "h": hero,
        "n": name,
        "t": trait,
        "at": f"{article(trait)} {trait}",
        "At": f"{article(trait)} {trait}".capitalize(),
        "p": pick("places"),
        "o": thing,
        "oo": bare(thing),
        "f": pick("helpers"),
    }
    opening = source.choice(lines(table(language)["openings"]))
    sentences = (opening, *plot.steps, source.choice(plot.ends))
    told = " ".join(capitalised(fill(phrase(sentence, source), slots)) for sentence in sentences)
    return f"{title(name, hero, thing, language)}\n\n{told}"


def fill(sentence: str, slots: dict[str, str]) -> str:
    """The sentence with its slots filled."""
    for name, value in slots.items():
        sentence = sentence.replace(f"{{{name}}}", value)
    return sentence


class Tales:
    """Endless conversations with the storyteller, as `training.chat.dialogues.Dialogues` makes them with Pip."""

    def __init__(self, seed: int, held_out: bool = False) -> None:
        self.random = random.Random(seed)
        self.held_out = held_out

    def conversations(self, count: int) -> Iterator[list[Turn]]:
        """That many conversations, each a list of (role, text)."""
        for _ in range(count):
            yield self.conversation()

    def conversation(self) -> list[Turn]:
        """One to three exchanges in one language."""
        language = self.random.choices(LANGUAGES, (60, 40))[0]
        turns: list[Turn] = []
        for _ in range(self.random.choices((1, 2, 3), (74, 18, 8))[0]):
            question, answer = self.exchange(language)
            turns += [("user", roughen(question, language, self.random)), ("assistant", answer)]
        return turns

    def exchange(self, language: str) -> tuple[str, str]:
        """A question and its answer."""
        kind = self.random.choices(
            ("free", "hero", "both", "mood", "talk", "thanks", "other"), (14, 32, 30, 12, 4, 3, 8)
        )[0]
        if kind in ("talk", "thanks", "other"):
            asked = phrase(self.random.choice(chosen(questions(language, kind), self.held_out)), self.random)
            return asked, str(table(language)["questions"][f"{kind}_answer"])
        question, request = self.ask(language, kind)
        return question, tell(request, self.random)

    def ask(self, language: str, kind: str) -> tuple[str, Request]:
        """A wording that asks for a story, and what it asks for."""
        pattern = phrase(self.random.choice(chosen(questions(language, kind), self.held_out)), self.random)
        hero, thing = (self.random.choice(words(language, name)) for name in ("heroes", "things"))
        spoken = self.random.choice(tuple(moods(language)))
        question = fill(pattern, {"ah": f"{article(hero)} {hero}", "h": hero, "o": thing, "m": spoken})
        asks_hero = "{h}" in pattern or "{ah}" in pattern
        return question, Request(
            language,
            hero if asks_hero else None,
            thing if "{o}" in pattern else None,
            moods(language)[spoken] if "{m}" in pattern else ANY_MOOD,
        )
