"""LoRA adapters: merged as peft's formula says, and refused by name where another formula holds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engines.conversion.adapters import merge_adapter
from playground.errors import ModelLoadError

RANK = 4
CONFIG = {"peft_type": "LORA", "r": RANK, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"], "bias": "none"}
QUERY, DOWN = "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"


def make_adapter(folder: Path, *, tensors: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Two adapted matrices of the tiny Llama 3."""
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    folder.mkdir()
    torch.manual_seed(3)
    pairs = {}
    for module, (outputs, inputs) in {QUERY: (64, 64), DOWN: (64, 128)}.items():
        pairs[f"base_model.model.{module}.lora_A.weight"] = torch.randn(RANK, inputs)
        pairs[f"base_model.model.{module}.lora_B.weight"] = 0.05 * torch.randn(outputs, RANK)
    save_file({**pairs, **(tensors or {})}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | changes), encoding="utf-8")
    return folder


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file  # noqa: PLC0415

    return load_file(next(folder.glob("*.safetensors")))


def test_merging_is_what_the_adapted_layer_computes(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    import torch  # noqa: PLC0415

    base = checkpoint("llama3")
    adapter = make_adapter(tmp_path / "adapter")
    merge_adapter(base, adapter, tmp_path / "merged")
    before, after = weights(base), weights(tmp_path / "merged")
    assert before.keys() == after.keys()
    pairs = weights(adapter)
    for module in (QUERY, DOWN):
        one, two = (pairs[f"base_model.model.{module}.lora_{side}.weight"] for side in "AB")
        inputs = torch.randn(5, one.shape[1])
        weight = before[f"{module}.weight"]
        # peft's layer: the base layer's result, and beside it B(A(x)) times alpha / r
        expected = inputs @ weight.T + (inputs @ one.T @ two.T) * (8 / RANK)
        assert torch.allclose(inputs @ after[f"{module}.weight"].T, expected, atol=1e-4)
    assert all(torch.equal(before[name], after[name]) for name in before if name[:-7] not in (QUERY, DOWN))
    import transformers  # noqa: PLC0415

    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged").config.model_type == "llama"


def test_scales_and_whole_tensors(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    import torch  # noqa: PLC0415

    base = checkpoint("llama3")
    norm = torch.full((64,), 2.5)
    adapter = make_adapter(
        tmp_path / "adapter",
        tensors={"base_model.model.model.norm.weight": norm},
        use_rslora=True,
        modules_to_save=["norm"],
        alpha_pattern={"down_proj": 16},
    )
    merge_adapter(base, adapter, tmp_path / "merged")
    before, after, pairs = weights(base), weights(tmp_path / "merged"), weights(adapter)
    assert torch.equal(after["model.norm.weight"], norm)
    for module, alpha in ((QUERY, 8), (DOWN, 16)):
        one, two = (pairs[f"base_model.model.{module}.lora_{side}.weight"] for side in "AB")
        change = alpha / RANK**0.5 * (two @ one)
        assert torch.allclose(after[f"{module}.weight"], before[f"{module}.weight"] + change, atol=1e-5)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another kind": ({"peft_type": "IA3"}, "its kind is IA3"),
    "DoRA": ({"use_dora": True}, "use_dora"),
    "biases": ({"bias": "all"}, "biases"),
    "no rank": ({"r": None}, "r or lora_alpha is missing"),
    "another rank": ({"r": 8}, "shape"),
    "turned matrices": ({"fan_in_fan_out": True}, "shape"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_forms_are_refused(kind: str, checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    changes, reason = REFUSED[kind]
    with pytest.raises(ModelLoadError, match=reason):
        merge_adapter(checkpoint("llama3"), make_adapter(tmp_path / "adapter", **changes), tmp_path / "merged")


def test_unknown_and_foreign_tensors_are_refused(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    import torch  # noqa: PLC0415

    base = checkpoint("llama3")
    magnitude = {f"base_model.model.{QUERY}.lora_magnitude_vector.weight": torch.ones(64)}
    with pytest.raises(ModelLoadError, match="meaning is not known"):
        merge_adapter(base, make_adapter(tmp_path / "dora", tensors=magnitude), tmp_path / "one")
    half = {f"base_model.model.{DOWN.replace('1', '0')}.lora_A.weight": torch.ones(RANK, 128)}
    with pytest.raises(ModelLoadError, match="no pair"):
        merge_adapter(base, make_adapter(tmp_path / "half", tensors=half), tmp_path / "two")
    with pytest.raises(ModelLoadError, match="that the base model does not have"):
        merge_adapter(checkpoint("gpt2"), make_adapter(tmp_path / "adapter"), tmp_path / "three")
    shutil.rmtree(tmp_path / "adapter")
    adapter = make_adapter(tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0garbage!")
    with pytest.raises(ModelLoadError, match="damaged"):
        merge_adapter(base, adapter, tmp_path / "four")
