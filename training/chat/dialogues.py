"""Conversations for training, drawn from the content with one seeded source of randomness."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from training.chat import content
from training.chat.content import Country, Term, phrase, phrasings
from training.chat.noise import roughen
from training.chat.outside import OutsideQuestions
from training.chat.story import tell_story

Turn = tuple[str, str]
PAGES = {"en": "", "vi": "_vi"}


@dataclass(frozen=True)
class Exchange:
    """A question, its answer and the language both are in."""

    question: str
    answer: str
    language: str = "en"


def capitalised(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def spoken_name(term: Term, random_source: random.Random) -> str:
    """One of a term's names, sometimes in another case; the first name more often."""
    name = random_source.choice((term.names[0], *term.names))
    if name.islower() and len(name) <= 5 and random_source.random() < 0.3:
        return name.upper()
    return name.title() if name.islower() and random_source.random() < 0.08 else name


def with_term(pattern: str, name: str, random_source: random.Random) -> str:
    """The wording with the term in it, with a plausible article and plural."""
    wording = phrase(pattern, random_source).replace("{t}s", name if name.endswith("s") else name + "s")
    return wording.replace("{t}", name)


class Dialogues:
    """Endless training conversations. The same seed gives the same conversations."""

    def __init__(self, seed: int, extra: OutsideQuestions | None = None) -> None:
        self.random = random.Random(seed)
        self.extra = extra or OutsideQuestions()
        self.tasks: dict[Callable[[], Exchange], float] = {
            self.definition: 19,
            self.simple_definition: 5,
            self.definition_vi: 15,
            self.capital: 5,
            self.capital_vi: 4,
            self.country: 3,
            self.sum: 10,
            self.translation: 5,
            self.talk: 19,
            self.talk_vi: 14,
            self.outside: 17,
            self.outside_vi: 11,
            self.story: 2,
        }
        if self.extra.talk:
            self.tasks[self.human_talk] = 7
        if self.extra.declined:
            self.tasks[self.human_outside] = 10

    def conversations(self, count: int) -> Iterator[list[Turn]]:
        """That many conversations, each a list of (role, text)."""
        for _ in range(count):
            yield self.conversation()

    def conversation(self) -> list[Turn]:
        """One conversation of one to six exchanges, sometimes with a system prompt."""
        draw = self.random.random()
        special = (self.name_memory, self.next_country, self.next_term, self.simpler)
        turns = self.random.choice(special)() if draw < 0.13 else self.exchanges()
        if self.random.random() < 0.15:
            prompts = content.lines(content.words()["system_prompts"])
            picked = self.random.sample(prompts, self.random.choice((1, 1, 2)))
            turns.insert(0, ("system", " ".join(phrase(prompt, self.random) for prompt in picked)))
        return turns

    def exchanges(self) -> list[Turn]:
        """Independent exchanges, mostly in one language."""
        count = self.random.choices((1, 2, 3, 4, 5, 6), (66, 16, 8, 5, 3, 2))[0]
        turns: list[Turn] = []
        language: str | None = None
        for _ in range(count):
            exchange = self.exchange()
            for _ in range(3):
                if language in (None, exchange.language):
                    break
                exchange = self.exchange()
            language = exchange.language
            turns += [("user", exchange.question), ("assistant", exchange.answer)]
        return turns

    def exchange(self) -> Exchange:
        """One question with its answer, worded as people type."""
        task = self.random.choices(tuple(self.tasks), tuple(self.tasks.values()))[0]
        drawn = task()
        return Exchange(roughen(drawn.question, drawn.language, self.random), drawn.answer, drawn.language)

    def choose(self, name: str) -> str:
        """A wording pattern of a named list."""
        return self.random.choice(phrasings(name))

    def definition(self) -> Exchange:
        """What a term means, in English."""
        term = self.random.choice(content.terms())
        return Exchange(self.asked(term, "en"), term.english)

    def simple_definition(self) -> Exchange:
        """What a term means, in simple English."""
        term = self.random.choice(content.terms())
        name = spoken_name(term, self.random)
        return Exchange(capitalised(with_term(self.choose("simple_en"), name, self.random)), term.simple)

    def definition_vi(self) -> Exchange:
        """What a term means, in Vietnamese."""
        term = self.random.choice(content.terms())
        return Exchange(self.asked(term, "vi"), term.vietnamese, "vi")

    def asked(self, term: Term, language: str) -> str:
        """A question for a term: half of the time in a wording of its own, where it has any."""
        own = content.asks(language).get(term.names[0], ())
        if own and self.random.random() < 0.5:
            return capitalised(phrase(self.random.choice(own), self.random))
        name = spoken_name(term, self.random) if language == "en" else self.random.choice(term.names_vi)
        return capitalised(with_term(self.choose(f"definition_{language}"), name, self.random))

    def capital_of(self, country: Country, language: str) -> Exchange:
        """The capital of a given country."""
        name = country.name if language == "en" else country.name_vi
        question = phrase(self.choose(f"capital_{language}"), self.random).replace("{c}", name)
        if language == "en":
            return Exchange(capitalised(question), f"The capital of {name} is {country.capital}.")
        return Exchange(capitalised(question), f"Thủ đô của {name} là {country.capital_vi}.", "vi")

    def capital(self) -> Exchange:
        """The capital of a country, in English."""
        return self.capital_of(self.random.choice(content.countries()), "en")

    def capital_vi(self) -> Exchange:
        """The capital of a country, in Vietnamese."""
        return self.capital_of(self.random.choice(content.countries()), "vi")

    def country(self) -> Exchange:
        """The country of a capital, in either language."""
        country = self.random.choice(content.countries())
        if self.random.random() < 0.35:
            question = phrase(self.choose("country_vi"), self.random).replace("{p}", country.capital_vi)
            return Exchange(question, f"{country.capital_vi} là thủ đô của {country.name_vi}.", "vi")
        question = phrase(self.choose("country_en"), self.random).replace("{p}", country.capital)
        return Exchange(question, f"{country.capital} is the capital of {country.name}.")

    def sum(self) -> Exchange:
        """A small sum: up to two digits, or the times table."""
        sign = self.random.choice("++--x")
        top = 12 if sign == "x" else self.random.choice((10, 20, 99, 99))
        left, right = self.random.randint(0, top), self.random.randint(0, top)
        if sign == "-":
            left, right = max(left, right), min(left, right)
        value = {"+": left + right, "-": left - right, "x": left * right}[sign]
        language = "vi" if self.random.random() < 0.3 else "en"
        written = self.written_sum(left, sign, right, language)
        question = phrase(self.choose(f"sum_{language}"), self.random).replace("{e}", written)
        return Exchange(question, f"{left} {sign} {right} = {value}.", language)

    def written_sum(self, left: int, sign: str, right: int, language: str) -> str:
        """The sum as people write it."""
        spoken = {
            "en": {"+": "plus", "-": "minus", "x": "times"},
            "vi": {"+": "cộng", "-": "trừ", "x": "nhân"},
        }[language][sign]
        marks = {"+": ("+",), "-": ("-",), "x": ("x", "*", "×")}[sign]
        if self.random.random() < 0.3:
            return f"{left} {spoken} {right}"
        space = self.random.choice((" ", " ", ""))
        return f"{left}{space}{self.random.choice(marks)}{space}{right}"

    def translation(self) -> Exchange:
        """A common word in the other language."""
        english, vietnamese = self.random.choice(content.lines(content.words()["translations"])).split(" : ")
        if self.random.random() < 0.55:
            question = phrase(self.choose("word_to_vi"), self.random).replace("{w}", english)
            return Exchange(question, f'"{capitalised(english)}" in Vietnamese is "{vietnamese}".')
        question = phrase(self.choose("word_to_en"), self.random).replace("{w}", vietnamese)
        return Exchange(question, f'"{capitalised(vietnamese)}" in English is "{english}".')

    def small_talk(self, language: str) -> Exchange:
        """Small talk or help in a language; intents with more wordings come more often."""
        intents = content.intents(language)
        weights = [min(24, 6 + len(intent.questions)) for intent in intents]
        intent = self.random.choices(intents, weights)[0]
        question = phrase(self.random.choice(intent.questions), self.random)
        return Exchange(question, self.random.choice(intent.answers), language)

    def talk(self) -> Exchange:
        """English small talk."""
        return self.small_talk("en")

    def talk_vi(self) -> Exchange:
        """Vietnamese small talk."""
        return self.small_talk("vi")

    def human_talk(self) -> Exchange:
        """Small talk worded by people, from the optional extra questions."""
        wanted, question = self.random.choice(self.extra.talk)
        intent = next(intent for intent in content.intents("en") if intent.id == wanted)
        return Exchange(question, self.random.choice(intent.answers))

    def human_outside(self) -> Exchange:
        """An out-of-scope question worded by people, from the optional extra questions."""
        return Exchange(self.random.choice(self.extra.declined), self.random.choice(content.outside("en").answers))

    def declined(self, language: str) -> Exchange:
        """A question that is out of scope."""
        outside = content.outside(language)
        if self.random.random() < 0.45:
            return Exchange(
                phrase(self.random.choice(outside.questions), self.random),
                self.random.choice(outside.answers),
                language,
            )
        group = self.random.choices(outside.groups, [3 if group.kind == "topic" else 1 for group in outside.groups])[0]
        topic = self.invented_word() if self.random.random() < 0.08 else self.random.choice(group.topics)
        form = self.random.choice(group.forms).replace("{x}", topic)
        answers = outside.answers_sum if group.kind == "sum" else outside.answers
        return Exchange(phrase(form, self.random), self.random.choice(answers), language)

    def invented_word(self) -> str:
        """A word nobody knows, so that unknown words are declined."""
        syllables = [self.random.choice("bcdfghklmnprstvz") + self.random.choice("aeiou") for _ in range(4)]
        return "".join(syllables[: self.random.randint(2, 4)]) + self.random.choice(("", "n", "r", "st", "x", "ng"))

    def outside(self) -> Exchange:
        """An out-of-scope question in English."""
        return self.declined("en")

    def outside_vi(self) -> Exchange:
        """An out-of-scope question in Vietnamese."""
        return self.declined("vi")

    def story(self) -> Exchange:
        """A short story, free or about somebody."""
        parts = content.words()["story"]
        if self.random.random() < 0.3:
            question = phrase(self.random.choice(content.lines(parts["questions"])), self.random)
            return Exchange(question, tell_story(self.random))
        hero = self.random.choice(parts["heroes"].split(", "))
        form = self.random.choice(content.lines(parts["questions_about"]))
        question = phrase(form.replace("a {h}", f"{'an' if hero[0] in 'aeiou' else 'a'} {hero}"), self.random)
        return Exchange(question, tell_story(self.random, hero))

    def name_memory(self) -> list[Turn]:
        """The user says a name and asks for it later."""
        language = self.random.choice(("en", "en", "vi"))
        table, page = content.words(), PAGES[language]
        name = self.random.choice(table[f"names{page}"].split(", "))
        given = phrase(self.choose(f"name_given_{language}"), self.random).replace("{n}", name)
        greeting = content.lines(table[f"name_answers{page}"])[0].replace("{n}", name)
        turns: list[Turn] = [("user", given), ("assistant", greeting)]
        if self.random.random() < 0.4:
            between = self.small_talk(language)
            turns += [("user", between.question), ("assistant", between.answer)]
        asked = phrase(self.choose(f"name_asked_{language}"), self.random)
        answer = f"Your name is {name}." if language == "en" else f"Bạn tên là {name}."
        return [*turns, ("user", asked), ("assistant", answer)]

    def next_country(self) -> list[Turn]:
        """A capital, then another country with "And ...?"."""
        language = self.random.choice(("en", "vi"))
        first, second = self.random.sample(content.countries(), 2)
        start, target = self.capital_of(first, language), self.capital_of(second, language)
        name = second.name if language == "en" else second.name_vi
        follow = phrase(self.choose(f"and_country_{language}"), self.random).replace("{c}", name)
        return [("user", start.question), ("assistant", start.answer), ("user", follow), ("assistant", target.answer)]

    def next_term(self) -> list[Turn]:
        """A definition, then another term with "And ...?"."""
        language = self.random.choice(("en", "vi"))
        first, second = self.random.sample(content.terms(), 2)
        turns: list[Turn] = []
        for term, form in ((first, "definition"), (second, "and_term")):
            name = spoken_name(term, self.random) if language == "en" else self.random.choice(term.names_vi)
            question = capitalised(with_term(self.choose(f"{form}_{language}"), name, self.random))
            turns += [("user", question), ("assistant", term.english if language == "en" else term.vietnamese)]
        return turns

    def simpler(self) -> list[Turn]:
        """A definition, then a simpler one on request."""
        term = self.random.choice(content.terms())
        question = capitalised(with_term(self.choose("definition_en"), spoken_name(term, self.random), self.random))
        request = phrase(self.choose("simpler_en"), self.random)
        return [("user", question), ("assistant", term.english), ("user", request), ("assistant", term.simple)]
