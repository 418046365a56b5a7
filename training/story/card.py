"""Fable's model card, written from what was measured."""

from importlib import resources
from pathlib import Path
from string import Template

from training.chat.card import size_of
from training.chat.runtime import ExportedModel
from training.chat.train import Trainer
from training.story.evaluate import LONGEST, Result, render_table

SHOWN = (
    "Tell me a story about an owl and a lantern.",
    "a funny story about a pig",
    "Kể cho mình một câu chuyện về con rùa và cánh diều xanh",
    "What is a token?",
)


def quoted(question: str, answer: str) -> str:
    """A question and its answer as one quotation."""
    return "\n".join(f"> {line}".rstrip() for line in (f"**{question}**", "", *answer.split("\n")))


def write_card(folder: Path, trainer: Trainer, results: dict[str, dict[str, Result]]) -> None:
    """Write ``README.md`` into a folder of exported models."""
    template = Template(resources.files(__package__).joinpath("card.md").read_text(encoding="utf-8"))
    shape, progress = trainer.model.shape, trainer.progress
    model = ExportedModel(folder / next(iter(results)))
    shown = "\n\n".join(quoted(question, model.answer([("user", question)], LONGEST)) for question in SHOWN)
    text = template.substitute(
        parameters=f"{sum(weight.numel() for weight in trainer.model.parameters()):,}",
        shape=f"{shape.layers} layers, width {shape.width}, {shape.heads} query heads and {shape.kv_heads} key-value "
        f"heads of width {shape.head_width}",
        vocabulary=f"{shape.vocabulary:,}",
        tokens=f"{progress.tokens:,}",
        steps=f"{progress.step:,}",
        minutes=f"{progress.seconds / 60:.0f}",
        sizes=", ".join(f"`{name}` {size_of(folder / name)}" for name in sorted(results)),
        table=render_table(results),
        shown=shown,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
