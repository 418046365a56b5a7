"""An exported folder, run greedily with plain ONNX Runtime."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.chat.exchange import Turn
from training.chat.template import prompt_ids


class ExportedModel:
    """A model folder as the model builder writes it."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]
        decoder = config["decoder"]
        self.context: int = config["context_length"]
        self.end: int = config["eos_token_id"] if isinstance(config["eos_token_id"], int) else config["eos_token_id"][0]
        self.past_shape = (1, decoder["num_key_value_heads"], 0, decoder["head_size"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            str(folder / decoder["filename"]), options, providers=["CPUExecutionProvider"]
        )
        self.pasts = [entry.name for entry in self.session.get_inputs() if entry.name.startswith("past_key_values")]

    def generate(self, ids: Sequence[int], limit: int = 160) -> list[int]:
        """The most likely continuation, without the end mark."""
        caches: list[NDArray[np.float32]] = [np.zeros(self.past_shape, np.float32) for _ in self.pasts]
        new = np.array([ids], np.int64)
        answer: list[int] = []
        for length in range(len(ids), min(self.context, len(ids) + limit)):
            feeds = {"input_ids": new, "attention_mask": np.ones((1, length), np.int64)}
            feeds |= dict(zip(self.pasts, caches, strict=True))
            scores, *caches = self.session.run(None, feeds)
            token = int(scores[0, -1].argmax())
            if token == self.end:
                break
            answer.append(token)
            new = np.array([[token]], np.int64)
        return answer

    def answer(self, turns: Sequence[Turn], limit: int = 160) -> str:
        """What the model says next in a conversation."""
        text: str = self.tokenizer.decode(self.generate(prompt_ids(self.tokenizer, turns), limit))
        return text
