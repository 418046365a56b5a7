"""Will this model fit? Plain arithmetic, before anything is downloaded or loaded.

What a running model needs is its weights, the keys and values of its conversations, and an overhead:

- Weights: their count times bytes each. Quantized matrices come in blocks of 32 with one scale per block (ONNX's
  MatMulNBits); lookup tables (embeddings) keep the graph's floating-point type, except that int4 shares one quantized
  table where first and last layer are tied. These rules are the model builder's of ONNX Runtime GenAI 0.18, read off
  the files it wrote; `tests/engines/test_shapes.py` has it write some again and compares.
- Keys and values: 2 * layers * kv_heads * head_size * bytes * tokens (the shape of the key-value cache: one key and
  one value vector per layer and head; Kwon et al., https://arxiv.org/abs/2309.06180, section 3). A layer with a sliding
  window keeps at most its window, where the runtime drops what lies outside; a recurrent layer keeps a state of
  constant size.
- Overhead: see `Runtime`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from playground.catalog.shape import ModelShape
from playground.errors import OutOfMemory

BLOCK = 32
MIN_CONTEXT = 512
_STEP = 64
_MIB, _GIB = 2**20, 2**30


class Verdict(StrEnum):
    """What the numbers say, from best to worst."""

    FITS = "fits"
    FITS_WITH_LESS_CONTEXT = "fits_with_less_context"
    ONE_AFTER_THE_OTHER = "one_after_the_other"
    TOO_BIG = "too_big"


@dataclass(frozen=True, slots=True)
class Precision:
    """How weights are kept. `bits` per weight of a matrix; `scaled`: with a floating-point scale per block.

    `shares_tables`: tied first and last layers are one table in the file (int8 keeps two, as the builder does).
    """

    bits: int
    scaled: bool = False
    shares_tables: bool = True


PRECISIONS: dict[str, Precision] = {
    "int4": Precision(4, scaled=True),
    "int8": Precision(8, scaled=True, shares_tables=False),
    "fp16": Precision(16),
    "bf16": Precision(16),
    "fp32": Precision(32),
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """What one way of running models adds to weights and caches.

    `float_bytes` is the size of a number the graph computes with, and so of a cached key or value. `base_bytes` is
    what the process takes without a model, `loading` how much memory a byte of the weights' files takes at most, by
    precision (matrices are rearranged while they load), `token_bytes` what the tokenizer takes per token it knows.
    `drops_window`: layers with a sliding window keep only the window. A prompt is computed in chunks of at most `chunk`
    tokens and `logits_bytes` of logits; those and the attention scores [heads, chunk, tokens so far] are the largest
    intermediate results. `as_stored`: weights are used as their files hold them, not changed into another precision.
    """

    float_bytes: int
    base_bytes: int
    loading: Mapping[str, float] = field(default_factory=dict)
    token_bytes: int = 1024
    drops_window: bool = False
    chunk: int = 256
    logits_bytes: int = 32 * _MIB
    as_stored: bool = True

    def chunk_of(self, vocab_size: int) -> int:
        """How many tokens of a prompt are computed at once."""
        return max(16, min(self.chunk, self.logits_bytes // (self.float_bytes * vocab_size) // 16 * 16))


# How onnxruntime 1.32 rearranges matrices while it loads them, by the same measurement as below.
_REARRANGED = {"int4": 1.5, "int8": 1.25, "fp16": 1.4, "bf16": 1.4, "fp32": 1.4}
# By engine and device. onnx on the CPU is measured in real workers, on Pip and two random Llamas of SmolLM2's shapes;
# `python -m benchmarks memory` repeats Pip and the 135M with a shorter prompt. Resident MiB after loading (at most
# while loading), 2026-11: Pip int8 83, fp32 92; 135M int4 213 (223), int8 264 (287), fp32 705 (809); 360M int4 415
# (433), int8 566 (606). A prompt of 4,000 tokens then took 215 MiB more with the 135M, of which 176 are its keys and
# values. int8 leaves most of its embedding table on disk, so its plan is the most above what it takes. torch's base
# is what importing torch and transformers takes (365 MiB, 2026-11). What a GPU needs beside the weights is assumed,
# not measured: half a GiB for a CUDA context and as much for workspaces.
RUNTIMES: dict[tuple[str, str], Runtime] = {
    ("onnx", "cpu"): Runtime(float_bytes=4, base_bytes=80 * _MIB, loading=_REARRANGED),
    ("onnx", "cuda"): Runtime(float_bytes=2, base_bytes=1024 * _MIB),
    ("torch", "cpu"): Runtime(float_bytes=4, base_bytes=400 * _MIB, as_stored=False),
    ("torch", "cuda"): Runtime(float_bytes=2, base_bytes=1024 * _MIB, as_stored=False),
}


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The answer, in bytes. `context_length` is in tokens: what was asked for, or the longest that fits.

    `total_bytes` is for that context length; when nothing fits, it is for the shortest useful one. `free_bytes` is
    what is free now, without what `loaded_bytes` of other models would give back.
    """

    verdict: Verdict
    weights_bytes: int
    kv_bytes: int
    overhead_bytes: int
    free_bytes: int
    context_length: int
    loaded_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Weights, keys and values, and overhead together."""
        return self.weights_bytes + self.kv_bytes + self.overhead_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A model and how it is to be run: everything about it that decides how much memory it takes.

    `weights_bytes` is the size of its weights' files where they are known; otherwise it follows from `precision` and
    the shape. `concurrent` conversations of `context_length` tokens each are to be kept; `kv_limit_bytes` bounds their
    keys and values together (0: no bound).

    Raises ValueError when the weights can be told from nothing, or a number is not positive.
    """

    shape: ModelShape
    runtime: Runtime
    context_length: int
    concurrent: int = 1
    precision: str = "int4"
    weights_bytes: int = 0
    kv_limit_bytes: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; there are: {', '.join(PRECISIONS)}.")
        if self.context_length < 1 or self.concurrent < 1:
            raise ValueError("context_length and concurrent must be at least 1.")
        if not self.weights_bytes and not self.shape.parameters:
            raise ValueError("Neither the number of parameters nor the size of the weights is known.")

    def weights(self) -> int:
        """Bytes of the weights' files."""
        return self.weights_bytes or weights_bytes(self.shape, self.precision, self.runtime.float_bytes)

    def kv(self, tokens: int) -> int:
        """Bytes for keys and values of all conversations, `tokens` long each."""
        one = kv_bytes(self.shape, tokens, self.runtime.float_bytes, drops_window=self.runtime.drops_window)
        return min(one * self.concurrent, self.kv_limit_bytes or one * self.concurrent)

    def overhead(self, tokens: int) -> int:
        """Bytes beyond weights, keys and values."""
        shape, runtime = self.shape, self.runtime
        chunk = min(runtime.chunk_of(shape.vocab_size), tokens)
        scores = (shape.heads or shape.kv_heads) * chunk * tokens * runtime.float_bytes
        logits = (chunk + self.concurrent) * shape.vocab_size * runtime.float_bytes
        beyond = (runtime.loading.get(self.precision, 1.1) - 1) * self.weights()
        return math.ceil(runtime.base_bytes + runtime.token_bytes * shape.vocab_size + beyond + scores + logits)

    def total(self, tokens: int) -> int:
        """Bytes for everything, with conversations of `tokens` each."""
        return self.weights() + self.kv(tokens) + self.overhead(tokens)


