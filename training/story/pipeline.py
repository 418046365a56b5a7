"""The whole way from the grammar to a storyteller that is ready to ship."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.chat.export import Product, export
from training.chat.model import LeanLlama, Shape
from training.chat.pipeline import Recipe, corpus_of, tokenizer_of
from training.chat.train import Plan, Trainer
from training.story.card import write_card
from training.story.evaluate import evaluate, render_table
from training.story.tales import Tales


@dataclass(frozen=True)
class StoryRecipe(Recipe):
    """Another architecture than Pip's (Qwen 3: normed queries and keys), smaller, and no answer is cut."""

    @property
    def product(self) -> Product:
        """What comes out: freer draws than these often lose the hero."""
        return Product("fable", self.shape, Tales)


STANDARD = StoryRecipe(
    Shape(vocabulary=3072, width=128, layers=5, heads=4, kv_heads=2, head_width=32, hidden=384, normed_heads=True),
    Plan(minutes=25, rows=8),
    tokenizer_conversations=20_000,
    chunk_conversations=8_000,
    cut_share=0.0,
)
SMOKE = replace(
    STANDARD,
    shape=replace(STANDARD.shape, vocabulary=512, width=64, layers=2, heads=2, kv_heads=1, head_width=32, hidden=96),
    plan=Plan(steps=4, rows=4, warmup=2, compiled=False),
    row_length=256,
    chunk_conversations=100,
    tokenizer_conversations=200,
    threads=1,
    precisions=("fp32",),
    exam_questions=2,
)


def prepare(recipe: Recipe, folder: Path) -> Trainer:
    """A trainer with its tokenizer, which is made once and kept in the folder."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_of(recipe, folder, Tales(recipe.plan.seed), [])
    return Trainer(LeanLlama(recipe.shape), corpus_of(recipe, tokenizer, Tales), recipe.plan, folder)


def make(recipe: Recipe, folder: Path, resume: bool, report: Callable[[str], None]) -> None:
    """Train, export and evaluate."""
    trainer = prepare(recipe, folder)
    if resume and trainer.resume():
        report("going on from the checkpoint")
    trainer.train(report)
    models = export(folder, recipe.product, recipe.precisions, report)
    results = {name: evaluate(models / name, recipe.exam_questions) for name in recipe.precisions}
    write_card(models, trainer, results)
    report(render_table(results))
