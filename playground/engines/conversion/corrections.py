"""What the model builder (onnxruntime-genai 0.18) gets wrong on true architectures, and how it is put right here.

Each correction is needed on true shapes, not only on tiny ones; docs/conversion.md tells how each was found. The check
of every conversion refuses the graphs without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playground.engines.conversion.checkpoint import windows

# Changes the builder's module or the configuration before the graph is made.
Correction = Callable[[Any, Any], None]


def _use_plain_layer_norms(builder: Any, config: Any) -> None:
    """OLMo's norms subtract the mean; the builder makes root-mean-square norms of them, with another epsilon."""
    del config
    make = builder.OLMoModel.make_layernorm

    def make_layernorm(self: Any, layer_id: int, layernorm: Any, **options: Any) -> None:
        self.layernorm_attrs |= {"simple": False, "epsilon": 1e-5}
        make(self, layer_id, layernorm, **(options | {"simple": False}))

    builder.OLMoModel.make_layernorm = make_layernorm


def _leave_out_rotation(builder: Any, config: Any) -> None:
    """SmolLM3 turns nothing in every fourth layer; the builder moves the turning out of the attention instead."""
    del config
    make = builder.LlamaModel.make_attention

    def make_attention(self: Any, layer_id: int, attention: Any, root_input: str, **options: Any) -> None:
        turned, window = bool(self.no_rope_layers[layer_id]), self.window_size
        inside = self.attention_attrs["use_rope_in_attn"]
        self.attention_attrs |= {"rope": turned, "use_rope_in_attn": inside and turned}
        self.window_size = window if self.layer_types[layer_id] == "sliding_attention" else -1
        make(self, layer_id, attention, root_input, **options)
        self.attention_attrs |= {"rope": True, "use_rope_in_attn": inside}
        self.window_size = window

    builder.SmolLM3Model.make_attention = make_attention


def _name_rotations(builder: Any, config: Any) -> None:
    """Gemma 3 turns its two kinds of layers differently; `transformers` 5 says so in a form the builder cannot read."""
    del builder
    text = getattr(config, "text_config", config)
    kinds = text.rope_parameters
    if "full_attention" in kinds:
        text.rope_local_base_freq = kinds["sliding_attention"]["rope_theta"]
        text.rope_theta = kinds["full_attention"]["rope_theta"]
        text.rope_parameters = dict(kinds["full_attention"])


CORRECTIONS: Mapping[str, Correction] = {
    "OlmoForCausalLM": _use_plain_layer_norms,
    "SmolLM3ForCausalLM": _leave_out_rotation,
    "Gemma3ForCausalLM": _name_rotations,
    "Gemma3ForConditionalGeneration": _name_rotations,
}

_PATCHED = {"OLMoModel": "make_layernorm", "SmolLM3Model": "make_attention"}


@contextmanager
def corrected(builder: Any, config: Any) -> Iterator[None]:
    """The builder with what this architecture needs put right, for as long as the context lasts."""
    before = {name: getattr(builder, name).__dict__[method] for name, method in _PATCHED.items()}
    try:
        CORRECTIONS.get(config.architectures[0], lambda *_: None)(builder, config)
        yield
    finally:
        for name, method in _PATCHED.items():
            setattr(getattr(builder, name), method, before[name])


def set_windows(graph: Path, config: Any) -> None:
    """Write each layer's sliding window into its attention node: the builder forgets it where all layers have one
    (Mistral, Phi-3)."""
    import onnx  # noqa: PLC0415

    lengths = windows(config)
    if not any(lengths):
        return
    model = onnx.load(graph, load_external_data=False)
    for node in model.graph.node:
        layer = re.search(r"layers\.(\d+)/", node.name)
        if node.op_type != "GroupQueryAttention" or layer is None:
            continue
        for attribute in node.attribute:
            if attribute.name == "local_window_size":
                attribute.i = lengths[int(layer[1])] or -1
    onnx.save(model, graph)