def weights_bytes(shape: ModelShape, precision: str, float_bytes: int = 4) -> int:
    """Bytes of a model's weights in a precision, 0 when its parameters are not known.

    `float_bytes` is the size of a scale, and of a number in an embedding that is not quantized: 4 for graphs that
    compute in fp32 (CPU), 2 for fp16 (GPU).
    """
    kind = PRECISIONS[precision]
    if not kind.scaled:
        return shape.parameters * kind.bits // 8
    table = shape.vocab_size * shape.hidden_size
    shared = shape.tied_embeddings and kind.shares_tables
    matrices = shape.parameters - shape.table_parameters - (0 if shape.tied_embeddings else table)
    looked_up = shape.table_parameters + (0 if shared else table)
    per_matrix_weight = kind.bits / 8 + float_bytes / BLOCK
    return math.ceil(max(0, matrices) * per_matrix_weight + looked_up * float_bytes)


def kv_bytes(shape: ModelShape, tokens: int, element_bytes: int, *, drops_window: bool = True) -> int:
    """Bytes that one conversation of `tokens` keeps: keys, values, and the state of recurrent layers."""
    size = shape.kv_heads * shape.head_size
    window_size = shape.window_kv_size or size
    windowed = min(tokens, shape.window) if drops_window and shape.window else tokens
    elements = shape.kv_layers * size * tokens + shape.window_layers * window_size * windowed
    return 2 * elements * element_bytes + shape.state_bytes


