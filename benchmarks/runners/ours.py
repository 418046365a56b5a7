"""This project's ONNX engine: `python -m benchmarks.runners.ours FOLDER THREADS`."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import version
from pathlib import Path

from benchmarks.runners.answering import Figures, Task, serve
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.detokenizer import TokenTable
from playground.engines.local_engine import LocalEngine
from playground.engines.model_files import read_model_files, read_tokenizer_files
from playground.engines.runners import load_runner
from playground.engines.tokenizer import parse_tokenizer

CONTEXT = 2048
STREAMS = 8


class Runner:
    """The whole engine, as a conversation meets it; tokens that would end an answer are not known to it."""

    def __init__(self, folder: Path, threads: int) -> None:
        options = EngineOptions(threads=threads, max_batch=STREAMS, kv_cache_mb=2048)
        runner = load_runner(read_model_files(folder), options, CONTEXT)
        table = TokenTable(parse_tokenizer(read_tokenizer_files(folder).definition))
        self._engine = LocalEngine(runner, table, frozenset(), max_batch=STREAMS)

    def run(self, task: Task) -> Figures:
        """Prompts from the request to the first token; answers from the request to the last, the prompt being known."""
        figures = Figures()
        prompts = task.prompts()
        if not task.steps:
            with figures.timed():
                self._write(prompts[0], 1)
            figures.tokens = task.prompt
            return figures
        figures.answer = self._write(prompts[0], 2, logprobs=0)
        for prompt in prompts[1:]:
            self._write(prompt, 1)
        others = [threading.Thread(target=self._write, args=(prompt, task.steps)) for prompt in prompts[1:]]
        with figures.timed():
            for other in others:
                other.start()
            self._write(prompts[0], task.steps)
            for other in others:
                other.join()
        figures.tokens = task.steps * task.streams
        return figures

    def _write(self, prompt: list[int], steps: int, logprobs: int | None = None) -> list[int]:
        params = SamplingParams(temperature=0.0, max_tokens=steps, logprobs=logprobs)
        deltas = list(self._engine.generate(Prompt((), tuple(prompt)), params))
        return [item.token_id for delta in deltas for item in delta.logprobs]


if __name__ == "__main__":
    folder, threads = sys.argv[1:]
    serve(lambda: (f"onnxruntime {version('onnxruntime')}", Runner(Path(folder), int(threads)).run))
