"""Tokenizer and packed training rows."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from training.chat.exchange import Turn

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
WEIGHTS = {"system": 0.0, "user": 0.3, "assistant": 1.0}
OPEN_ROWS = 24
HELD_OUT_CONVERSATIONS = 400
CUT_SHARE, CUT_LENGTH = 0.85, 9
JUDGED_SHARE = 0.78


class Talk(Protocol):
    """Endless conversations."""

    def conversations(self, count: int) -> Iterator[list[Turn]]:
        """That many conversations, each a list of (role, text)."""
        ...


# Conversations of a seed, worded as those to learn from or (True) as those kept back to judge by.
Talks = Callable[[int, bool], Talk]
Ids = NDArray[np.int64]
Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Packed rows: token ids, the weight of each token in the loss, and the conversation each token belongs to."""

    ids: Ids
    weights: Weights
    segments: Ids

    def judged(self) -> tuple[Ids, Ids, Weights]:
        """Places that predict a weighted token, these tokens and their weights; always equally many places."""
        count = int(self.ids.size * JUDGED_SHARE) // 64 * 64
        following = np.zeros_like(self.weights)
        following[:, :-1] = self.weights[:, 1:]
        found = np.flatnonzero(following)[:count]
        places = np.zeros(count, np.int64)
        weights = np.zeros(count, np.float32)
        places[: len(found)] = found
        weights[: len(found)] = following.reshape(-1)[found]
        return places, np.roll(self.ids.reshape(-1), -1)[places], weights

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, start: int, count: int) -> "Rows":
        """That many rows from a start on."""
        part = slice(start, start + count)
        return Rows(self.ids[part], self.weights[part], self.segments[part])


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE tokenizer that normalises to NFC and splits digits."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the tokenizer must have."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no token {token}")
    return found


class Encoder:
    """Conversations in ChatML as token ids with loss weights."""

    def __init__(self, tokenizer: Tokenizer, cut_share: float = CUT_SHARE) -> None:
        self.tokenizer = tokenizer
        self.cut_share = cut_share
        self.start = token_id(tokenizer, START)
        self.end = token_id(tokenizer, END)
        self.line: list[int] = tokenizer.encode("\n").ids
        self.heads: dict[str, list[int]] = {role: [self.start, *tokenizer.encode(f"{role}\n").ids] for role in WEIGHTS}

    def encode(
        self, conversations: Sequence[Sequence[Turn]], random_source: random.Random
    ) -> list[tuple[list[int], list[float]]]:
        """Token ids and weights of each conversation; an answer's end mark counts as part of the answer.

        A share of the last answers is cut after a few tokens: what follows is learned by heart quickly, and the time
        saved goes to more questions.
        """
        texts = [text for turns in conversations for _, text in turns]
        encoded = iter(self.tokenizer.encode_batch(texts))
        result = []
        for turns in conversations:
            ids: list[int] = []
            weights: list[float] = []
            for role, _ in turns:
                head, body = self.heads[role], next(encoded).ids
                ids += [*head, *body, self.end, *self.line]
                weights += [0.0] * len(head) + [WEIGHTS[role]] * (len(body) + 1) + [0.0] * len(self.line)
            excess = len(body) + 1 + len(self.line) - CUT_LENGTH
            if excess > 0 and random_source.random() < self.cut_share:
                ids, weights = ids[:-excess], weights[:-excess]
            result.append((ids, weights))
        return result


def pack(encoded: Sequence[tuple[list[int], list[float]]], length: int) -> Rows:
    """Conversations packed greedily into rows of a fixed length; longer ones are cut."""
    finished: list[list[tuple[list[int], list[float]]]] = []
    pool: list[tuple[int, list[tuple[list[int], list[float]]]]] = []
    for ids, weights in encoded:
        item = (ids[:length], weights[:length])
        for place, (used, row) in enumerate(pool):
            if used + len(item[0]) <= length:
                row.append(item)
                pool[place] = (used + len(item[0]), row)
                break
        else:
            pool.append((len(item[0]), [item]))
        if len(pool) > OPEN_ROWS:
            fullest = max(range(len(pool)), key=lambda place: pool[place][0])
            finished.append(pool.pop(fullest)[1])
    finished += [row for _, row in pool]
    return fill(finished, length)


def fill(packed: Sequence[Sequence[tuple[list[int], list[float]]]], length: int) -> Rows:
    """Arrays of packed rows; segment 0 is padding."""
    shape = (len(packed), length)
    rows = Rows(np.zeros(shape, np.int64), np.zeros(shape, np.float32), np.zeros(shape, np.int64))
    for place, row in enumerate(packed):
        used = 0
        for segment, (ids, weights) in enumerate(row, start=1):
            part = slice(used, used + len(ids))
            rows.ids[place, part] = ids
            rows.weights[place, part] = weights
            rows.segments[place, part] = segment
            used += len(ids)
    return rows


@dataclass
class Place:
    """Where the training is in the endless corpus."""

    chunk: int = 0
    row: int = 0


def batches_of(rows_of: Callable[[int], Rows], place: Place, size: int) -> Iterator[Rows]:
    """Batches from a place on, of the rows of one chunk after the other; the place moves along."""
    while True:
        rows = rows_of(place.chunk)
        while place.row + size <= len(rows):
            start = place.row
            place.row += size
            yield rows.take(start, size)
        place.chunk += 1
        place.row = 0


class Corpus:
    """Endless packed rows, made chunk by chunk; chunk n of a seed is always the same."""

    def __init__(self, encoder: Encoder, seed: int, length: int, chunk_conversations: int, talks: Talks) -> None:
        self.encoder = encoder
        self.seed = seed
        self.length = length
        self.chunk_conversations = chunk_conversations
        self.talks = talks

    def chunk(self, number: int) -> Rows:
        """The rows of a chunk, shuffled."""
        seed = self.seed * 1_000_003 + number + 1
        conversations = list(self.talks(seed, False).conversations(self.chunk_conversations))
        rows = pack(self.encoder.encode(conversations, random.Random(seed)), self.length)
        order = np.random.default_rng(seed).permutation(len(rows))
        return Rows(rows.ids[order], rows.weights[order], rows.segments[order])

    def kept_back(self) -> list[list[Turn]]:
        """The same conversations each time, whose wordings are not learned from."""
        return list(self.talks(self.seed, True).conversations(HELD_OUT_CONVERSATIONS))

    def held_out(self) -> Rows:
        """The rows of these conversations."""
        return pack(self.encoder.encode(self.kept_back(), random.Random(self.seed)), self.length)

    def batches(self, place: Place, size: int) -> Iterator[Rows]:
        """Batches from a place on; the place moves along."""
        return batches_of(self.chunk, place, size)
