"""Runs ONNX model folders with plain onnxruntime: what the model builder, `transformers` or optimum export."""

from __future__ import annotations

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Stage
from playground.engines.contract import EngineOptions, Progress
from playground.engines.detokenizer import TokenTable
from playground.engines.folder_reader import open_folder, read_text
from playground.engines.local_engine import LocalEngine, warm_up
from playground.engines.model_files import read_model_files
from playground.engines.runners import load_runner
from playground.engines.tokenizer import parse_tokenizer


def load_onnx_engine(spec: ModelSpec, options: EngineOptions, progress: Progress) -> LocalEngine:
    """Load the model of a catalogue row. Raises ModelLoadError or OutOfMemory."""
    progress(Loading(Stage.LOADING))
    files = read_model_files(spec.path, spec.source.variant if spec.source is not None else "")
    table = TokenTable(parse_tokenizer(read_text(open_folder(spec.path), "tokenizer.json")))
    context = min(files.context_length, spec.context_length or files.context_length)
    runner = load_runner(files, options, context)
    progress(Loading(Stage.WARMING_UP))
    warm_up(runner, spec.name)
    return LocalEngine(runner, table, frozenset(files.eos_ids), max_batch=options.max_batch)
