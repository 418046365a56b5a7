"""The export: the same mathematics as transformers, and no wrong graph gets out."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlamaForCausalLM

from tests.training.conftest import ignore
from training.chat import export as exporting
from training.chat.dialogues import Dialogues
from training.chat.export import CHECKED_PROMPTS, ExportMismatch, Product, check, convert, export, write_checkpoint
from training.chat.forms import main as make_forms
from training.chat.model import LeanLlama, Shape
from training.chat.pipeline import SMOKE
from training.chat.runtime import ExportedModel
from training.chat.template import prompt_ids
from training.chat.train import BEST_FILE, Trainer, write_weights
from training.story.pipeline import SMOKE as TALES_IN_SHORT

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


@pytest.mark.parametrize("product", [PRODUCT, TALES_IN_SHORT.product], ids=["llama", "qwen 3"])
def test_the_4_bit_form_keeps_in_8_bits_what_loses_most(product: Product, smoke: Trainer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((smoke.folder / "tokenizer.json").read_bytes())
    torch.manual_seed(2)
    write_weights(LeanLlama(product.shape), tmp_path / product.weights)
    write_checkpoint(tmp_path, product, tmp_path / "hf")
    convert(tmp_path / "hf", tmp_path / "int4", "int4", product.shape)
    products = [node for node in onnx.load(tmp_path / "int4" / "model.onnx").graph.node if "MatMul" in node.op_type]
    in_4_bits = [node.name for node in products if onnx.helper.get_node_attr_value(node, "bits") == 4]
    assert sorted(name.split("/")[-2] for name in in_4_bits) == ["gate_proj", "gate_proj", "up_proj", "up_proj"]
    assert all(onnx.helper.get_node_attr_value(node, "bits") == 8 for node in products if node.name not in in_4_bits)
    assert ExportedModel(tmp_path / "int4").generate([3, 4, 5], 4)


def test_forms_are_made_anew_from_the_32_bit_one(embedded: Path, tmp_path: Path) -> None:
    make_forms(["--from", str(embedded / "fp32"), "--out", str(tmp_path), "--forms", "int4"])
    made, shipped = (onnx.load(folder / "int4" / "model.onnx").graph for folder in (tmp_path / "pip", embedded))
    assert list(made.initializer) == list(shipped.initializer)
    assert list(made.node) == list(shipped.node)


def test_forms_are_made_of_a_32_bit_form_of_the_named_sizes_only(
    embedded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        "give the folder of the fp32 form": ["--from", str(embedded / "int4")],
        "give a run's folder or an exported one": ["--from", str(tmp_path)],
        "a model of --lesson needs --lesson, any other must not have it": [
            "--from",
            str(embedded / "fp32"),
            "--lesson",
        ],
    }
    for said, options in wrong.items():
        with pytest.raises(SystemExit):
            make_forms([*options, "--out", str(tmp_path / "out")])
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


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
