"""llama.cpp through llama-cpp-python's C bindings: `python -m benchmarks.runners.llama_cpp GGUF THREADS`."""

from __future__ import annotations

import sys
from typing import Any

import llama_cpp
import numpy as np

from benchmarks.runners.answering import Figures, Task, serve

CONTEXT = 2048
STREAMS = 8
BATCH = 512  # its own default, also for what is computed at once


class Runner:
    """A context with room for eight conversations of `CONTEXT` tokens each."""

    def __init__(self, file: str, threads: int) -> None:
        llama_cpp.llama_log_set(_SILENT, None)
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(file.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_seq_max = CONTEXT * STREAMS, STREAMS
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        self._words = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)

    def run(self, task: Task) -> Figures:
        """Prompts are read in pieces of `BATCH`; then all conversations take one step at a time."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        figures = Figures()
        prompts = task.prompts()
        if not task.steps:
            with figures.timed():
                row = self._read(0, prompts[0])
            figures.tokens, figures.logits = task.prompt, row[:8].tolist()
            return figures
        last = [int(self._read(stream, prompt).argmax()) for stream, prompt in enumerate(prompts)]
        figures.answer = [last[0]]
        with figures.timed():
            for step in range(task.steps):
                last = self._step(last, task.prompt + step)
                figures.answer.append(last[0])
        figures.tokens = task.steps * task.streams
        return figures

    def _read(self, stream: int, prompt: list[int]) -> Any:
        for start in range(0, len(prompt), BATCH):
            piece = prompt[start : start + BATCH]
            for place, token in enumerate(piece):
                self._put(place, token, start + place, stream, start + place == len(prompt) - 1)
            self._decode(len(piece))
        return self._logits(len(piece) - 1)

    def _step(self, tokens: list[int], position: int) -> list[int]:
        for stream, token in enumerate(tokens):
            self._put(stream, token, position, stream, True)
        self._decode(len(tokens))
        return [int(self._logits(stream).argmax()) for stream in range(len(tokens))]

    def _put(self, place: int, token: int, position: int, stream: int, wanted: bool) -> None:
        batch = self._batch
        batch.token[place], batch.pos[place] = token, position
        batch.n_seq_id[place], batch.seq_id[place][0] = 1, stream
        batch.logits[place] = wanted

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        if llama_cpp.llama_decode(self._context, self._batch):
            raise RuntimeError("llama_decode failed")

    def _logits(self, place: int) -> Any:
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self._context, place), (self._words,))


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _SILENT(level: int, text: bytes, data: object) -> None:  # noqa: N802  a value for the library, not a function of ours
    del level, text, data


if __name__ == "__main__":
    file, threads = sys.argv[1:]
    serve(lambda: (f"llama-cpp-python {llama_cpp.__version__}", Runner(file, int(threads)).run))
