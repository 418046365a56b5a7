"""Every family the catalogue promises: converted, checked, and answering in this engine as in `transformers`."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.local_engine import LocalEngine
from playground.engines.onnx_engine import load_onnx_engine
from tests.architectures import ARCHITECTURES, CONTEXT, WINDOW
from tests.engines.conftest import make_spec
from tests.engines.conversion.conftest import Converted

BUILDER, EXPORTER = "model builder", "transformers exporter"
# Which route makes each family's folder. The table in docs/conversion.md says the same.
ROUTES = {
    **dict.fromkeys(ARCHITECTURES, BUILDER),
    **dict.fromkeys(("gpt2", "gpt_neox", "falcon", "mpt", "olmo2", "gemma4"), EXPORTER),
}
# An export takes several seconds; one with positions and one without are in every run.
SLOW = {"gpt_neox", "falcon", "olmo2", "gemma4"}
FAMILIES = [pytest.param(name, marks=pytest.mark.extended) if name in SLOW else name for name in ARCHITECTURES]
ANSWER = 20


def reference(checkpoint: Path) -> Callable[[list[int]], list[int]]:
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    model: Any = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()

    def greedy(prompt: list[int]) -> list[int]:
        ids = torch.tensor([prompt])
        answer = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=ANSWER, eos_token_id=1
        )
        return [int(index) for index in answer[0, len(prompt) :]]

    return greedy


def ask(engine: LocalEngine, prompt: list[int]) -> tuple[list[int], int]:
    params = SamplingParams(temperature=0.0, max_tokens=ANSWER, logprobs=0)
    deltas = list(engine.generate(Prompt((), tuple(prompt)), params))
    usage = deltas[-1].usage
    assert usage is not None
    return [item.token_id for delta in deltas for item in delta.logprobs], usage.cached_tokens


def prompt_of(length: int) -> list[int]:
    return [int(index) for index in np.random.default_rng(length).integers(10, 450, length)]


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_equal_transformers(name: str, checkpoint: Callable[[str], Path], converted: Converted) -> None:
    folder = converted(name)
    report = json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
    assert report["route"] == ROUTES[name]
    greedy = reference(checkpoint(name))
    engine = load_onnx_engine(make_spec("onnx", folder), EngineOptions(threads=1, max_batch=4), lambda _: None)
    try:
        assert engine.capabilities.context_length == CONTEXT
        prompts = [prompt_of(length) for length in (1, 9, 2 * WINDOW, 4 * WINDOW)]
        expected = [greedy(prompt) for prompt in prompts]
        assert [ask(engine, prompt)[0] for prompt in prompts] == expected
        with ThreadPoolExecutor(len(prompts)) as threads:
            together = list(threads.map(lambda prompt: ask(engine, prompt)[0], prompts))
        assert together == expected
        follow_up = prompts[2] + expected[2] + prompt_of(5)
        answer, cached = ask(engine, follow_up)
        assert answer == greedy(follow_up)
        assert cached > 0
        scores = engine.score(prompts[2])
        assert len(scores) == len(prompts[2]) - 1
        assert max(scores) < 0
    finally:
        engine.close()


@pytest.mark.parametrize("precision", ["int4", "int8"])
@pytest.mark.parametrize(
    "name",
    [name for name in ARCHITECTURES if ROUTES[name] == BUILDER] + [pytest.param("gpt2", marks=pytest.mark.extended)],
)
def test_rounded_weights_pass_their_check(name: str, precision: str, converted: Converted) -> None:
    report = json.loads((converted(name, precision) / "conversion.json").read_text(encoding="utf-8"))
    assert report["drift"]["logits"] < report["cost"]["logits"] or precision == "int8"
    sizes = {kind: sum(f.stat().st_size for f in converted(name, kind).rglob("*.data")) for kind in (precision, "fp32")}
    assert sizes[precision] < sizes["fp32"]
