"""The weights of an encoder with a classification head, under one set of names for BERT, RoBERTa and ALBERT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from playground.errors import DetectorUnavailable

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """x @ weight + bias; `weight` is [inputs, outputs]."""

    weight: Array
    bias: Array


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """Layer normalisation over the last axis."""

    gain: Array
    bias: Array


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One transformer block with the norms after the residual sums (post-norm)."""

    query: Linear
    key: Linear
    value: Linear
    attended: Linear
    attended_norm: Norm
    up: Linear
    down: Linear
    norm: Norm


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A whole network. `positions` is a row per place, the token type's row added; `layers` may repeat one object.

    `projection` widens the embeddings (ALBERT). The head reads the first token: tanh(pooler), then `classifier`.
    """

    words: Array
    positions: Array
    norm: Norm
    projection: Linear | None
    layers: tuple[Layer, ...]
    pooler: Linear
    classifier: Linear
    heads: int
    epsilon: float
    activation: str


@dataclass(frozen=True, slots=True)
class Family:
    """Where an architecture keeps its weights. `layer` is filled with a layer's number."""

    prefix: str
    layer: str
    parts: Mapping[str, str]
    pooler: str
    classifier: str
    position_offset: int = 0
    shared_layers: bool = False


_BERT_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm": "output.LayerNorm",
}
_ALBERT_PARTS = {
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "attended": "attention.dense",
    "attended_norm": "attention.LayerNorm",
    "up": "ffn",
    "down": "ffn_output",
    "norm": "full_layer_layer_norm",
}
_LAYER, _GROUP = "encoder.layer.{}.", "encoder.albert_layer_groups.0.albert_layers.0."
FAMILIES = {
    "bert": Family("bert.", _LAYER, _BERT_PARTS, "bert.pooler.dense", "classifier"),
    # Places are counted from the padding token's id (1) on: the first token stands at 2.
    "roberta": Family("roberta.", _LAYER, _BERT_PARTS, "classifier.dense", "classifier.out_proj", position_offset=2),
    "albert": Family("albert.", _GROUP, _ALBERT_PARTS, "albert.pooler", "classifier", shared_layers=True),
}
ACTIVATIONS = ("gelu", "gelu_new")


def max_tokens(family: str, config: Mapping[str, Any]) -> int:
    """How many tokens the network can read at once, special ones included."""
    try:
        return int(config["max_position_embeddings"]) - FAMILIES[family].position_offset
    except (KeyError, TypeError, ValueError) as error:
        raise DetectorUnavailable("config.json of a Detoxify model does not tell its length.") from error


def read_encoder(family: str, weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Encoder:
    """Collect the weights of a checkpoint. Raises DetectorUnavailable when some are missing or the form is unknown."""
    names = FAMILIES[family]
    try:
        return _Reader(names, weights).encoder(config)
    except (KeyError, TypeError, ValueError) as error:
        raise DetectorUnavailable("The checkpoint and config.json of a Detoxify model do not fit together.") from error


class _Reader:
    def __init__(self, names: Family, weights: Mapping[str, Tensor]) -> None:
        self._names = names
        self._weights = weights

    def encoder(self, config: Mapping[str, Any]) -> Encoder:
        names, count = self._names, int(config["num_hidden_layers"])
        if config["hidden_act"] not in ACTIVATIONS or int(config.get("num_hidden_groups", 1)) != 1:
            raise ValueError("unknown form")
        embeddings = names.prefix + "embeddings."
        places = self._array(embeddings + "position_embeddings.weight")[names.position_offset :]
        kinds = self._array(embeddings + "token_type_embeddings.weight")
        mapping = names.prefix + "encoder.embedding_hidden_mapping_in"
        layers = [self._layer(number) for number in range(1 if names.shared_layers else count)]
        return Encoder(
            words=self._array(embeddings + "word_embeddings.weight"),
            positions=places + kinds[0],
            norm=self._norm(embeddings + "LayerNorm"),
            projection=self._linear(mapping) if mapping + ".weight" in self._weights else None,
            layers=tuple(layers * count if names.shared_layers else layers),
            pooler=self._linear(names.pooler),
            classifier=self._linear(names.classifier),
            heads=int(config["num_attention_heads"]),
            epsilon=float(config["layer_norm_eps"]),
            activation=config["hidden_act"],
        )

    def _layer(self, number: int) -> Layer:
        where = self._names.prefix + self._names.layer.format(number)
        parts: dict[str, Any] = {}
        for part, name in self._names.parts.items():
            parts[part] = self._norm(where + name) if part.endswith("norm") else self._linear(where + name)
        return Layer(**parts)

    def _linear(self, name: str) -> Linear:
        return Linear(np.ascontiguousarray(self._array(name + ".weight").T), self._array(name + ".bias"))

    def _norm(self, name: str) -> Norm:
        return Norm(self._array(name + ".weight"), self._array(name + ".bias"))

    def _array(self, name: str) -> Array:
        array: Array = self._weights[name].detach().float().numpy()
        return array
