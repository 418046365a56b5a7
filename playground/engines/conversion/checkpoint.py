"""The checkpoint that is converted: read with `transformers`, from safetensors only, without code of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from playground.engines.folder_reader import read_json
from playground.errors import ModelLoadError

_TEXT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)


def read_config(source: Path) -> Any:
    """The configuration, as `transformers` understands it. Raises ModelLoadError for architectures it does not know."""
    import transformers  # noqa: PLC0415

    raw = read_json(source, "config.json")
    if "quantization_config" in raw:
        raise ModelLoadError(
            "The checkpoint is quantised already, and quantising it again would ruin it. Choose the original model."
        )
    try:
        return transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (ValueError, KeyError, OSError, AttributeError, TypeError) as error:
        own_code = " It needs code of its own, which is never run here." if "auto_map" in raw else ""
        raise ModelLoadError(
            f"The installed transformers does not know the architecture {raw.get('model_type', '')!s:.40}.{own_code} "
            "Choose another model."
        ) from error


def load_model(source: Path, dtype: str = "float32") -> Any:
    """The model in `transformers`, ready to compute. Raises ModelLoadError."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            source, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False
        )
    except (SafetensorError, ValueError, KeyError, OSError, AttributeError, TypeError) as error:
        raise ModelLoadError(
            f"transformers cannot load the checkpoint ({type(error).__name__}). Download it again, or choose another."
        ) from error
    return model.eval().requires_grad_(requires_grad=False)


def text_config(config: Any) -> Any:
    """The language model's part of a configuration."""
    return config.get_text_config(decoder=True)


def windows(config: Any) -> list[int]:
    """How many tokens each layer looks back on, itself included; 0: all of them."""
    text = text_config(config)
    window = getattr(text, "sliding_window", None) or 0
    types = getattr(text, "layer_types", None)
    if types is None:
        return [window] * text.num_hidden_layers
    return [window if kind == "sliding_attention" else 0 for kind in types]


def copy_texts(source: Path, target: Path) -> None:
    """Tokenizer and template as the checkpoint has them; a tokenizer of an older form is brought into the present one.

    Raises ModelLoadError when there is none.
    """
    for name in _TEXT_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    if not (target / "tokenizer.json").is_file():
        import transformers  # noqa: PLC0415

        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        except (ValueError, KeyError, OSError, AttributeError, TypeError, ImportError) as error:
            raise _no_tokenizer() from error
        if not tokenizer.is_fast:
            raise _no_tokenizer()
        tokenizer.save_pretrained(target)


def _no_tokenizer() -> ModelLoadError:
    return ModelLoadError(
        "The checkpoint has no tokenizer that can be read without its own code. Choose a model with tokenizer.json."
    )
