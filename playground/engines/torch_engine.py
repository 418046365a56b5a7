"""Runs `transformers` checkpoints with PyTorch: on CUDA, and on the CPU where no faster engine knows the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers.utils import logging as library_logging

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Stage
from playground.engines.contract import EngineOptions, Progress
from playground.engines.detokenizer import TokenTable
from playground.engines.folder_reader import open_folder, read_text
from playground.engines.local_engine import LocalEngine, warm_up
from playground.engines.threads import default_threads
from playground.engines.tokenizer import parse_tokenizer
from playground.engines.torch_checkpoint import Checkpoint, load_model, read_checkpoint
from playground.engines.torch_options import TorchOptions, choose_options
from playground.engines.torch_runner import TorchRunner
from playground.errors import EngineError, ModelLoadError, OutOfMemory

# How far logits of the batched way may lie from those of the model run at once, as a share of their size.
_TOLERANCE = {torch.float32: 1e-3}
_HALF_TOLERANCE = 0.2


@dataclass(frozen=True, slots=True)
class Weights:
    """A loaded checkpoint that has not computed anything yet."""

    checkpoint: Checkpoint
    chosen: TorchOptions
    table: TokenTable
    model: Any


def load_torch_engine(spec: ModelSpec, options: EngineOptions, progress: Progress) -> LocalEngine:
    """Load the checkpoint of a catalogue row. Raises ModelLoadError or OutOfMemory."""
    progress(Loading(Stage.LOADING))
    weights = load_weights(spec, options)
    progress(Loading(Stage.WARMING_UP))
    return assemble(spec, options, weights)


def load_weights(spec: ModelSpec, options: EngineOptions) -> Weights:
    """Put a checkpoint's weights where they will compute. Raises ModelLoadError or OutOfMemory."""
    library_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    chosen = choose_options(options, spec.engine_options)
    checkpoint = read_checkpoint(spec.path)
    table = TokenTable(parse_tokenizer(read_text(open_folder(spec.path), "tokenizer.json")))
    torch.set_num_threads(options.threads or default_threads())
    return Weights(checkpoint, chosen, table, load_model(checkpoint, chosen))


def assemble(spec: ModelSpec, options: EngineOptions, weights: Weights) -> LocalEngine:
    """An engine around loaded weights, once they have been tried. Raises ModelLoadError or OutOfMemory."""
    checkpoint, model = weights.checkpoint, weights.model
    context = min(checkpoint.context_length, spec.context_length or checkpoint.context_length)
    try:
        runner = TorchRunner(model, options, context)
    except (OutOfMemory, ModelLoadError):
        raise
    except (EngineError, TypeError) as error:
        raise ModelLoadError(f"The model {spec.name} fails on its first token. Choose another model.") from error
    _prove(runner, model, spec.name)
    if weights.chosen.compiled:
        model.forward = torch.compile(model.forward, dynamic=True)
    warm_up(runner, spec.name)
    return LocalEngine(runner, weights.table, checkpoint.eos_ids, max_batch=options.max_batch)


def _prove(runner: TorchRunner, model: Any, name: str) -> None:
    """Two prompts of different lengths, read in pieces and continued together, against the model run at once.

    Any architecture may come here; one that does not stand being batched like this is refused, not answered from.
    """
    chance = np.random.default_rng(7)
    prompts = [chance.integers(3, max(4, min(runner.vocab_size, 1000)), size).tolist() for size in (11, 6)]
    try:
        for row, prompt in enumerate(prompts):
            for start in range(0, len(prompt) - 1, 5):
                runner.prefill(row, start, prompt[start : min(start + 5, len(prompt) - 1)])
        batch = runner.batch(0, 2)
        batch.ids[:], batch.lengths[:] = [prompt[-1] for prompt in prompts], [len(prompt) for prompt in prompts]
        batch.run()
        expected = np.stack([runner.at_once(prompt) for prompt in prompts])
    except OutOfMemory:
        raise
    except EngineError as error:
        raise ModelLoadError(f"The model {name} fails on its first tokens. Choose another model.") from error
    finally:
        for row in range(len(prompts)):
            runner.cache.release(row)
    off = np.linalg.norm(batch.logits - expected) / max(float(np.linalg.norm(expected)), 1e-9)
    if off > _TOLERANCE.get(model.dtype, _HALF_TOLERANCE):
        raise ModelLoadError(
            f"The model {name} computes other values for several answers at once than for one, so it is not used. "
            "Choose another engine for it, or another model."
        )
