"""The command: from texts to a model with its card, in one go."""

from pathlib import Path

import pytest

from training.chat.__main__ import main
from training.chat.export import CHECKED_PROMPTS


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
