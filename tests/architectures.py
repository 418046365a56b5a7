"""Tiny checkpoints of true architectures, made on the spot: random weights, a real tokenizer, the family's template.

`save_checkpoint(name, folder)` writes what a `transformers` repository holds: config.json, model.safetensors,
tokenizer.json, tokenizer_config.json. Weights are wide, so that no two tokens tie, and norms and biases are random too,
so that none of them can be forgotten or taken for another unseen. `changes` go to the configuration (`hidden_size=2048`
gives true shapes).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

# No other size of a model may equal this one: the model builder takes a matrix with as many rows for the logits'.
VOCABULARY = 522
CONTEXT = 512
WINDOW = 32
TEXTS = [
    "Xin chào! Bạn khoẻ không? Mình ở trong máy này, rất vui được gặp bạn.",
    "Hello! How are you today? The quick brown fox jumps over the lazy dog.",
    "Việt Nam có nhiều cảnh đẹp; người ta thường uống cà phê vào buổi sáng.",
]


@dataclass(frozen=True)
class Dialect:
    """How a family writes a conversation: its template, its control tokens (the first four are bos, end of an answer,
    padding, unknown), and whether its tokenizer is a SentencePiece one with byte fallback."""

    template: str | None
    tokens: tuple[str, str, str, str, *tuple[str, ...]]
    pieces: bool = False


@dataclass(frozen=True)
class Architecture:
    """One family: configuration class, its values, and how it writes. `window` is the sliding window's length in
    tokens (0: none); `composite` names the class of a checkpoint whose language model is one part of it. `noise` is
    how far norms and biases lie from what they start as, `embedding` scales the embeddings: where they are tied to the
    logits and norms keep what a layer adds small, the last token would only repeat itself."""

    config: str
    values: Mapping[str, Any]
    dialect: str = "chatml"
    window: int = 0
    composite: str = ""
    noise: float = 0.1
    embedding: float = 1.0


_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
_HEADS = {"head_dim": 16}
_FULL_HEADS = {"num_key_value_heads": 4}
_TIED = {"tie_word_embeddings": True}
_UNTIED = {"tie_word_embeddings": False}
_SLIDING_THEN_FULL = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
_LOUD = {"noise": 1.0, "embedding": 0.1}
_GEMMA_WINDOW = {**_SIZES, **_HEADS, **_TIED, **_SLIDING_THEN_FULL}
_PHI = {**_SIZES, **_UNTIED, "original_max_position_embeddings": CONTEXT, "sliding_window": 2 * CONTEXT}
# onnxruntime's attention turns multiples of sixteen of a head's numbers only, as all true shapes have them.
_PHI4_HEADS = {"hidden_size": 128, "num_attention_heads": 2, "num_key_value_heads": 1}
_GEMMA4 = {**_GEMMA_WINDOW, "global_head_dim": 32, "num_kv_shared_layers": 0, "final_logit_softcapping": 30.0}
_QWEN35 = {
    **_SIZES,
    **_TIED,
    "head_dim": 64,
    "layer_types": ["linear_attention", "full_attention"],
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10_000_000.0,
        "partial_rotary_factor": 0.25,
        "mrope_interleaved": True,
        "mrope_section": [3, 3, 2],
    },
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}

ARCHITECTURES: dict[str, Architecture] = {
    "llama2": Architecture("LlamaConfig", {**_SIZES, **_UNTIED, **_FULL_HEADS}, "llama2"),
    "llama3": Architecture(
        "LlamaConfig",
        {
            **_SIZES,
            **_HEADS,
            **_TIED,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500_000.0,
                "factor": 32.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 128,
            },
        },
        "llama3",
    ),
    "deepseek": Architecture("LlamaConfig", {**_SIZES, **_UNTIED, **_FULL_HEADS, "rms_norm_eps": 1e-6}, "deepseek"),
    "mistral": Architecture(
        "MistralConfig", {**_SIZES, **_HEADS, **_UNTIED, "sliding_window": WINDOW}, "mistral", WINDOW
    ),
    "qwen2": Architecture("Qwen2Config", {**_SIZES, **_TIED}),
    "qwen3": Architecture("Qwen3Config", {**_SIZES, **_HEADS, **_TIED}),
    "qwen3_5": Architecture("Qwen3_5TextConfig", _QWEN35, composite="Qwen3_5"),
    "gemma": Architecture(
        "GemmaConfig", {**_SIZES, **_HEADS, **_TIED, "hidden_activation": "gelu_pytorch_tanh"}, "gemma"
    ),
    "gemma2": Architecture("Gemma2Config", {**_GEMMA_WINDOW, "query_pre_attn_scalar": 16}, "gemma", WINDOW, **_LOUD),
    "gemma3": Architecture(
        "Gemma3TextConfig", {**_GEMMA_WINDOW, "query_pre_attn_scalar": 16}, "gemma", WINDOW, noise=3.0
    ),
    "gemma4": Architecture(
        "Gemma4TextConfig",
        {**_GEMMA4, "hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": VOCABULARY},
        "gemma4",
        WINDOW,
        composite="Gemma4",
        **_LOUD,
    ),
    "smollm3": Architecture("SmolLM3Config", {**_SIZES, **_TIED, "no_rope_layers": [1, 0]}),
    "phi3": Architecture("Phi3Config", {**_PHI, **_FULL_HEADS}, "phi3"),
    "phi4_mini": Architecture("Phi3Config", {**_PHI, **_TIED, **_PHI4_HEADS, "partial_rotary_factor": 0.75}, "phi3"),
    "lfm2": Architecture(
        "Lfm2Config",
        {**_SIZES, **_TIED, "layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
    ),
    "olmo": Architecture("OlmoConfig", {**_SIZES, **_UNTIED, **_FULL_HEADS}, "olmo"),
    "olmo2": Architecture("Olmo2Config", {**_SIZES, **_UNTIED, **_FULL_HEADS}, "olmo"),
    "granite": Architecture(
        "GraniteConfig",
        {
            **_SIZES,
            **_TIED,
            "attention_multiplier": 0.2,
            "embedding_multiplier": 3.0,
            "logits_scaling": 2.0,
            "residual_multiplier": 0.7,
        },
        "granite",
    ),
    "granite4": Architecture(
        "GraniteMoeHybridConfig",
        {
            **_SIZES,
            **_TIED,
            "shared_intermediate_size": 128,
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
            "layer_types": ["attention", "attention"],
            "position_embedding_type": "rope",
            "attention_multiplier": 0.2,
            "embedding_multiplier": 3.0,
            "logits_scaling": 2.0,
            "residual_multiplier": 0.7,
        },
        "granite",
    ),
    "gpt2": Architecture(
        "GPT2Config", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, **_TIED}, "plain"
    ),
    "gpt_neox": Architecture(
        "GPTNeoXConfig",
        {key: value for key, value in {**_SIZES, **_UNTIED}.items() if key != "num_key_value_heads"},
        "plain",
    ),
    "falcon": Architecture(
        "FalconConfig",
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": CONTEXT,
            "multi_query": True,
            "parallel_attn": True,
            **_TIED,
        },
        "plain",
    ),
    "mpt": Architecture(
        "MptConfig", {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_seq_len": CONTEXT, **_TIED}, "plain"
    ),
}

_LOOP = "{% for m in messages %}"
_ASK = "{% if add_generation_prompt %}"
DIALECTS: dict[str, Dialect] = {
    "plain": Dialect(None, ("<|bos|>", "<|endoftext|>", "<|padding|>", "<|unknown|>")),
    "chatml": Dialect(
        _LOOP + "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
        f"{_ASK}{{{{ '<|im_start|>assistant\n' }}}}{{% endif %}}",
        ("<|endoftext|>", "<|im_end|>", "<|pad|>", "<|unk|>", "<|im_start|>"),
    ),
    "llama2": Dialect(
        _LOOP + "{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}",
        ("<s>", "</s>", "<pad>", "<unk>"),
        pieces=True,
    ),
    "mistral": Dialect(
        "{{ bos_token }}" + _LOOP + "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
        "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
        ("<s>", "</s>", "<pad>", "<unk>", "[INST]", "[/INST]"),
        pieces=True,
    ),
    "llama3": Dialect(
        "{{ bos_token }}" + _LOOP + "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + "
        f"m['content'] + '<|eot_id|>' }}}}{{% endfor %}}{_ASK}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        ("<|begin_of_text|>", "<|eot_id|>", "<|pad|>", "<|unk|>", "<|start_header_id|>", "<|end_header_id|>"),
    ),
    "deepseek": Dialect(
        "{{ bos_token }}" + _LOOP + "{% if m['role'] == 'user' %}{{ 'User: ' + m['content'] + '\n\n' }}"
        "{% elif m['role'] == 'assistant' %}{{ 'Assistant: ' + m['content'] + eos_token }}"
        f"{{% else %}}{{{{ m['content'] + '\n\n' }}}}{{% endif %}}{{% endfor %}}{_ASK}"
        "{{ 'Assistant:' }}{% endif %}",
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|pad|>", "<|unk|>"),
    ),
    "gemma": Dialect(
        "{{ bos_token }}" + _LOOP + "{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim"
        f" + '<end_of_turn>\n' }}}}{{% endfor %}}{_ASK}{{{{ '<start_of_turn>model\n' }}}}{{% endif %}}",
        ("<bos>", "<end_of_turn>", "<pad>", "<unk>", "<start_of_turn>"),
        pieces=True,
    ),
    "gemma4": Dialect(
        "{{ bos_token }}" + _LOOP + "{{ '<|turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + "
        f"m['content'] | trim + '<turn|>\n' }}}}{{% endfor %}}{_ASK}{{{{ '<|turn>model\n' }}}}{{% endif %}}",
        ("<bos>", "<turn|>", "<pad>", "<unk>", "<|turn>"),
        pieces=True,
    ),
    "phi3": Dialect(
        _LOOP + "{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
        f"{_ASK}{{{{ '<|assistant|>\n' }}}}{{% endif %}}",
        ("<s>", "<|end|>", "<|pad|>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>"),
    ),
    "olmo": Dialect(
        "{{ bos_token }}" + _LOOP + "{{ '<|' + m['role'] + '|>\n' + m['content'] + ('\n' if m['role'] != 'assistant' "
        f"else eos_token + '\n') }}}}{{% endfor %}}{_ASK}{{{{ '<|assistant|>\n' }}}}{{% endif %}}",
        ("<|startoftext|>", "<|endoftext|>", "<|padding|>", "<|unk|>"),
    ),
    "granite": Dialect(
        _LOOP + "{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] + '<|end_of_text|>\n' }}"
        f"{{% endfor %}}{_ASK}{{{{ '<|start_of_role|>assistant<|end_of_role|>' }}}}{{% endif %}}",
        ("<|bos|>", "<|end_of_text|>", "<|pad|>", "<|unk|>", "<|start_of_role|>", "<|end_of_role|>"),
    ),
}


def save_checkpoint(name: str, folder: Path, *, seed: int = 7, **changes: Any) -> Path:
    """Write the tiny checkpoint of one family to `folder` and return it. Takes well under a second, loading torch
    aside."""
    architecture = ARCHITECTURES[name]
    dialect = DIALECTS[architecture.dialect]
    model = make_model(name, seed=seed, **changes)
    model.save_pretrained(folder)
    _save_tokenizer(dialect, folder)
    return folder


def make_model(name: str, *, seed: int = 7, **changes: Any) -> Any:
    """The family's model with random weights, in fp32 and ready to compute."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    architecture = ARCHITECTURES[name]
    bos, end, pad = range(3)
    special = {"bos_token_id": bos, "eos_token_id": end, "pad_token_id": pad}
    values = {"vocab_size": VOCABULARY, "initializer_range": 0.3, **special, **architecture.values, **changes}
    config = getattr(transformers, architecture.config)(**values)
    build: Callable[[Any], Any] = transformers.AutoModelForCausalLM.from_config
    if architecture.composite:
        composite = architecture.composite
        tiny = {"depth": 1, "num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2}
        config = getattr(transformers, f"{composite}Config")(
            text_config=config.to_dict(), vision_config=tiny, tie_word_embeddings=config.tie_word_embeddings, **special
        )
        build = getattr(transformers, f"{composite}ForConditionalGeneration")
    torch.manual_seed(seed)
    model = build(config).float().eval()
    model.generation_config.eos_token_id = end
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * architecture.noise)
        model.get_input_embeddings().weight.mul_(architecture.embedding)
    return model


