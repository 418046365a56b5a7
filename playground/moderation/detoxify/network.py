"""Two ways to run a Detoxify network: PyTorch as published, and ONNX Runtime. Both score windows of equal length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from playground.errors import DetectorUnavailable
from playground.moderation.detoxify.encoder import FAMILIES
from playground.moderation.detoxify.graph import INPUT, OUTPUT
from playground.moderation.detoxify.variants import Variant
from playground.moderation.detoxify.windows import Window

if TYPE_CHECKING:
    from torch import Tensor

Scores = NDArray[np.float32]
BATCH = 8


class Network(Protocol):
    """Something that scores token ids. `form` says how it computes, for receipts: "torch", "float32", "int8"."""

    form: str

    def score(self, ids: NDArray[np.int64]) -> Scores:
        """Probabilities [windows, labels] for ids [windows, tokens]."""
        ...


class TorchNetwork:
    """The network as transformers defines it. Raises DetectorUnavailable when the weights do not fit it exactly."""

    form = "torch"

    def __init__(self, variant: Variant, weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        import transformers  # noqa: PLC0415

        model_class = getattr(transformers, variant.model_class)
        try:
            outputs = weights[FAMILIES[variant.family].classifier + ".bias"].shape[0]
            settings = model_class.config_class.from_dict({**config, "num_labels": outputs})
            self._model = model_class(settings)
            self._model.load_state_dict(dict(weights), strict=True)
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise DetectorUnavailable(
                f"The weights of the Detoxify model {variant.name} do not fit its config.json. Install the model again."
            ) from error
        self._model.eval()

    def score(self, ids: NDArray[np.int64]) -> Scores:
        """See Network."""
        import torch  # noqa: PLC0415

        with torch.inference_mode():
            logits = self._model(input_ids=torch.from_numpy(ids)).logits
        scores: Scores = torch.sigmoid(logits).float().numpy()
        return scores


class OnnxNetwork:
    """The same network as a graph in ONNX Runtime, computing on `threads` threads of the CPU."""

    def __init__(self, graph: bytes | str, form: str, threads: int = 1) -> None:
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Waiting threads sleep: the engines need the cores. And no further fusions: the graph is fused as it is, and
        # ONNX Runtime's fused sum and layer norm takes seven times as long as the two operators it would replace.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        self.form = form
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise DetectorUnavailable("The ONNX form of a Detoxify model cannot be loaded; delete it.") from error

    def score(self, ids: NDArray[np.int64]) -> Scores:
        """See Network."""
        logits = self._session.run([OUTPUT], {INPUT: ids})[0]
        scores: Scores = 0.5 * (1 + np.tanh(0.5 * logits))  # the logistic function, without overflow
        return scores


def score_windows(network: Network, windows: Sequence[Window]) -> Scores:
    """Probabilities [windows, labels], in batches of windows of equal length, without any padding.

    Raises DetectorUnavailable when the network fails or a score is not a number.
    """
    parts: list[Scores] = []
    start = 0
    while start < len(windows):
        length = len(windows[start].ids)
        end = start + 1
        while end < min(start + BATCH, len(windows)) and len(windows[end].ids) == length:
            end += 1
        ids = np.array([window.ids for window in windows[start:end]], dtype=np.int64)
        try:
            parts.append(network.score(ids))
        except Exception as error:
            raise DetectorUnavailable(
                "The Detoxify model failed on a text; nothing was decided. If it stays so, restart the playground."
            ) from error
        start = end
    scores = np.concatenate(parts)
    if not np.isfinite(scores).all():
        raise DetectorUnavailable(
            "The Detoxify model gave a score that is not a number. Delete its checkpoint and install the model again."
        )
    return scores
