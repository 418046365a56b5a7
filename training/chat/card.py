"""The model card, written from what was measured."""

import random
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from training.chat.candidate import GREEDY
from training.chat.exam import SETS, Mark
from training.chat.model import Shape
from training.chat.tally import Results, render_tables

MEBIBYTE = 2**20
BEGIN, END = "<!-- exam: begin -->", "<!-- exam: end -->"
SHOWN, SHOWN_SEED = 20, 20
DEFAULT_FORMS = ("int8", "int4", "fp32")


@dataclass(frozen=True)
class Training:
    """What the training took."""

    shape: Shape
    parameters: int
    tokens: int
    minutes: float
    steps: int
    human_questions: bool
    prose: bool
    earlier: bool
    shipped: str


def size_of(folder: Path) -> str:
    """The size of a folder's files in MiB."""
    return f"{sum(path.stat().st_size for path in folder.iterdir()) / MEBIBYTE:.1f} MiB"


def unselected(marks: tuple[Mark, ...]) -> list[Mark]:
    """The first twenty of the exam in an order that a seed decides, whatever was answered."""
    own = [mark for mark in marks if mark.question.topic in SETS]
    random.Random(SHOWN_SEED).shuffle(own)
    return own[:SHOWN]


def render_dialogue(mark: Mark) -> str:
    """A conversation as a quotation, and whether its last answer was right."""
    spoken = zip(mark.question.turns, mark.answers, strict=True)
    lines = [f"> **{asked}**  \n> {answered.replace(chr(10), '  ' + chr(10) + '> ')}" for asked, answered in spoken]
    return "\n>\n".join([*lines, f"> *({'right' if mark.right else 'wrong'})*"])


def exam_text(results: Results) -> str:
    """The tables of every form, and twenty dialogues with the form that is used unless another is chosen."""
    form = next(form for form in (*DEFAULT_FORMS, *results) if form in results)
    shown = "\n\n---\n\n".join(map(render_dialogue, unselected(results[form].marks[GREEDY])))
    return (
        f"{BEGIN}\n\n{render_tables(results)}\n\n### Twenty dialogues, not selected\n\n"
        f"The first {SHOWN} of the exam in an order drawn by a seed, as `{form}` answered them at {GREEDY}.\n\n"
        f"{shown}\n\n{END}"
    )


def write_card(folder: Path, training: Training, results: Results) -> None:
    """Write ``README.md`` into a folder of exported models."""
    template = Template(resources.files("training.chat").joinpath("card.md").read_text(encoding="utf-8"))
    sources = [
        "the CLINC150 questions" if training.human_questions else "",
        "prose from Hugging Face's courses" if training.prose else "",
    ]
    source = "with " + " and ".join(filter(None, sources)) if any(sources) else "on the project's own texts alone"
    text = template.substitute(
        parameters=f"{training.parameters:,}",
        tokens=f"{training.tokens:,}",
        minutes=f"{training.minutes:.0f}",
        steps=f"{training.steps:,}",
        source=source,
        shipped=training.shipped,
        layers=training.shape.layers,
        width=training.shape.width,
        hidden=training.shape.hidden,
        heads=training.shape.heads,
        head_width=training.shape.head_width,
        begun="From the weights of an earlier run" if training.earlier else "From scratch",
        sizes=", ".join(f"`{name}` {size_of(folder / name)}" for name in sorted(results)),
        exam=exam_text(results),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def renew_card(folder: Path, results: Results) -> None:
    """Put new figures and dialogues into an existing card, between the two marks."""
    path = folder / "README.md"
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(before + exam_text(results) + rest.split(END)[1], encoding="utf-8")