def make_tokenizer(dialect: Dialect) -> tokenizers.Tokenizer:
    """The dialect's tokenizer: its control tokens come first, in their order."""
    train = _train_pieces if dialect.pieces else _train_bytes
    return train(list(dialect.tokens))


def _train_bytes(tokens: list[str]) -> tokenizers.Tokenizer:
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        TEXTS * 4,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - 8,
            special_tokens=tokens,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return core


def _train_pieces(tokens: list[str]) -> tokenizers.Tokenizer:
    """As SentencePiece does: ▁ for a blank, and bytes for characters without a piece of their own."""
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=tokens, show_progress=False)
    trained.train_from_iterator(TEXTS * 4, trainer)
    state = json.loads(trained.to_str())["model"]
    vocabulary: dict[str, int] = state["vocab"]
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    merges = [tuple(pair) for pair in state["merges"]]
    core = tokenizers.Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token=tokens[3]))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    core.add_special_tokens([AddedToken(token, special=True) for token in tokens])
    return core


def _save_tokenizer(dialect: Dialect, folder: Path) -> None:
    bos, end, pad, unknown, *_ = dialect.tokens
    make_tokenizer(dialect).save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": end,
        "pad_token": pad,
        "unk_token": unknown,
        **({"chat_template": dialect.template} if dialect.template else {}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
