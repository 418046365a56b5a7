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

    four, pip = tmp_path / "four" / "pip", tmp_path / "pip"
    main(["--out", str(four.parent), "--from", str(pip / "fp32"), "--four-bits", "--smoke", "--threads", "1"])
    assert "int4, temperature 0.3, top-p 0.9: +0.0 points lost against fp32" in capsys.readouterr().out
    assert (four / "fp32" / "model.onnx").read_bytes() == (pip / "fp32" / "model.onnx").read_bytes()
    sums = (four / "SHA256SUMS").read_text(encoding="ascii")
    assert "fp32/model.onnx" in sums
    assert "int4/model.onnx" in sums
    card = (four / "README.md").read_text(encoding="utf-8")
    assert "The 4-bit form has the same weights" not in card
    assert "with its weights rounded at every step: 6 steps over" in card
    assert "| fp32 | int4 |" in card


def test_the_4_bit_form_goes_on_from_an_exported_model_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "README.md").write_text("A card without a place for it.", encoding="utf-8")
    for options in ([], ["--from", str(tmp_path / "run")], ["--from", str(tmp_path / "older" / "fp32")]):
        with pytest.raises(SystemExit):
            main(["--out", str(tmp_path / "out"), "--four-bits", *options])
        assert "--four-bits needs --from with the folder fp32" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_only_a_run_or_an_exported_model_in_32_bits_can_be_gone_on_from(embedded: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a run's folder or an exported one"):
        earlier_weights(tmp_path, SMOKE.shape)
    with pytest.raises(ValueError, match="give the folder of the fp32 form"):
        earlier_weights(embedded / "int4", SMOKE.shape)
