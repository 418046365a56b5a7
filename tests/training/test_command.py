"""The command: from texts to a model with its card, in one go."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.chat.__main__ import main
from training.chat.choosing import CHOSEN_FILE
from training.chat.earlier import earlier_weights
from training.chat.export import CHECKED_PROMPTS
from training.chat.pipeline import SMOKE


def test_smoke_run_makes_a_checked_model_with_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path), "--smoke", "--threads", "1"])
    told = capsys.readouterr().out
    assert "tokens/s" in told
    assert f"fp32: {CHECKED_PROMPTS} of {CHECKED_PROMPTS} greedy answers" in told
    assert "| terms | vi | 2 |" in told
    assert "fp32, temperature 0: in scope, all topics (en)" in told
    exported = {path.name for path in (tmp_path / "pip" / "fp32").iterdir()}
    assert {"model.onnx", "genai_config.json", "tokenizer.json", "chat_template.jinja"} <= exported
    assert "on the project's own texts alone" in (tmp_path / "pip" / "README.md").read_text(encoding="utf-8")

    chosen = load_file(tmp_path / CHOSEN_FILE)
    again = earlier_weights(tmp_path / "pip" / "fp32", SMOKE.shape)
    assert again.keys() == chosen.keys()
    for name, weight in again.items():
        assert torch.equal(weight, chosen[name]), name


def test_only_a_run_or_an_exported_model_in_32_bits_can_be_gone_on_from(embedded: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a run's folder or an exported one"):
        earlier_weights(tmp_path, SMOKE.shape)
    with pytest.raises(ValueError, match="give the folder of the fp32 form"):
        earlier_weights(embedded / "int4", SMOKE.shape)
