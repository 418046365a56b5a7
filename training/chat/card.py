"""The model card, written from what was measured."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from training.chat.evaluate import Result, render_table

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Training:
    """What the training took."""

    parameters: int
    tokens: int
    minutes: float
    steps: int
    human_questions: bool


def size_of(folder: Path) -> str:
    """The size of a folder's files in MiB."""
    return f"{sum(path.stat().st_size for path in folder.iterdir()) / MEBIBYTE:.1f} MiB"


def write_card(folder: Path, training: Training, results: dict[str, list[Result]]) -> None:
    """Write ``README.md`` into a folder of exported models."""
    template = Template(resources.files("training.chat").joinpath("card.md").read_text(encoding="utf-8"))
    source = "with the CLINC150 questions" if training.human_questions else "without the CLINC150 questions"
    text = template.substitute(
        parameters=f"{training.parameters:,}",
        tokens=f"{training.tokens:,}",
        minutes=f"{training.minutes:.0f}",
        steps=f"{training.steps:,}",
        source=source,
        sizes=", ".join(f"`{name}` {size_of(folder / name)}" for name in sorted(results)),
        table=render_table(results),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
