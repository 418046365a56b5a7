"""Conversations for training, drawn from the content with one seeded source of randomness."""

import itertools
import math
import random
from collections.abc import Callable, Iterator

from training.chat import content
from training.chat.content import Country, Group, Intent, Term, phrase, phrasings
from training.chat.exchange import PAGES, Exchange, Turn, article, capitalised, chosen
from training.chat.names import as_typed, drawn_name
from training.chat.noise import reworded, roughen, without_marks
from training.chat.outside import OutsideQuestions
from training.chat.sums import Sums

LENGTHS = {1: 72, 2: 10, 3: 5, 4: 4, 5: 3, 6: 2, 7: 2, 8: 2}
INTENT_SHARES = {"guide": 1.0, "fact": 1.0, "list": 0.6}
SMALL_TALK_SHARE = 1.2
HARD_TIMES = 2


def intent_weight(intent: Intent) -> float:
    """How often an intent comes: more wordings, more often; what people come to ask more often than facts."""
    kind = intent.id.partition("_")[0]
    return min(160, 6 + len(intent.questions)) * INTENT_SHARES.get(kind, SMALL_TALK_SHARE)


def group_weight(group: Group) -> float:
    """How often questions of a group come: more topics, more often; a sum stands for many."""
    return math.sqrt(len(group.topics)) * (4 if group.kind == "sum" else 1)


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
    """Endless conversations. The same seed gives the same ones; those `held_out` ask in wordings that no other has.

    Of the patterns for one answer those that are ``hard`` come `HARD_TIMES` as often as the others.
    """

    def __init__(
        self,
        seed: int,
        extra: OutsideQuestions | None = None,
        held_out: bool = False,
        hard: frozenset[str] = frozenset(),
    ) -> None:
        self.random = random.Random(seed)
        self.extra = extra or OutsideQuestions()
        self.held_out, self.hard = held_out, hard
        self.sums = Sums(self.random, held_out)
        self.summed: dict[tuple[str, ...], list[int]] = {}
        self.intent_weights = {
            language: [self.hardness(intent.questions) * intent_weight(intent) for intent in content.intents(language)]
            for language in PAGES
        }
        self.tasks: dict[Callable[[], Exchange], float] = {
            self.definition: 25,
            self.simple_definition: 4,
            self.simple_definition_vi: 3,
            self.definition_vi: 17,
            self.capital: 5,
            self.capital_vi: 5,
            self.country: 4,
            self.sums.small: 7,
            self.sums.large: 6,
            self.translation: 7,
            self.talk: 100,
            self.talk_vi: 62,
            self.everyday: 5,
            self.everyday_vi: 4,
            self.outside: 62,
            self.outside_vi: 40,
            self.story: 1,
        }
        if self.extra.talk:
            self.tasks[self.human_talk] = 3
        if self.extra.declined:
            self.tasks[self.human_outside] = 10

    def conversations(self, count: int) -> Iterator[list[Turn]]:
        """That many conversations, each a list of (role, text)."""
        for _ in range(count):
            yield self.conversation()

    def conversation(self) -> list[Turn]:
        """One conversation of one to eight exchanges, sometimes with a system prompt."""
        special = (self.memory, self.memory, self.memory, self.next_country, self.next_term, self.simpler)
        if self.random.random() < 0.2:
            turns = self.random.choice(special)()
            room = max(LENGTHS) - len(turns) // 2
            if room and self.random.random() < 0.3:
                turns = self.exchanges(self.random.randint(1, room), None) + turns
        else:
            turns = self.exchanges(self.random.choices(tuple(LENGTHS), tuple(LENGTHS.values()))[0], None)
        if self.random.random() < 0.15:
            prompts = content.lines(content.words()["system_prompts"])
            picked = self.random.sample(prompts, self.random.choice((1, 1, 2)))
            turns.insert(0, ("system", " ".join(phrase(prompt, self.random) for prompt in picked)))
        return turns

    def exchanges(self, count: int, language: str | None) -> list[Turn]:
        """Independent exchanges, mostly in one language."""
        turns: list[Turn] = []
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
        return self.random.choice(chosen(phrasings(name), self.held_out))

    def pick(self, patterns: tuple[str, ...]) -> str:
        """One of the patterns for one answer; hard ones more often."""
        part = chosen(patterns, self.held_out)
        if part not in self.summed:
            self.summed[part] = list(itertools.accumulate(HARD_TIMES if text in self.hard else 1 for text in part))
        return self.random.choices(part, cum_weights=self.summed[part])[0]

    def hardness(self, patterns: tuple[str, ...]) -> float:
        """How much more often these patterns come than if none of them were hard."""
        return 1 + (HARD_TIMES - 1) * sum(text in self.hard for text in patterns) / len(patterns)

    def definition(self) -> Exchange:
        """What a term means, in English."""
        term = self.random.choice(content.terms())
        return Exchange(self.asked(term, "en"), term.english)

    def simple_definition(self) -> Exchange:
        """What a term means, in simple English."""
        term = self.random.choice(content.terms())
        name = spoken_name(term, self.random)
        return Exchange(capitalised(with_term(self.choose("simple_en"), name, self.random)), term.simple)

    def simple_definition_vi(self) -> Exchange:
        """What a term means, in simple Vietnamese."""
        term = self.random.choice(content.terms())
        question = with_term(self.choose("simple_vi"), self.random.choice(term.names_vi), self.random)
        return Exchange(capitalised(question), term.simple_vietnamese, "vi")

    def definition_vi(self) -> Exchange:
        """What a term means, in Vietnamese."""
        term = self.random.choice(content.terms())
        return Exchange(self.asked(term, "vi"), term.vietnamese, "vi")

    def asked(self, term: Term, language: str) -> str:
        """A question for a term: half of the time in a wording of its own, where it has any."""
        own = content.asks(language).get(term.names[0], ())
        if own and self.random.random() < 0.65:
            return capitalised(phrase(self.pick(own), self.random))
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

    def translation(self) -> Exchange:
        """A common word in the other language, in the language of the question."""
        english, vietnamese = self.random.choice(content.lines(content.words()["translations"])).split(" : ")
        forth = self.random.random() < 0.55
        word, meaning = (english, vietnamese) if forth else (vietnamese, english)
        pattern = self.choose("word_to_vi" if forth else "word_to_en")
        question, named = phrase(pattern, self.random).replace("{w}", word), capitalised(word)
        if without_marks(pattern) != pattern:
            return Exchange(question, f'"{named}" trong tiếng {"Việt" if forth else "Anh"} là "{meaning}".', "vi")
        return Exchange(question, f'"{named}" in {"Vietnamese" if forth else "English"} is "{meaning}".')

    def small_talk(self, language: str) -> Exchange:
        """Small talk or help in a language; intents with more wordings come more often."""
        intent = self.random.choices(content.intents(language), self.intent_weights[language])[0]
        question = phrase(self.pick(intent.questions), self.random)
        return Exchange(reworded(question, language, self.random), self.random.choice(intent.answers), language)

    def talk(self) -> Exchange:
        """English small talk."""
        return self.small_talk("en")

    def talk_vi(self) -> Exchange:
        """Vietnamese small talk."""
        return self.small_talk("vi")

    def said_daily(self, language: str) -> Exchange:
        """One of the short things that are said more often than all others."""
        wanted, words = self.random.choice(content.everyday(language))
        intent = next(intent for intent in content.intents(language) if intent.id == wanted)
        return Exchange(words + self.random.choice(("", "", "!", ".")), self.random.choice(intent.answers), language)

    def everyday(self) -> Exchange:
        """What is said day after day, in English."""
        return self.said_daily("en")

    def everyday_vi(self) -> Exchange:
        """What is said day after day, in Vietnamese."""
        return self.said_daily("vi")

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
        if self.random.random() < 0.65:
            question = phrase(self.pick(outside.questions), self.random)
            return Exchange(reworded(question, language, self.random), self.random.choice(outside.answers), language)
        group = self.random.choices(outside.groups, [group_weight(group) for group in outside.groups])[0]
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
        """A story is wanted: Fable tells them."""
        language = self.random.choice(("en", "en", "vi"))
        page = PAGES[language]
        pattern = phrase(self.random.choice(content.lines(content.words()["story"][f"questions{page}"])), self.random)
        hero = self.random.choice(content.words()["story"][f"heroes{page}"].split(", "))
        question = pattern.replace("a {h}", f"{article(hero)} {hero}").replace("{h}", hero)
        answers = next(intent.answers for intent in content.intents(language) if intent.id == "guide_story")
        return Exchange(question, self.random.choice(answers), language)

    def memory(self) -> list[Turn]:
        """The user tells a name or a favourite colour and asks for it later; now and then only asks."""
        language = self.random.choice(("en", "vi"))
        table, page = content.words(), PAGES[language]
        kind = self.random.choice(("name", "name", "colour"))
        given = phrase(self.choose(f"{kind}_given_{language}"), self.random)
        if kind == "name":
            value = as_typed(drawn_name(language, self.random), given, self.random)
        else:
            value = self.random.choice(table[f"colours{page}"].split(", "))
        asked = phrase(self.choose(f"{kind}_asked_{language}"), self.random)
        if self.random.random() < 0.06:
            return [("user", asked), ("assistant", table[f"{kind}_unknown{page}"])]
        answer, told = (table[f"{kind}_{form}{page}"].replace("{n}", value) for form in ("answer", "told"))
        turns: list[Turn] = [("user", given.replace("{n}", value)), ("assistant", answer)]
        turns += self.exchanges(self.random.choice((0, 0, 1, 2, 3, 4, 5, 6)), language)
        return [*turns, ("user", asked), ("assistant", told)]

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
        name = spoken_name(second, self.random) if language == "en" else self.random.choice(second.names_vi)
        follow = capitalised(with_term(self.choose(f"and_term_{language}"), name, self.random))
        answers = [term.english if language == "en" else term.vietnamese for term in (first, second)]
        turns: list[Turn] = [("user", self.asked(first, language)), ("assistant", answers[0])]
        return [*turns, ("user", follow), ("assistant", answers[1])]

    def simpler(self) -> list[Turn]:
        """A definition, then a simpler one on request."""
        term, language = self.random.choice(content.terms()), self.random.choice(("en", "en", "vi"))
        answers = (term.english, term.simple) if language == "en" else (term.vietnamese, term.simple_vietnamese)
        request = phrase(self.choose(f"simpler_{language}"), self.random)
        turns: list[Turn] = [("user", self.asked(term, language)), ("assistant", answers[0])]
        return [*turns, ("user", request), ("assistant", answers[1])]
