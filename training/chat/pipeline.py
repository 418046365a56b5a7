"""The whole way from texts to a model that is ready to ship."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from training.chat.card import Training, write_card
from training.chat.choosing import BEGUN_FILE, CHOSEN_FILE, candidates, choose, development_set
from training.chat.corpus import CUT_SHARE, Corpus, Encoder, Talk, Talks, train_tokenizer
from training.chat.dialogues import Dialogues
from training.chat.earlier import earlier_weights
from training.chat.evaluate import evaluate
from training.chat.exchange import as_right
from training.chat.export import PRECISIONS, TOKENIZER_FILE, Product, export
from training.chat.growth import grown
from training.chat.hard import hard_wordings, kept_hard_wordings
from training.chat.judging import RightAnswers
from training.chat.model import LeanLlama, Shape
from training.chat.outside import OutsideQuestions, read_clinc
from training.chat.prose import Prose, read_prose
from training.chat.tally import render_tables, verdicts
from training.chat.train import AVERAGE_FILE, BEST_FILE, Plan, Trainer, write_weights


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out.

    Of at most `most_questions` an earlier model is asked, and those of the development set are; None asks all.
    """

    shape: Shape
    plan: Plan
    row_length: int = 512
    chunk_conversations: int = 16_000
    tokenizer_conversations: int = 60_000
    threads: int = 2
    precisions: tuple[str, ...] = PRECISIONS
    cut_share: float = CUT_SHARE
    exam_questions: int | None = None
    most_questions: int | None = None

    @property
    def product(self) -> Product:
        """What comes out."""
        return Product("pip", self.shape, Dialogues, weights=CHOSEN_FILE)

    def changed(self, seed: int, minutes: float | None, threads: int, rate: float | None = None) -> "Recipe":
        """The same recipe with another seed, number of threads and (unless None) duration and highest learning rate."""
        plan = replace(self.plan, seed=seed, minutes=minutes or self.plan.minutes, rate=rate or self.plan.rate)
        return replace(self, plan=plan, threads=threads)


STANDARD = Recipe(Shape(hidden=1152), Plan())
LESSON = Recipe(
    Shape(width=128, layers=4, heads=2, hidden=384),
    Plan(minutes=11, judge_seconds=75, prose_share=0.2),
    tokenizer_conversations=20_000,
    chunk_conversations=4_000,
    exam_questions=20,
)
SMOKE = Recipe(
    Shape(vocabulary=512, width=64, layers=2, heads=2, kv_heads=1, head_width=32, hidden=96, context=256),
    Plan(steps=6, rows=4, warmup=2, compiled=False),
    row_length=128,
    chunk_conversations=200,
    tokenizer_conversations=400,
    threads=1,
    precisions=("fp32",),
    exam_questions=2,
    most_questions=200,
)


@dataclass(frozen=True)
class Sources:
    """What is read beside the project's own texts: CLINC150's file, folders of Markdown, and an earlier model's folder.

    All are optional. The weights and the tokenizer of an earlier run or of an exported model replace the first, random
    ones (see `earlier`); a narrower model is grown to the recipe's shape (see `growth`).
    """

    clinc: Path | None = None
    prose: tuple[Path, ...] = ()
    earlier: Path | None = None


def tokenizer_of(recipe: Recipe, folder: Path, talk: Talk, pages: Sequence[Sequence[str]]) -> Tokenizer:
    """The folder's tokenizer; it is made once, from conversations and prose, and kept there."""
    path = folder / TOKENIZER_FILE
    if not path.exists():
        spoken = (text for turns in talk.conversations(recipe.tokenizer_conversations) for _, text in turns)
        texts = chain(spoken, chain.from_iterable(pages))
        train_tokenizer(texts, recipe.shape.vocabulary).save(str(path))
    return Tokenizer.from_file(str(path))


def corpus_of(recipe: Recipe, tokenizer: Tokenizer, talks: Talks) -> Corpus:
    """Rows of the recipe's length from conversations."""
    encoder = Encoder(tokenizer, recipe.cut_share)
    return Corpus(encoder, recipe.plan.seed, recipe.row_length, recipe.chunk_conversations, talks)


def prepare(recipe: Recipe, folder: Path, sources: Sources, report: Callable[[str], None]) -> Trainer:
    """A trainer with its tokenizer and its texts; what the weights of an earlier run do not know comes more often."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    if sources.earlier and not (folder / TOKENIZER_FILE).exists():
        shutil.copyfile(sources.earlier / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    extra = read_clinc(sources.clinc, "train") if sources.clinc else OutsideQuestions()
    pages = read_prose(sources.prose) if sources.prose else []

    tokenizer = tokenizer_of(recipe, folder, Dialogues(recipe.plan.seed, extra), pages)
    model, hard = LeanLlama(recipe.shape), frozenset[str]()
    if sources.earlier:
        model.load_state_dict(grown(earlier_weights(sources.earlier, recipe.shape), recipe.shape.hidden))
        write_weights(model, folder / BEGUN_FILE)
        asked = partial(hard_wordings, model, Encoder(tokenizer), recipe.plan.seed, report, recipe.most_questions)
        hard = kept_hard_wordings(folder, asked)

    def talks(seed: int, held_out: bool) -> Talk:
        return Dialogues(seed, extra, held_out, hard)

    corpus = corpus_of(recipe, tokenizer, talks)
    prose = Prose(tokenizer, pages, recipe.plan.seed, recipe.row_length) if pages else None
    questions = RightAnswers(corpus.encoder, corpus.kept_back(), as_right, recipe.shape.context)
    return Trainer(model, corpus, recipe.plan, folder, prose=prose, questions=questions)


def make(recipe: Recipe, folder: Path, sources: Sources, resume: bool, report: Callable[[str], None]) -> None:
    """Train, export and evaluate."""
    trainer = prepare(recipe, folder, sources, report)
    if resume and trainer.resume():
        report("going on from the checkpoint")
    trainer.train(report)
    finish(trainer, recipe, sources, report)


def chosen_of(trainer: Trainer, recipe: Recipe, sources: Sources, report: Callable[[str], None]) -> str:
    """Choose the weights that ship (see `choosing`), and give their name."""
    folder = trainer.folder
    averages = {"the best average": load_file(folder / BEST_FILE), "the last average": load_file(folder / AVERAGE_FILE)}
    earlier = load_file(folder / BEGUN_FILE) if sources.earlier else None
    development = development_set(trainer.corpus.encoder, recipe.shape.context, recipe.most_questions)
    offered = candidates(averages, earlier)
    return choose(LeanLlama(recipe.shape), offered, development, folder / CHOSEN_FILE, report)


def finish(trainer: Trainer, recipe: Recipe, sources: Sources, report: Callable[[str], None]) -> None:
    """Choose among what was trained, export and evaluate it, and write the model card."""
    shipped = chosen_of(trainer, recipe, sources, report)
    models = export(trainer.folder, recipe.product, recipe.precisions, report)
    results = {
        name: evaluate(models / name, sources.clinc, recipe.exam_questions, threads=recipe.threads)
        for name in recipe.precisions
    }
    progress = trainer.progress
    training = Training(
        shape=recipe.shape,
        parameters=sum(weight.numel() for weight in trainer.model.parameters()),
        tokens=progress.tokens,
        minutes=progress.seconds / 60,
        steps=progress.step,
        human_questions=sources.clinc is not None,
        prose=bool(sources.prose),
        earlier=sources.earlier is not None,
        shipped=shipped,
    )
    write_card(models, training, results)
    report(render_tables(results))
    for line in verdicts(results):
        report(line)
