"""PyTorch on a graphics card: the CPU's tokens, and its speed against plain `transformers` and the card's memory.

While an answer is written, every token needs all weights and the keys and values so far to be read once: what the
memory of the card gives, measured by copying, is the most that any engine can do. Results are written beside this file,
with the card's name.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.checkpoint import checkpoint
from benchmarks.rows import Row, shown
from playground.catalog.catalog import Catalog
from playground.domain import SamplingParams
from playground.engines.contract import Device, EngineOptions, Prompt
from playground.engines.local_engine import LocalEngine

BATCHES = (1, 8, 32)
PROMPT = 128
STEPS = 128
SAME_STEPS = 32
WARM_UPS = 1


def measure() -> Iterator[Row]:
    """Nothing but a sentence where there is no card."""
    import torch  # noqa: PLC0415  only who measures a card pays for loading torch

    if not torch.cuda.is_available():
        print("  There is no CUDA device here, so nothing was measured on a card.")
        return
    card = torch.cuda.get_device_name()
    rows = []
    for row in _rows(torch):
        rows.append(row)
        yield row
    slug = re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-")
    text = "\n".join([f"{card}, PyTorch {torch.__version__}", *map(shown, rows)])
    (Path(__file__).parent / f"gpu-{slug}.txt").write_text(text + "\n", encoding="utf-8")


def _rows(torch: Any) -> Iterator[Row]:
    tokens, apart = _against_cpu()
    yield Row("fp32: answers with the CPU's tokens", tokens, "of 1", 1.0)
    yield Row("fp32: largest difference of a log-probability", apart, "", 1e-3, at_least=False)
    bandwidth = _bandwidth(torch)
    yield Row("memory of the card, by copying", bandwidth / 1e9, "GB/s")
    engine = _load("cuda", "bf16")
    try:
        ours = {batch: _engine_speed(engine, batch) for batch in BATCHES}
    finally:
        engine.close()
    model = _plain(torch)
    for batch in BATCHES:
        theirs = _plain_speed(torch, model, batch)
        limit = bandwidth * batch / _bytes_per_step(model, batch)
        yield Row(f"bf16: engine, {batch} at once", ours[batch], "tokens/s", detail=f"transformers {theirs:.0f}")
        yield Row(f"bf16: engine / transformers generate, {batch} at once", ours[batch] / theirs, "x", 1.0)
        yield Row(f"bf16: engine / what the memory allows, {batch} at once", ours[batch] / limit, "x")


def _load(device: Device, dtype: str) -> LocalEngine:
    from playground.engines.torch_engine import load_torch_engine  # noqa: PLC0415

    base = Catalog.load().get("pip")
    options: dict[str, str | int | float | bool] = {"dtype": dtype}
    spec = replace(base, id="torch", engine="torch", path=checkpoint(), context_length=2048, engine_options=options)
    return load_torch_engine(spec, EngineOptions(max_batch=max(BATCHES), device=device), lambda _: None)


def _against_cpu() -> tuple[float, float]:
    """The share of answers with equal tokens, and the largest difference between log-probabilities of the prompts."""
    answers, scores = [], []
    devices: tuple[Device, ...] = ("cpu", "cuda")
    for device in devices:
        engine = _load(device, "fp32")
        try:
            answers.append([_answer(engine, _prompt(stream), SAME_STEPS) for stream in range(8)])
            scores.append([value for stream in range(8) for value in engine.score(_prompt(stream).token_ids)])
        finally:
            engine.close()
    equal = sum(one == other for one, other in zip(*answers, strict=True))
    return equal / len(answers[0]), max(abs(one - other) for one, other in zip(*scores, strict=True))


def _answer(engine: LocalEngine, prompt: Prompt, steps: int) -> list[int]:
    params = SamplingParams(temperature=0.0, max_tokens=steps, logprobs=0)
    return [item.token_id for delta in engine.generate(prompt, params) for item in delta.logprobs]


def _prompt(stream: int, turn: int = 0) -> Prompt:
    return Prompt((), tuple(3 + (7 * stream + 31 * turn + place * (stream + 2)) % 40_000 for place in range(PROMPT)))


def _engine_speed(engine: LocalEngine, batch: int) -> float:
    """Tokens per second from the requests to the last token, with prompts that are new each time."""
    params = SamplingParams(temperature=0.0, max_tokens=STEPS)
    speed = 0.0
    for turn in range(WARM_UPS + 1):
        written = [0] * batch

        def consume(stream: int, turn: int = turn, written: list[int] = written) -> None:
            for delta in engine.generate(_prompt(stream, turn), params):
                written[stream] += delta.usage.completion_tokens if delta.usage is not None else 0

        threads = [threading.Thread(target=consume, args=(stream,)) for stream in range(batch)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        speed = sum(written) / (time.perf_counter() - began)
    return speed


def _plain(torch: Any) -> Any:
    import transformers  # noqa: PLC0415

    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint(), dtype=torch.bfloat16)
    placed: Any = model
    return placed.to("cuda").eval()


def _plain_speed(torch: Any, model: Any, batch: int) -> float:
    speed = 0.0
    for turn in range(WARM_UPS + 1):
        ids = torch.tensor([_prompt(stream, turn).token_ids for stream in range(batch)], device="cuda")
        began = time.perf_counter()
        answer = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=STEPS, pad_token_id=0
        )
        torch.cuda.synchronize()
        speed = batch * (answer.shape[1] - PROMPT) / (time.perf_counter() - began)
    return speed


def _bandwidth(torch: Any) -> float:
    """Bytes per second that a copy reads and writes."""
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    rounds = 10
    for turn in range(rounds + 2):
        if turn == 2:
            torch.cuda.synchronize()
            began = time.perf_counter()
        target.copy_(source)
    torch.cuda.synchronize()
    return float(rounds * 2 * source.numel() / (time.perf_counter() - began))


def _bytes_per_step(model: Any, batch: int) -> float:
    config = model.config
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 2
    return float(weights + batch * token * (PROMPT + STEPS / 2))
