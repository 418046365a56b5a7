"""onnxruntime-genai's own Generator: `python -m benchmarks.runners.genai_generator FOLDER THREADS`."""

from __future__ import annotations

import json
import sys

import onnxruntime_genai

from benchmarks.runners.answering import Figures, Task, serve

CONTEXT = 2048


class Runner:
    """A folder of its model builder. Its threads sleep while they wait, as ours do."""

    def __init__(self, folder: str, threads: int) -> None:
        config = onnxruntime_genai.Config(folder)
        session = {"intra_op_num_threads": threads, "session.intra_op.allow_spinning": "0"}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        self._model = onnxruntime_genai.Model(config)

    def run(self, task: Task) -> Figures:
        """Prompts through `append_tokens`; answers step by step after it."""
        prompts = task.prompts()
        params = onnxruntime_genai.GeneratorParams(self._model)
        params.set_search_options(do_sample=False, min_length=CONTEXT, max_length=CONTEXT, batch_size=task.streams)
        generator = onnxruntime_genai.Generator(self._model, params)
        figures = Figures()
        if not task.steps:
            with figures.timed():
                generator.append_tokens(prompts[0])
                generator.generate_next_token()
            figures.tokens = task.prompt
            return figures
        generator.append_tokens(prompts if task.streams > 1 else prompts[0])
        generator.generate_next_token()
        with figures.timed():
            for _ in range(task.steps):
                generator.generate_next_token()
        figures.tokens = task.steps * task.streams
        figures.answer = [int(token) for token in generator.get_sequence(0)[task.prompt :]]
        return figures


if __name__ == "__main__":
    folder, threads = sys.argv[1:]
    serve(lambda: (f"onnxruntime-genai {onnxruntime_genai.__version__}", Runner(folder, int(threads)).run))
