"""The export: the same mathematics as transformers, and no wrong graph gets out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlamaForCausalLM

from tests.training.conftest import ignore
from training.chat import export as exporting
from training.chat.dialogues import Dialogues
from training.chat.export import CHECKED_PROMPTS, ExportMismatch, Product, check, export, write_checkpoint
from training.chat.model import Shape
from training.chat.pipeline import SMOKE
from training.chat.template import prompt_ids
from training.chat.train import BEST_FILE, Trainer, write_weights

PRODUCT = replace(SMOKE.product, weights=BEST_FILE)


@pytest.fixture(scope="module")
def checkpoint(smoke: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke run as a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(smoke.folder, PRODUCT, folder)
    return folder


def test_checkpoint_computes_what_was_trained(smoke: Trainer, checkpoint: Path) -> None:
    ids = torch.arange(3, 60)[None]
    loaded = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    with torch.no_grad():
        expected = smoke.average.module(ids, torch.ones_like(ids))
        assert torch.allclose(loaded(ids).logits, expected, atol=1e-4)


def test_chat_template_equals_the_training_form(checkpoint: Path) -> None:
    turns = [("system", "Be kind."), ("user", "Xin chào"), ("assistant", "Chào bạn!"), ("user", "1 + 1?")]
    messages = [{"role": role, "content": text} for role, text in turns]
    wrapped = AutoTokenizer.from_pretrained(checkpoint)
    text = wrapped.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert wrapped.encode(text) == prompt_ids(Tokenizer.from_file(str(checkpoint / "tokenizer.json")), turns)


def test_check_finds_a_wrong_graph(smoke: Trainer, embedded: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((embedded / "int8" / "tokenizer.json").read_bytes())
    torch.manual_seed(1)
    strange = type(smoke.model)(Shape())
    write_weights(strange, tmp_path / "best.safetensors")
    write_checkpoint(tmp_path, Product("strange", Shape(), Dialogues), tmp_path / "hf")
    assert check(tmp_path / "hf", embedded / "int8", Dialogues, limit=4) < CHECKED_PROMPTS


def test_export_refuses_a_wrong_graph(smoke: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tokenizer.json", "best.safetensors"):
        (tmp_path / name).write_bytes((smoke.folder / name).read_bytes())
    monkeypatch.setattr(exporting, "convert", lambda *_: None)
    monkeypatch.setattr(exporting, "check", lambda *_: CHECKED_PROMPTS - 1)
    with pytest.raises(ExportMismatch, match="only 19 of 20"):
        export(tmp_path, PRODUCT, ("fp32",), ignore)
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.json", "best.safetensors"}
