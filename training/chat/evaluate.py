"""Pip's exam: ``python -m training.chat.evaluate --model FOLDER`` asks held-out questions and counts right answers."""

import argparse
import json
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from training.chat import content
from training.chat.dialogues import Turn
from training.chat.outside import read_clinc
from training.chat.runtime import ExportedModel
from training.console import say

SETS = ("talk_en", "talk_vi", "knowledge_en", "knowledge_vi", "outside_en", "outside_vi", "dialogues", "sums")
LANGUAGES = ("en", "vi")
CLINC_SAMPLE = 200
GREETINGS = ("intent:hello", "intent:how", "intent:morning", "intent:evening")
SYSTEM_PROMPT = "You are a helpful assistant of a school. Stay polite."


@dataclass(frozen=True)
class Question:
    """What the user says turn by turn, and which kinds of last answer are right."""

    language: str
    turns: tuple[str, ...]
    expect: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """How a set of questions went."""

    name: str
    right: int
    asked: int
    missed: tuple[tuple[str, str], ...] = ()

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / self.asked if self.asked else 0.0


def read_questions(name: str) -> list[Question]:
    """A committed set of questions."""
    text = resources.files("training.chat").joinpath("evaluation", f"{name}.jsonl").read_text(encoding="utf-8")
    rows = (json.loads(line) for line in text.splitlines())
    return [Question(row["language"], tuple(row["turns"]), tuple(row["expect"])) for row in rows]


def right_answers(expectation: str, language: str) -> frozenset[str]:
    """The answers accepted by ``intent:x``, ``term:x``, ``simple:x``, ``vi:x``, ``exact:x`` or ``declined``."""
    kind, _, value = expectation.partition(":")
    if kind == "intent":
        found = [intent.answers for intent in content.intents(language) if intent.id == value]
        return frozenset(found[0])
    if kind in ("term", "simple", "vi"):
        field = {"term": "english", "simple": "simple", "vi": "vietnamese"}[kind]
        return frozenset(getattr(term, field) for term in content.terms() if term.names[0] == value)
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
    """Whether a text has any word; the answer to a sum has none and so is in no language."""
    return re.search(r"[^\W\d_]{2}", text) is not None


def is_vietnamese(text: str) -> bool:
    """Whether a text has Vietnamese letters outside quotation marks."""
    outside_quotes = "".join(text.split('"')[::2])
    return any(
        letter in "đĐ" or unicodedata.combining(letter) for letter in unicodedata.normalize("NFD", outside_quotes)
    )


def hold(model: ExportedModel, turns: Sequence[str], system: str | None = None) -> str:
    """Say the turns one by one, with the model's own answers between; the last answer."""
    conversation: list[Turn] = [("system", system)] if system else []
    answer = ""
    for turn in turns:
        conversation.append(("user", turn))
        answer = model.answer(conversation)
        conversation.append(("assistant", answer))
    return answer


def examine(
    model: ExportedModel, name: str, questions: Sequence[Question], system: str | None = None
) -> tuple[Result, Result]:
    """Ask questions: how many answers were right, and how many in the language of the question."""
    right, worded, same_language = 0, 0, 0
    missed: list[tuple[str, str]] = []
    for question in questions:
        answer = hold(model, question.turns, system)
        if has_words(answer):
            worded += 1
            same_language += is_vietnamese(answer) == (question.language == "vi")
        if is_right(answer, question):
            right += 1
        else:
            missed.append((" / ".join(question.turns), answer))
    return Result(name, right, len(questions), tuple(missed)), Result(name, same_language, worded)


def clinc_questions(path: Path) -> Iterator[tuple[str, list[Question]]]:
    """Human questions of CLINC150's test split: small talk, and a sample of what must be declined."""
    extra = read_clinc(path, "test")
    yield (
        "clinc_talk",
        [
            Question("en", (text,), GREETINGS if intent == "hello" else (f"intent:{intent}",))
            for intent, text in extra.talk
        ],
    )
    declined = random.Random(0).sample(extra.declined, CLINC_SAMPLE)
    yield "clinc_outside", [Question("en", (text,), ("declined", "declined_sum")) for text in declined]


def evaluate(folder: Path, clinc: Path | None = None, limit: int | None = None) -> list[Result]:
    """All results of an exported folder, from at most that many questions of each set."""
    model = ExportedModel(folder)
    results, languages = [], []
    for name in SETS:
        result, language = examine(model, name, read_questions(name)[:limit])
        results.append(result)
        languages.append(language)
    for name, questions in clinc_questions(clinc) if clinc else ():
        results.append(examine(model, name, questions[:limit])[0])
    steered, _ = examine(model, "knowledge_en, system prompt", read_questions("knowledge_en")[:limit], SYSTEM_PROMPT)
    results.append(steered)
    same = sum(language.right for language in languages)
    results.append(Result("language of the answer", same, sum(language.asked for language in languages)))
    return results


def render_table(results: dict[str, list[Result]]) -> str:
    """A Markdown table with one column for each model."""
    names = list(results)
    rows = [f"| set | questions | {' | '.join(names)} |", f"|---|--:|{'--:|' * len(names)}"]
    for parts in zip(*results.values(), strict=True):
        shares = " | ".join(f"{part.share:.1%}" for part in parts)
        rows.append(f"| {parts[0].name} | {parts[0].asked} | {shares} |")
    return "\n".join(rows)


def model_folders(folder: Path) -> dict[str, Path]:
    """The model folders under a folder, or the folder itself."""
    if (folder / "genai_config.json").exists():
        return {folder.name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/genai_config.json"))}


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.chat.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="an exported model, or a folder of several")
    parser.add_argument("--clinc", type=Path, help="CLINC150's data_full.json: adds its test split")
    parser.add_argument("--missed", action="store_true", help="show the questions that went wrong")
    options = parser.parse_args(arguments)
    results = {name: evaluate(path, options.clinc) for name, path in model_folders(options.model).items()}
    if options.missed:
        for name, parts in results.items():
            for part in parts:
                for question, answer in part.missed:
                    say(f"{name} {part.name}: {question} -> {answer}")
    say(render_table(results))


if __name__ == "__main__":
    main()
