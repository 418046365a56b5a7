"""The model card, filled in from measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.moderation.corpus import LABELS

# Source -> (name and address, licence, what it is for)
_SOURCES = {
    "jigsaw2018": ("Jigsaw Toxic Comment Classification 2018, first 20,000 rows", "CC0 (text CC BY-SA)", "all labels"),
    "safesense_vi": ("ThienIT84/vietnamese-hate-speech-dataset, comments", "MIT", "toxicity, Vietnamese"),
    "safesense_vi_titled": ("the same with the post's title before it", "MIT", "toxicity, Vietnamese"),
    "convabuse": ("amandacurry/convabuse, things said to chatbots", "CC BY 4.0", "toxicity, insult"),
    "templates": ("conversationai/unintended-ml-bias-analysis, identity templates", "CC BY 4.0", "identity terms"),
    "clinc150": ("clinc/oos-eval", "CC BY 3.0", "harmless"),
    "taskmaster4": ("google-research-datasets/Taskmaster", "CC BY 4.0", "harmless"),
    "courses_en": ("Hugging Face courses, English", "Apache-2.0", "harmless"),
    "courses_vi": ("Hugging Face courses, Vietnamese", "Apache-2.0", "harmless"),
    "davidson": ("t-davidson/hate-speech-and-offensive-language *", "MIT", "measured only"),
    "civil_comments": ("ipavlopoulos/toxic_spans, typed spans *", "CC0", "measured only"),
}  # fmt: skip


def render_card(figures: dict[str, Any], size: int) -> str:
    """The card as markdown; `size` is that of the model file in bytes."""
    template = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    sources = [
        f"| {name} | {licence} | {use} | {figures['texts'].get(source, 0):,} | {figures['held_out'].get(source, 0):,} |"
        for source, (name, licence, use) in _SOURCES.items()
    ]
    return template.format(
        bytes=size,
        sources="\n".join(sources),
        areas="\n".join(_lines(figures["auc"])),
        harmless="\n".join(_lines(figures["harmless_99.5%"])),
        mean=figures.get("jigsaw_mean_auc", "not measured"),
    )


def _lines(values: dict[str, dict[str, float]]) -> list[str]:
    starred = {source for source, (name, _, _) in _SOURCES.items() if name.endswith("*")}
    return [
        f"| {source}{' *' if source in starred else ''} | "
        + " | ".join(f"{row[label]:.4f}" if label in row else "" for label in LABELS)
        + " |"
        for source, row in values.items()
    ]
