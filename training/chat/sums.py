"""Small sums, and larger ones that are declined, as people ask for them."""

import random

from training.chat import content
from training.chat.content import phrase, phrasings
from training.chat.exchange import PAGES, Exchange, chosen

SMALL, TIMES = 20, 10
OPERATIONS = {"+": "plus", "-": "minus", "x": "times"}


def is_learned(left: int, sign: str, right: int) -> bool:
    """Whether a sum is among those that are answered."""
    if sign == "x":
        return max(left, right) <= TIMES
    return max(left, right) <= SMALL and (sign == "+" or left >= right)


class Sums:
    """Endless sums, drawn with a source of randomness; those `held_out` ask in wordings that no other has."""

    def __init__(self, random_source: random.Random, held_out: bool) -> None:
        self.random = random_source
        self.held_out = held_out

    def wording(self, name: str) -> str:
        """A wording pattern of a named list."""
        return self.random.choice(chosen(phrasings(name), self.held_out))

    def small(self) -> Exchange:
        """A small sum: numbers up to twenty, or the times table up to ten."""
        sign = self.random.choice("++--x")
        top = TIMES if sign == "x" else self.random.choice((TIMES, SMALL))
        left, right = self.random.randint(0, top), self.random.randint(0, top)
        if sign == "-":
            left, right = max(left, right), min(left, right)
        value = {"+": left + right, "-": left - right, "x": left * right}[sign]
        question, language = self.question(left, sign, right)
        return Exchange(question, f"{left} {sign} {right} = {value}.", language)

    def large(self) -> Exchange:
        """A sum beyond what was learned, which is declined; one of its numbers may be small, or both."""
        while True:
            sign, left, right = self.random.choice("+-x"), self.number(), self.number()
            if not is_learned(left, sign, right):
                break
        question, language = self.question(left, sign, right)
        return Exchange(question, self.random.choice(content.outside(language).answers_sum), language)

    def number(self) -> int:
        """A small number as often as one of two digits, and as one of up to four."""
        lowest, highest = self.random.choice(((0, SMALL), (SMALL + 1, 99), (100, 9999)))
        return self.random.randint(lowest, highest)

    def question(self, left: int, sign: str, right: int) -> tuple[str, str]:
        """A question for a sum, and its language: around the sum as it is written, or around its two numbers."""
        language = "vi" if self.random.random() < 0.35 else "en"
        if self.random.random() < 0.3:
            pattern = phrase(self.wording(f"sum_{OPERATIONS[sign]}_{language}"), self.random)
            first, second = self.numbers(left, right, language)
            return pattern.replace("{a}", first).replace("{b}", second), language
        written = self.written(left, sign, right, language)
        return phrase(self.wording(f"sum_{language}"), self.random).replace("{e}", written), language

    def numbers(self, left: int, right: int, language: str) -> tuple[str, str]:
        """Two numbers in figures, or sometimes in words."""
        named = content.lines(content.words()[f"numbers{PAGES[language]}"])[0].split(", ")
        if max(left, right) < len(named) and self.random.random() < 0.4:
            return named[left], named[right]
        return str(left), str(right)

    def written(self, left: int, sign: str, right: int, language: str) -> str:
        """The sum as people write it."""
        spoken = {
            "en": {"+": "plus", "-": "minus", "x": "times"},
            "vi": {"+": "cộng", "-": "trừ", "x": "nhân"},
        }[language][sign]
        if self.random.random() < 0.3:
            first, second = self.numbers(left, right, language)
            return f"{first} {spoken} {second}"
        space = self.random.choice((" ", " ", ""))
        marks = {"+": ("+",), "-": ("-",), "x": ("x", "*", "×")}[sign]
        return f"{left}{space}{self.random.choice(marks)}{space}{right}"
