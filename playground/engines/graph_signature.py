"""What a loaded graph takes and gives, matched with the names that its folder uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from playground.engines.graph_session import unfit
from playground.engines.model_files import ModelFiles
from playground.errors import OutOfMemory

Floating = type[np.floating[Any]]
DTYPES: dict[str, Floating] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
# Of merged decoders: whether there is a past; and for how many tokens logits are wanted (0: all of them).
CACHE_BRANCH = "use_cache_branch"
LOGITS_TO_KEEP = "num_logits_to_keep"
MIN_TOKENS = 32
_LOGITS_BYTES = 32 * 2**20
MAX_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Carried:
    """Something that goes in as `past` and comes out as `present`; `shape` is one row's, without the length: (heads,
    head_size) for keys and values, all of it for a state."""

    past: str
    present: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs. `positions` is the number of planes of the position ids (0: not an input), `extras` names
    the further inputs that this engine knows. `caches` are key, value, key, ... by layer."""

    caches: tuple[Carried, ...]
    states: tuple[Carried, ...]
    masked: bool
    positions: int
    extras: frozenset[str]
    vocab_size: int
    dtype: Floating
    logits_dtype: Floating

    @property
    def token_bytes(self) -> int:
        """What one token of one conversation takes in the cache."""
        return (
            sum(heads * size for heads, size in (cache.shape for cache in self.caches)) * np.dtype(self.dtype).itemsize
        )

    @property
    def can_keep_last(self) -> bool:
        """Whether the graph can be asked for the last token's logits alone."""
        return LOGITS_TO_KEEP in self.extras

    def chunk(self) -> int:
        """How many tokens of a prompt are read at once."""
        return MAX_CHUNK if self.can_keep_last else self.score_chunk()

    def score_chunk(self) -> int:
        """How many, when every token's logits are wanted: as many as those allow."""
        return max(16, min(MAX_CHUNK, _LOGITS_BYTES // (4 * self.vocab_size) // 16 * 16))

    def token_budget(self, kv_cache_mb: int) -> int:
        """How many tokens fit into the memory for keys and values. Raises OutOfMemory when a short talk does not."""
        budget = kv_cache_mb * 2**20 // self.token_bytes
        if budget < MIN_TOKENS:
            raise OutOfMemory(
                f"{kv_cache_mb} MiB for keys and values hold only {budget} tokens of this model. "
                "Raise kv_cache_mb or choose a smaller model."
            )
        return budget


def read_signature(session: onnxruntime.InferenceSession, files: ModelFiles) -> Signature:
    """Match the graph with its folder. Raises ModelLoadError when it is not a text decoder's."""
    names = files.names
    inputs = {item.name: item for item in session.get_inputs()}
    outputs = {item.name: item for item in session.get_outputs()}
    keys = _carried(inputs, files, names.past_key, names.present_key)
    values = _carried(inputs, files, names.past_value, names.present_value)
    states = _carried(inputs, files, names.past_conv, names.present_conv)
    more = _carried(inputs, files, names.past_recurrent, names.present_recurrent)
    extras = {CACHE_BRANCH, LOGITS_TO_KEEP} & inputs.keys()
    carried = [item for group in (keys, values, states, more) for item in group.values()]
    known = {names.input_ids, names.attention_mask, names.position_ids, *extras, *(item.past for item in carried)}
    needed = {names.logits, *(item.present for item in carried)}
    if (
        not keys
        or keys.keys() != values.keys()
        or not inputs.keys() <= known
        or names.input_ids not in inputs
        or outputs.keys() != needed
        or (files.layers and keys.keys() | states.keys() | more.keys() != set(range(files.layers)))
    ):
        raise unfit(files, "its inputs and outputs are not those of a text decoder")
    cache, logits = inputs[keys[min(keys)].past], outputs[names.logits]
    if cache.type not in DTYPES or logits.type not in DTYPES:
        raise unfit(files, f"it computes in {cache.type}")
    if not isinstance(logits.shape[-1], int):
        raise unfit(files, "it does not say how many tokens it knows")
    return Signature(
        caches=tuple(item for layer in sorted(keys) for item in (keys[layer], values[layer])),
        states=tuple(states[layer] for layer in sorted(states)) + tuple(more[layer] for layer in sorted(more)),
        masked=names.attention_mask in inputs,
        positions=_planes(inputs[names.position_ids].shape) if names.position_ids in inputs else 0,
        extras=frozenset(extras),
        vocab_size=logits.shape[-1],
        dtype=DTYPES[cache.type],
        logits_dtype=DTYPES[logits.type],
    )


def _carried(inputs: dict[str, Any], files: ModelFiles, past: str, present: str) -> dict[int, Carried]:
    pattern = re.compile(re.escape(past).replace("%d", r"(\d+)"))
    found: dict[int, Carried] = {}
    for name, item in inputs.items():
        match = pattern.fullmatch(name)
        if match is not None:
            layer = int(match[1]) if match.groups() else 0
            found[layer] = Carried(name, present.replace("%d", str(layer)), _row_shape(files, past, item.shape))
    return found


def _row_shape(files: ModelFiles, past: str, shape: Sequence[object]) -> tuple[int, ...]:
    if past not in (files.names.past_key, files.names.past_value):
        sizes = [size for size in shape[1:] if isinstance(size, int)]
        if len(sizes) != len(shape) - 1:
            raise unfit(files, "the size of a layer's state is not said")
        return tuple(sizes)
    heads, size = (shape[1], shape[3]) if len(shape) == 4 else (None, None)
    heads = heads if isinstance(heads, int) else files.kv_heads
    size = size if isinstance(size, int) else files.head_size
    if not heads or not size or (files.kv_heads and heads != files.kv_heads):
        raise unfit(files, "its shapes are not those that the folder's configuration tells")
    return heads, size


def _planes(shape: Sequence[object]) -> int:
    first = shape[0]
    return first if len(shape) == 3 and isinstance(first, int) else 1
