"""Plain `transformers` generate in fp32: `python -m benchmarks.runners.transformers_generate CHECKPOINT THREADS`."""

from __future__ import annotations

import sys
from typing import Any

import torch
import transformers

from benchmarks.runners.answering import Figures, Task, TokenClock, serve


class Runner:
    """A model that is fully loaded, with everything that training needs left out."""

    def __init__(self, checkpoint: str, threads: int) -> None:
        torch.set_num_threads(threads)
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
        self._model = model.eval()

    def run(self, task: Task) -> Figures:
        """Prompts through one call of the model; answers from the first token on."""
        ids = torch.tensor(task.prompts())
        with torch.inference_mode():
            if not task.steps:
                figures = Figures(task.prompt)
                with figures.timed():
                    logits = self._model(ids, use_cache=True, logits_to_keep=1).logits
                figures.logits = logits[0, -1, :8].tolist()
                return figures
            return write(self._model, torch.ones_like(ids), ids, task)


def write(model: Any, mask: Any, ids: Any, task: Task) -> Figures:
    """Greedy answers by `generate`, timed between the first step and the last."""
    clock = TokenClock()
    tokens = task.steps + 1
    answer = model.generate(
        ids,
        attention_mask=mask,
        do_sample=False,
        min_new_tokens=tokens,
        max_new_tokens=tokens,
        pad_token_id=0,
        streamer=clock,
    )
    figures = clock.figures(task.streams)
    figures.answer = answer[0, task.prompt :].tolist()
    return figures


if __name__ == "__main__":
    checkpoint, threads = sys.argv[1:]
    serve(lambda: (f"transformers {transformers.__version__}", Runner(checkpoint, int(threads)).run))
