"""The numbers of an architecture that decide how much memory a model takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """What a model's `config.json` says, under one set of names whatever the architecture calls them.

    `parameters` counts weights (0: unknown). `kv_layers` are the layers that keep keys and values for the whole
    context; `window_layers` those that keep only the last `window` tokens (sliding-window attention). `state_bytes` is
    the size of what recurrent layers keep per conversation, whatever its length, in bytes.

    `heads` are the attention heads that ask (0: as many as `kv_heads`). `tied_embeddings` says that one table serves as
    the first and the last layer. `table_parameters` counts the weights that are only looked up, beyond the token
    embedding (positions, embeddings per layer). `window_kv_size` is heads times head size of the window layers where
    it is not that of the others (0: it is).
    """

    architecture: str
    parameters: int
    hidden_size: int
    kv_layers: int
    kv_heads: int
    head_size: int
    vocab_size: int
    context_length: int
    window_layers: int = 0
    window: int = 0
    state_bytes: int = 0
    heads: int = 0
    tied_embeddings: bool = False
    table_parameters: int = 0
    window_kv_size: int = 0
