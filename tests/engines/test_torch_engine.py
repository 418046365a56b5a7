"""The PyTorch engine: every family against transformers, hostile and broken checkpoints, bad numbers, no memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.local_engine import LocalEngine
from playground.engines.torch_engine import load_torch_engine
from playground.engines.torch_runner import TorchRunner
from playground.errors import EngineError, ModelLoadError, OutOfMemory
from tests.architectures import ARCHITECTURES, make_model, save_checkpoint
from tests.engines.answers import ask, prompt_of
from tests.engines.conftest import make_spec

Load = Callable[..., LocalEngine]
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: not tried on a GPU")
COUNT = 12


@pytest.fixture
def load() -> Iterator[Load]:
    engines: list[LocalEngine] = []

    def make(folder: Path, row: dict[str, Any] | None = None, **changes: Any) -> LocalEngine:
        spec = make_spec("torch", folder)
        spec.engine_options.update(row or {})
        options = EngineOptions(**({"threads": 1, "max_batch": 4, "kv_cache_mb": 64} | changes))
        engines.append(load_torch_engine(spec, options, lambda _: None))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def expected(model: Any, prompt: list[int], count: int = COUNT) -> list[int]:
    ids = torch.tensor([prompt])
    answer = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count, pad_token_id=2
    )
    return [int(token) for token in answer[0, len(prompt) :]]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_family_gives_the_tokens_of_transformers(name: str, tmp_path: Path, load: Load) -> None:
    model, engine = make_model(name), load(save_checkpoint(name, tmp_path))
    prompts = [prompt_of(length) for length in (45, 1, 9)]  # the first is longer than any window here
    alone = [ask(engine, prompt, max_tokens=COUNT, logprobs=0).tokens for prompt in prompts]
    assert alone == [expected(model, prompt) for prompt in prompts]
    others = [prompt_of(length, 1) for length in (50, 3, 20)]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda prompt: ask(engine, prompt, max_tokens=COUNT, logprobs=0).tokens, others))
    assert together == [expected(model, prompt) for prompt in others]
    follow_up = prompts[0] + alone[0] + prompt_of(4)
    answer = ask(engine, follow_up, max_tokens=COUNT, logprobs=0)
    assert answer.cached >= len(prompts[0])
    assert answer.tokens == expected(model, follow_up)


@pytest.mark.parametrize("name", ["lfm2", "qwen3_5"])
def test_a_running_state_is_continued_whole_or_not_at_all(name: str, tmp_path: Path, load: Load) -> None:
    model, engine = make_model(name), load(save_checkpoint(name, tmp_path))
    prompt = prompt_of(40)
    first = ask(engine, prompt, max_tokens=COUNT, logprobs=0)
    again = ask(engine, prompt, max_tokens=COUNT, logprobs=0)
    assert (again.cached, again.tokens) == (0, first.tokens)
    edited = prompt[:30] + prompt_of(5)
    answer = ask(engine, edited, max_tokens=COUNT, logprobs=0)
    assert (answer.cached, answer.tokens) == (0, expected(model, edited))
    scores = engine.score(prompt)
    logits = torch.log_softmax(model(torch.tensor([prompt])).logits[0].detach().double(), -1)
    assert scores == pytest.approx([float(logits[at, token]) for at, token in enumerate(prompt[1:])], abs=1e-4)


def change_json(name: str, **changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / name
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(content | changes), encoding="utf-8")

    return change


def index(*names: str) -> Callable[[Path], object]:
    content = {"weight_map": {f"layer.{at}": name for at, name in enumerate(names)}}
    return lambda folder: (folder / "model.safetensors.index.json").write_text(json.dumps(content), encoding="utf-8")


def pickle_only(folder: Path) -> None:
    torch.save({"x": torch.zeros(1)}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in weights if "mlp" in name)]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def not_a_number(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    next(weight for name, weight in weights.items() if "mlp" in name).fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def linked_outside(folder: Path) -> None:
    shutil.move(folder / "model.safetensors", folder.parent / "elsewhere.safetensors")
    (folder / "model.safetensors").symlink_to(folder.parent / "elsewhere.safetensors")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "has no file config.json"),
    "an unknown architecture": (change_json("config.json", model_type="wonder"), "'wonder' is not known"),
    "no architecture": (change_json("config.json", model_type=None), "is not known"),
    "not a text model": (change_json("config.json", model_type="vit"), "do not write text"),
    "sizes that are none": (change_json("config.json", hidden_size="many"), "malformed|do not fit"),
    "other sizes": (change_json("config.json", intermediate_size=96), "do not fit"),
    "pickles only": (pickle_only, "no weights in the safetensors format"),
    "pickles in the index": (index("a.safetensors", "pytorch_model.bin"), "no safetensors"),
    "an index that leads out": (index("../elsewhere.safetensors"), "lies outside"),
    "an index of nothing": (index("gone.safetensors"), r"has no file gone\.safetensors"),
    "linked from outside": (linked_outside, "lies outside"),
    "truncated weights": (truncate, "damaged"),
    "a missing layer": (without_a_layer, "1 of its weights are missing"),
    "no numbers": (not_a_number, "fails on its first token"),
    "an end that is no token": (change_json("generation_config.json", eos_token_id="end"), "eos_token_id"),
    "a quantisation of its own": (
        change_json("config.json", quantization_config={"quant_method": "gptq", "bits": 4}),
        "do not fit|damaged",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_checkpoints_are_refused(kind: str, hf_folder: Path, tmp_path: Path, load: Load) -> None:
    folder = shutil.copytree(hf_folder, tmp_path / "model")
    damage, sentence = BROKEN[kind]
    damage(folder)
    with pytest.raises(ModelLoadError, match=sentence) as caught:
        load(folder)
    assert str(caught.value).endswith(".")
    assert str(tmp_path) not in str(caught.value)


def test_nothing_of_a_folder_is_run_or_fetched(hf_folder: Path, tmp_path: Path, load: Load) -> None:
    folder = shutil.copytree(hf_folder, tmp_path / "model")
    (folder / "modeling_evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    evil = {"AutoConfig": "modeling_evil.Config", "AutoModelForCausalLM": "modeling_evil.Model"}
    change_json("config.json", auto_map=evil, attn_implementation="somebody/kernels:attention")(folder)
    change_json("config.json", _attn_implementation_internal="somebody/kernels:attention")(folder)
    prompt = prompt_of(9)
    assert ask(load(folder), prompt).text == ask(load(hf_folder), prompt).text
    assert not (tmp_path / "ran").exists()


def test_what_ends_an_answer_comes_from_the_model(hf_folder: Path, tmp_path: Path, load: Load) -> None:
    prompt = prompt_of(25)
    tokens = ask(load(hf_folder), prompt, logprobs=0).tokens
    folder = shutil.copytree(hf_folder, tmp_path / "model")
    change_json("generation_config.json", eos_token_id=[499, tokens[5]])(folder)
    assert ask(load(folder), prompt, logprobs=0).tokens == tokens[: tokens.index(tokens[5]) + 1]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"dtype": "fp8"}, "dtype is 'fp8'; it must be one of fp32, bf16, fp16"),
        ({"quantization": "int3"}, "'int3'; it must be one of int8, int4"),
        ({"quantization": "int4"}, "needs the package|works on CUDA only"),
        ({"compile": True}, "compile pays on CUDA only"),
    ],
)
def test_options_that_cannot_be_had_are_named(row: dict[str, Any], sentence: str, hf_folder: Path, load: Load) -> None:
    with pytest.raises(ModelLoadError, match=sentence):
        load(hf_folder, row)


def test_half_precision_runs_on_the_cpu_too(hf_folder: Path, load: Load) -> None:
    engine = load(hf_folder, {"dtype": "bf16"})
    prompts = [prompt_of(length) for length in (5, 30)]
    assert all(len(ask(engine, prompt, logprobs=0).tokens) == 24 for prompt in prompts)


def test_memory_that_runs_out_fails_the_answer_and_not_the_engine(
    hf_folder: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(hf_folder)
    prompt = prompt_of(30)
    before = ask(engine, prompt, logprobs=0).tokens
    forward = TorchRunner._forward
    calls = iter(range(100))

    def hungry(self: TorchRunner, *arguments: Any) -> torch.Tensor:
        if next(calls) == 7:
            torch.empty(2**60, dtype=torch.uint8)
        return forward(self, *arguments)

    monkeypatch.setattr(TorchRunner, "_forward", hungry)
    with pytest.raises(OutOfMemory, match="smaller model"):
        ask(engine, prompt_of(20))
    answer = ask(engine, prompt, logprobs=0)
    assert (answer.cached, answer.tokens) == (0, before)


def test_values_that_are_no_numbers_fail_the_answer_and_not_the_engine(tmp_path: Path, load: Load) -> None:
    folder = save_checkpoint("llama2", tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][500] = float("nan")  # a token that the trial at loading does not use
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    engine = load(folder)
    before = ask(engine, prompt_of(20), logprobs=0).tokens
    with pytest.raises(EngineError, match="no numbers"):
        ask(engine, [*prompt_of(20), 500, 7])
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: ask(engine, prompt_of(20), logprobs=0).tokens, range(4)))
    assert answers == [before] * 4


def test_memory_for_keys_and_values_limits_the_context(hf_folder: Path, load: Load) -> None:
    bytes_per_token = 2 * 2 * 2 * 16 * 4
    assert load(hf_folder, kv_cache_mb=1).capabilities.context_length == min(512, 2**20 // bytes_per_token)
    with pytest.raises(OutOfMemory, match="Raise kv_cache_mb"):
        load(hf_folder, kv_cache_mb=0)


def test_a_model_that_is_not_itself_in_a_batch_is_refused(
    hf_folder: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = TorchRunner._forward

    def forgetful(self: TorchRunner, ids: Any, positions: Any, mask: Any, options: Any) -> torch.Tensor:
        return forward(self, ids, positions * 0, mask, options)

    monkeypatch.setattr(TorchRunner, "_forward", forgetful)
    with pytest.raises(ModelLoadError, match="other values for several answers at once"):
        load(hf_folder)


@NEEDS_CUDA
@pytest.mark.parametrize("name", ["llama3", "gemma3", "lfm2"])
def test_cuda_gives_the_tokens_of_the_cpu(name: str, tmp_path: Path, load: Load) -> None:
    folder = save_checkpoint(name, tmp_path)
    prompts = [prompt_of(length) for length in (45, 1, 9)]
    on_cpu = [ask(load(folder), prompt, logprobs=0).tokens for prompt in prompts]
    engine = load(folder, {"dtype": "fp32"}, device="cuda")
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda prompt: ask(engine, prompt, logprobs=0).tokens, prompts)) == on_cpu


def test_cuda_that_is_not_there_is_said(hf_folder: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelLoadError, match=r"finds no CUDA device here\. Set device to cpu"):
        load(hf_folder, device="cuda")


def test_a_stream_that_is_left_ends_within_a_step(hf_folder: Path, load: Load) -> None:
    engine = load(hf_folder, max_batch=1)
    stream = engine.generate(Prompt((), tuple(prompt_of(9))), SamplingParams(temperature=0.0, max_tokens=480))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(ask(engine, prompt_of(9), logprobs=0).tokens) == 24
