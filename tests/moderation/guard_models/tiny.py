"""Tiny guards of the true architectures that really answer in their form, trained on the spot on a few words.

A text is filler words; what a trigger word in it means is all that there is to learn.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from playground.domain import Direction
from playground.moderation.guard_models.rows import GUARDS, GuardRow, load_guards

FILLER = tuple(
    word
    for line in (
        "the a river house green walks slowly over to and bread tea morning song bạn nhà sông sáng uống trà đi chậm",
        "window letter garden blue seven holds quiet market road paper",
    )
    for word in line.split()
)
ROWS = load_guards(GUARDS)
IGNORED = -100
RECENT = 8  # steps whose losses must all be small enough
SEED = 5
STAGES = ((12, 4e-3, 0.01, 300), (6, 1e-3, 0.004, 200))  # examples at a time, learning rate, enough, most steps


@dataclass(frozen=True)
class Lesson:
    """What to train: a row, its control tokens, the answer for a trigger word by direction ("": a harmless text)."""

    row: GuardRow
    controls: tuple[str, ...]
    end: str
    answers: Mapping[Direction, Mapping[str, str]]


QWEN = Lesson(
    ROWS["qwen3guard-0.6b"],
    ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"),
    "<|im_end|>",
    {
        Direction.INPUT: {
            "": " Safe\nCategories: None",
            "rumour": " Controversial\nCategories: Politically Sensitive Topics",
            "bomb": " Unsafe\nCategories: Violent",
            "override": " Unsafe\nCategories: Jailbreak",
        },
        Direction.OUTPUT: {
            "": " Safe\nCategories: None\nRefusal: No",
            "rumour": " Controversial\nCategories: Politically Sensitive Topics\nRefusal: No",
            "bomb": " Unsafe\nCategories: Violent\nRefusal: No",
        },
    },
)
LLAMA_ANSWERS = {"": "safe", "rumour": "unsafe\nS13", "bomb": "unsafe\nS1,S9"}
LLAMA = Lesson(
    ROWS["llama-guard-3-1b"],
    ("<|end_of_text|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "<|eot_id|>",
    {Direction.INPUT: LLAMA_ANSWERS, Direction.OUTPUT: LLAMA_ANSWERS},
)


def make_text(chance: random.Random, words: int, trigger: str = "") -> str:
    """Filler words, with the trigger somewhere among them."""
    chosen = [chance.choice(FILLER) for _ in range(words)]
    if trigger:
        chosen[chance.randrange(words)] = trigger
    return " ".join(chosen)


def make_tokenizer(lesson: Lesson) -> tokenizers.Tokenizer:
    """Byte-level BPE that knows the prompts well and every word as one token."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1400,
        special_tokens=list(lesson.controls),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    answers = [answer for table in lesson.answers.values() for answer in table.values()]
    triggers = [trigger for table in lesson.answers.values() for trigger in table]
    prompts = [render(lesson.row, way, "", "") for way in Direction]
    for control in lesson.controls:
        prompts = [prompt.replace(control, " ") for prompt in prompts]
    words = [f"{word} {word}" for word in (*FILLER, *triggers)] * 50
    tokenizer.train_from_iterator([*(prompts * 5), *(answers * 20), *words], trainer)
    return tokenizer


def render(row: GuardRow, direction: Direction, text: str, question: str) -> str:
    """The prompt as one text."""
    (_, constants), *_ = row.constants(direction)
    pieces = row.form.templates[direction].fill(constants, {"text": text, "question": question})
    return "".join(piece.text for piece in pieces)


Example = tuple[list[int], list[int]]


def _examples(lesson: Lesson, core: tokenizers.Tokenizer) -> Iterator[tuple[Example, Example]]:
    """Endlessly: an answer after the end of its prompt and the text alone, and the same after the whole prompt; each as
    the tokens, and those of them that are to be learnt.
    """
    chance = random.Random(3)
    end = core.token_to_id(lesson.end)
    while True:
        way = chance.choice(list(Direction))
        trigger = chance.choice(list(lesson.answers[way]))
        text = make_text(chance, chance.choice([3, 8, 20, 60, 170]), trigger)
        question = make_text(chance, 5)
        prompt = core.encode(render(lesson.row, way, text, question), add_special_tokens=False).ids
        bare = [*core.encode(" " + text).ids, *prompt[-30:]]
        answer = [*core.encode(lesson.answers[way][trigger], add_special_tokens=False).ids, end]
        short, whole = ((begin + answer, [IGNORED] * len(begin) + answer) for begin in (bare, prompt))
        yield short, whole


def train(model: Any, lesson: Lesson, core: tokenizers.Tokenizer) -> list[float]:
    """Train, first on what matters of the prompts, then on whole ones; the losses, step by step."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    examples = _examples(lesson, core)
    losses = []
    for stage, (size, rate, enough, most) in enumerate(STAGES):
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
        first = len(losses)
        while len(losses) - first < most and (len(losses) - first < RECENT or max(losses[-RECENT:]) > enough):
            batch = [next(examples)[stage] for _ in range(size)]
            width = max(len(ids) for ids, _ in batch)
            ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in batch])
            labels = torch.tensor([row + [IGNORED] * (width - len(row)) for _, row in batch])
            loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            losses.append(float(loss.detach()))
    return losses


def make_guard(folder: Path, lesson: Lesson, create: Callable[..., Any], *, context: int) -> list[float]:
    """Train a guard and convert it into `folder`; `create` makes the model from the sizes. The losses of training."""
    import torch  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    core = make_tokenizer(lesson)
    torch.manual_seed(SEED)
    model = create(
        vocab_size=core.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=core.token_to_id(lesson.end),
        pad_token_id=0,
        initializer_range=0.08,
    )
    losses = train(model, lesson, core)
    source = folder / "source"
    model.save_pretrained(source)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=lesson.end)
    fast.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    fast.save_pretrained(source)
    convert(source, folder)
    return losses


def convert(source: Path, folder: Path) -> None:
    """Convert a checkpoint with the builder whose folders the engine reads."""
    from onnxruntime_genai.models.builder import create_model, parse_extra_options  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = ("", str(source), str(folder), "fp32", "cpu", str(folder / "cache"))
        create_model(*arguments, **parse_extra_options(*arguments, []))
