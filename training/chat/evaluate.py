"""Hold Pip's exam with exported folders; ``python -m training.evaluate`` is the command."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from training.chat.candidate import SETTINGS, Candidate, Sitting, unheard
from training.chat.exam import LANGUAGES, SETS, Mark, Question, read_questions
from training.chat.outside import read_clinc

CLINC_SAMPLE = 200
GREETINGS = ("intent:hello", "intent:how", "intent:morning", "intent:evening")
SYSTEM_PROMPT = "You are a helpful assistant of a school. Stay polite."
STEERED = "terms, with a system prompt"
TIMED = 20


def clinc_questions(path: Path) -> list[list[Question]]:
    """Human questions of CLINC150's test split: small talk, and a sample of what must be declined."""
    extra = read_clinc(path, "test")
    talk = [
        Question("CLINC150: talk", "en", (text,), GREETINGS if intent == "hello" else (f"intent:{intent}",))
        for intent, text in extra.talk
    ]
    declined = random.Random(0).sample(extra.declined, CLINC_SAMPLE)
    return [talk, [Question("CLINC150: declined", "en", (text,), ("declined", "declined_sum")) for text in declined]]


def steered_questions() -> list[Question]:
    """The English questions for terms once more, under a system prompt that should change nothing."""
    english = [question for question in read_questions("terms") if question.language == "en"]
    return [replace(question, topic=STEERED, system=SYSTEM_PROMPT) for question in english]


def exam_questions(clinc: Path | None = None, limit: int | None = None) -> list[Question]:
    """The whole exam, or at most that many questions of each set and language."""
    sets: list[Sequence[Question]] = [*map(read_questions, SETS), steered_questions()]
    sets += clinc_questions(clinc) if clinc else []
    by_language = [
        [question for question in questions if question.language == language]
        for questions in sets
        for language in LANGUAGES
    ]
    return [question for questions in by_language for question in questions[:limit]]


def evaluate(
    folder: Path,
    clinc: Path | None = None,
    limit: int | None = None,
    report: Callable[[str], None] = unheard,
    threads: int = 0,
) -> Sitting:
    """The marks of an exported folder in every setting, and how fast it answers one question at a time."""
    questions = exam_questions(clinc, limit)

    def tell(setting: str, done: int) -> None:
        report(f"{folder.name}, {setting}: {done} of {len(questions)}")

    with Candidate(folder, threads) as candidate:
        speed = candidate.time(question.turns[0] for question in questions[:TIMED])
        marks: dict[str, tuple[Mark, ...]] = {}
        for setting in SETTINGS:
            marks[setting] = candidate.sit(questions, setting, partial(tell, setting))
    return Sitting(marks, speed)


def model_folders(folder: Path) -> dict[str, Path]:
    """The model folders under a folder, or the folder itself."""
    if (folder / "genai_config.json").exists():
        return {folder.name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/genai_config.json"))}
