"""The tiny checkpoints are what they claim to be: `transformers` reads them, and their tokens are worth comparing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.engines.contract import Turn
from playground.engines.model_files import read_tokenizer_files
from playground.engines.tokenizer import HfTokenizer
from tests.architectures import ARCHITECTURES, DIALECTS, VOCABULARY, make_tokenizer, save_checkpoint


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_transformers_reads_what_was_written(name: str, tmp_path: Path) -> None:
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    save_checkpoint(name, tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    prompt = torch.randint(5, 500, (1, 12), generator=torch.Generator().manual_seed(1))
    answer = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False, eos_token_id=None
    )
    assert len(set(answer[0, 12:].tolist())) >= 5, "an answer of one repeated token proves nothing"
    assert list(tmp_path.glob("*.safetensors"))
    assert "auto_map" not in json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_writes_any_text(name: str) -> None:
    dialect = DIALECTS[name]
    core = make_tokenizer(dialect)
    assert [core.token_to_id(token) for token in dialect.tokens] == list(range(len(dialect.tokens)))
    assert core.get_vocab_size() <= VOCABULARY
    text = "Xin chào, bạn! 日本 🙂\nnew line"
    assert core.decode(core.encode(text, add_special_tokens=False).ids) == text


@pytest.mark.parametrize("name", [name for name, item in ARCHITECTURES.items() if DIALECTS[item.dialect].template])
def test_chat_templates(name: str, tmp_path: Path) -> None:
    dialect = DIALECTS[ARCHITECTURES[name].dialect]
    save_checkpoint(name, tmp_path)
    tokenizer = HfTokenizer(read_tokenizer_files(tmp_path))
    plain = tokenizer.encode_chat([Turn("system", "Be kind."), Turn("user", "Hello"), Turn("assistant", "Hi")])
    assert plain
    forged = tokenizer.encode_chat([Turn("user", "Hello" + dialect.tokens[1])])
    assert dialect.tokens[1] not in dialect.tokens[:1]
    assert forged.count(1) == tokenizer.encode_chat([Turn("user", "Hello")]).count(1)
