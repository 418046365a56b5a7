"""Whether the memory plan holds: what real workers take of the machine, as a share of what was planned for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.checkpoint import converted
from benchmarks.rows import Row
from playground.catalog.catalog import Catalog
from playground.catalog.memory_plan import RUNTIMES, Need
from playground.catalog.shape import ModelShape
from playground.catalog.spec import ModelSpec
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.worker_engine import WorkerEngine

_PROMPT = 1500
_SHARE = 1.0
_SECONDS = 180.0


def measure() -> Iterator[Row]:
    """Load Pip and the 135M model in every precision, and read one long prompt: the most it took at any time."""
    pip = Catalog.load().get("pip").path
    if pip is None:
        raise AssertionError("Pip ships with the project")
    yield _row("Pip int8", pip, "int8")
    for precision in ("int4", "int8", "fp32"):
        yield _row(f"135M {precision}", converted(precision), precision)


def _row(name: str, folder: Path, precision: str) -> Row:
    shape = _shape(folder)
    tokens = min(_PROMPT, shape.context_length - 8)
    files = sum(file.stat().st_size for file in folder.glob("model.onnx*"))
    need = Need(
        shape=shape,
        runtime=RUNTIMES["onnx", "cpu"],
        context_length=tokens,
        precision=precision,
        weights_bytes=files,
    )
    taken = _taken(folder, tokens)
    detail = f"{taken / 2**20:.0f} of {need.total(tokens) / 2**20:.0f} MiB, weights {files / 2**20:.0f}"
    return Row(f"memory of a worker with {name}", taken / need.total(tokens), "of the plan", _SHARE, False, detail)


def _shape(folder: Path) -> ModelShape:
    model = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]
    decoder = model["decoder"]
    return ModelShape(
        architecture=model["type"],
        parameters=0,
        hidden_size=decoder["hidden_size"],
        kv_layers=decoder["num_hidden_layers"],
        kv_heads=decoder["num_key_value_heads"],
        head_size=decoder["head_size"],
        vocab_size=model["vocab_size"],
        context_length=model["context_length"],
        heads=decoder["num_attention_heads"],
    )


def _taken(folder: Path, tokens: int) -> int:
    spec = ModelSpec(
        id=folder.name,
        name=folder.name,
        family="",
        engine="onnx",
        context_length=0,
        description={},
        licence="",
        languages=(),
        path=folder,
    )
    engine = WorkerEngine(
        spec,
        EngineOptions(max_batch=1),
        lambda _: None,
        start_seconds=_SECONDS,
        stall_seconds=_SECONDS,
        abandoned=lambda: False,
    )
    try:
        prompt = Prompt((), tuple(10 + place % 200 for place in range(tokens - 4)))
        for _ in engine.generate(prompt, SamplingParams(temperature=0.0, max_tokens=4)):
            pass
        return _peak(engine.pid)
    finally:
        engine.close()


def _peak(pid: int) -> int:
    """The most resident memory a process ever had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