def plan(need: Need, *, free_bytes: int, loaded_bytes: int = 0) -> MemoryPlan:
    """What happens if this model is loaded now.

    `free_bytes` is what a new process may take; `loaded_bytes` what models that are loaded but idle would give back.
    The context is shortened before anything is unloaded, but never below MIN_CONTEXT tokens.
    """
    wanted = need.context_length
    least = min(wanted, MIN_CONTEXT)
    fits = _longest(need, free_bytes, least)
    alone = _longest(need, free_bytes + loaded_bytes, least) if loaded_bytes else fits
    if fits == wanted:
        verdict, tokens = Verdict.FITS, wanted
    elif alone == wanted:
        verdict, tokens = Verdict.ONE_AFTER_THE_OTHER, wanted
    elif fits:
        verdict, tokens = Verdict.FITS_WITH_LESS_CONTEXT, fits
    elif alone:
        verdict, tokens = Verdict.ONE_AFTER_THE_OTHER, alone
    else:
        verdict, tokens = Verdict.TOO_BIG, least
    return MemoryPlan(verdict, need.weights(), need.kv(tokens), need.overhead(tokens), free_bytes, tokens, loaded_bytes)


def plan_together(needs: Sequence[Need], *, free_bytes: int) -> list[MemoryPlan]:
    """Plans for models that are to be loaded side by side, each in what those before it leave.

    One that fits only if those before it are unloaded first gets ONE_AFTER_THE_OTHER.
    """
    plans: list[MemoryPlan] = []
    taken = 0
    for need in needs:
        made = plan(need, free_bytes=max(0, free_bytes - taken), loaded_bytes=min(taken, free_bytes))
        plans.append(made)
        if made.verdict in (Verdict.FITS, Verdict.FITS_WITH_LESS_CONTEXT):
            taken += made.total_bytes
    return plans


def _longest(need: Need, free_bytes: int, least: int) -> int:
    """The longest context that fits, in whole steps below the wanted one; 0 when not even `least` does."""
    if need.total(need.context_length) <= free_bytes:
        return need.context_length
    if need.total(least) > free_bytes:
        return 0
    low, high = least // _STEP, need.context_length // _STEP
    while low < high:  # the total grows with the tokens, so the last step that fits is found by halving
        middle = (low + high + 1) // 2
        low, high = (middle, high) if need.total(middle * _STEP) <= free_bytes else (low, middle - 1)
    return max(least, low * _STEP)


def refuse_too_big(name: str, need: Need, made: MemoryPlan) -> None:
    """Nothing, unless the model does not fit; to be called before it is loaded.

    Raises OutOfMemory, with the numbers and what to do: a smaller precision that fits, another model to unload, or a
    smaller model.
    """
    if made.verdict in (Verdict.FITS, Verdict.FITS_WITH_LESS_CONTEXT):
        return
    numbers = (
        f"{name} needs about {_gib(made.total_bytes)} GiB of memory (weights {_gib(made.weights_bytes)}, conversation "
        f"{_gib(made.kv_bytes)}, other {_gib(made.overhead_bytes)}), and {_gib(made.free_bytes)} GiB are free."
    )
    raise OutOfMemory(f"{numbers} {_next_step(need, made)}")


def _next_step(need: Need, made: MemoryPlan) -> str:
    if made.verdict is Verdict.ONE_AFTER_THE_OTHER:
        return f"It fits after the models that are loaded are unloaded, which frees {_gib(made.loaded_bytes)} GiB."
    smaller = smaller_precision(need, free_bytes=made.free_bytes)
    if smaller:
        return f"Choose the precision {smaller}, which fits."
    return "Choose a smaller model, or close other programs."


def smaller_precision(need: Need, *, free_bytes: int) -> str | None:
    """The most exact precision below the wanted one with which the shortest useful context fits; None without one."""
    least = min(need.context_length, MIN_CONTEXT)
    if not need.shape.parameters:
        return None
    now = PRECISIONS[need.precision].bits
    for name, kind in sorted(PRECISIONS.items(), key=lambda item: -item[1].bits):
        smaller = replace(need, precision=name, weights_bytes=0)
        if kind.bits < now and smaller.total(least) <= free_bytes:
            return name
    return None


def _gib(count: int) -> str:
    return f"{count / _GIB:.1f}" if count >= _GIB / 10 else f"{count / _GIB:.2f}"
