"""Pip's exam: questions written for it only, and what counts as a right answer."""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources

from training.chat import content
from training.chat.lexicon import strange_words

IN_SCOPE = ("terms", "guide", "talk", "facts", "capitals", "sums", "translations")
OUTSIDE = "outside"
DIALOGUES = "dialogues"
SETS = (*IN_SCOPE, OUTSIDE, DIALOGUES)
LANGUAGES = ("en", "vi")
EXPLANATIONS = {"term": "english", "simple": "simple", "vi": "vietnamese", "simple_vi": "simple_vietnamese"}


@dataclass(frozen=True)
class Question:
    """What the user says turn by turn, and which kinds of last answer are right."""

    topic: str
    language: str
    turns: tuple[str, ...]
    expect: tuple[str, ...]
    system: str = ""


@dataclass(frozen=True)
class Mark:
    """A question with the answers to all of its turns; the last one is judged."""

    question: Question
    answers: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the last answer meets one of the expectations."""
        return is_right(self.answers[-1], self.question)

    @property
    def worded(self) -> bool:
        """Whether the last answer has any word; the answer to a sum has none and so is in no language."""
        return has_words(self.answers[-1])

    @property
    def language_kept(self) -> bool:
        """Whether the last answer is in the language of the question."""
        return is_vietnamese(self.answers[-1]) == (self.question.language == "vi")

    @property
    def garbled(self) -> tuple[str, ...]:
        """Words of all answers that are neither among the project's own nor the user's."""
        return strange_words(self.answers, self.question.turns)


@cache
def read_questions(name: str, folder: str = "evaluation") -> tuple[Question, ...]:
    """A committed set of questions, of the exam or of another folder."""
    text = resources.files("training.chat").joinpath(folder, f"{name}.jsonl").read_text(encoding="utf-8")
    rows = (json.loads(line) for line in text.splitlines())
    return tuple(Question(name, row["language"], tuple(row["turns"]), tuple(row["expect"])) for row in rows)


@cache
def right_answers(expectation: str, language: str) -> frozenset[str]:
    """The answers accepted by ``intent:x``, ``term:x`` and its like, ``exact:x``, ``declined`` or ``declined_sum``."""
    kind, _, value = expectation.partition(":")
    if kind == "intent":
        return frozenset(
            answer for intent in content.intents(language) if intent.id == value for answer in intent.answers
        )
    if kind in EXPLANATIONS:
        return frozenset(getattr(term, EXPLANATIONS[kind]) for term in content.terms() if term.names[0] == value)
    if kind == "exact":
        return frozenset({value})
    outside = content.outside(language)
    return frozenset({"declined": outside.answers, "declined_sum": outside.answers_sum}[kind])


def is_right(answer: str, question: Question) -> bool:
    """Whether an answer meets one of the expectations."""
    for expectation in question.expect:
        if expectation.startswith("contains:"):
            if expectation.removeprefix("contains:").lower() in answer.lower():
                return True
        elif answer.strip() in right_answers(expectation, question.language):
            return True
    return False


def has_words(text: str) -> bool:
    """Whether a text has any word."""
    return re.search(r"[^\W\d_]{2}", text) is not None


def is_vietnamese(text: str) -> bool:
    """Whether a word that is no name has a Vietnamese letter, quoted words left out."""
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", "".join(text.split('"')[::2])))
    return any(word[0].islower() and is_marked(word) for word in words)


def is_marked(word: str) -> bool:
    """Whether a word has đ or a letter with a diacritic."""
    return any(letter in "đĐ" or unicodedata.combining(letter) for letter in unicodedata.normalize("NFD", word))
