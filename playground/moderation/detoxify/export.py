"""The fast form of a Detoxify network: made once, compared with the original, kept beside it with a manifest.

A form whose scores differ from the original's by more than `MAX_DRIFT` on average is refused: int8 first, then float32;
if neither holds, the caller stays with PyTorch.
"""

from __future__ import annotations

import json
import logging
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from playground.errors import DetectorUnavailable
from playground.moderation.detoxify.checkpoint import file_digest
from playground.moderation.detoxify.encoder import Encoder
from playground.moderation.detoxify.graph import FLOAT32, INT8, build_graph
from playground.moderation.detoxify.network import Network, OnnxNetwork, Scores, score_windows
from playground.moderation.detoxify.windows import WindowCutter

MAX_DRIFT = 0.02
PRECISIONS = (INT8, FLOAT32)
GRAPH, MANIFEST = "network.onnx", "network.json"
# Part of the manifest: a graph that was written in another way is made again.
REVISION = 1
_CALIBRATION = Path(__file__).parent / "calibration.txt"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a kept graph was made from and how far its scores are from the original's (mean and largest difference).

    `source` is the hash of checkpoint, configuration and tokenizer, `graph` that of the graph itself. `precision` is
    "torch" when every form was refused: then there is no graph. `refused` maps refused forms to their mean drift.
    """

    source: str
    labels: tuple[str, ...]
    precision: str
    graph: str
    drift: float
    worst: float
    texts: int
    refused: dict[str, float]
    revision: int
    versions: dict[str, str]


def current_versions() -> dict[str, str]:
    """The versions of the libraries that a kept graph depends on."""
    return {name: version(name) for name in ("onnx", "onnxruntime")}


def calibration_texts() -> list[str]:
    """The texts on which forms are compared."""
    lines = _CALIBRATION.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def read_manifest(folder: Path, source: str) -> Manifest | None:
    """The manifest of a kept form, if it was made from `source` with these library versions and its graph is whole."""
    try:
        table = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**{**table, "labels": tuple(table["labels"])})
        current = manifest.source == source and manifest.revision == REVISION
        if not current or manifest.versions != current_versions():
            return None
        whole = manifest.precision == "torch" or file_digest(folder / GRAPH) == manifest.graph
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return manifest if whole else None


def make_form(
    encoder: Encoder, reference: Network, cutter: WindowCutter, labels: tuple[str, ...], *, folder: Path, source: str
) -> Manifest:
    """Write the first form that holds to the original, and its manifest, into `folder`; returns the manifest.

    Raises DetectorUnavailable when the original itself cannot be scored; a folder that cannot be written is an OSError.
    """
    texts = calibration_texts()
    expected = _score_texts(reference, cutter, texts)[:, : len(labels)]
    refused: dict[str, float] = {}
    precision, graph, drift, worst = "torch", "", 0.0, 0.0
    for candidate in PRECISIONS:
        content = build_graph(encoder, candidate).SerializeToString()
        mean, largest = _compare(OnnxNetwork(content, candidate), cutter, texts, expected)
        if mean <= MAX_DRIFT:
            graph = _write(folder / GRAPH, content)
            precision, drift, worst = candidate, mean, largest
            break
        logger.warning("detoxify form %s refused: mean drift %.4f, largest %.4f", candidate, mean, largest)
        refused[candidate] = mean
    manifest = Manifest(
        source=source,
        labels=labels,
        precision=precision,
        graph=graph,
        drift=drift,
        worst=worst,
        texts=len(texts),
        refused=refused,
        revision=REVISION,
        versions=current_versions(),
    )
    _write(folder / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
    return manifest


def _compare(network: Network, cutter: WindowCutter, texts: list[str], expected: Scores) -> tuple[float, float]:
    """Mean and largest absolute difference; both infinite when the form fails."""
    try:
        scores = _score_texts(network, cutter, texts)[:, : expected.shape[1]]
    except DetectorUnavailable:
        return float("inf"), float("inf")
    difference = np.abs(scores - expected)
    return float(difference.mean()), float(difference.max())


def _score_texts(network: Network, cutter: WindowCutter, texts: list[str]) -> Scores:
    return np.stack([score_windows(network, cutter.cut(text)).max(axis=0) for text in texts])


def _write(path: Path, content: bytes) -> str:
    """Write in one step, so that another process sees the old file or the new one; returns the new one's hash."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
    return file_digest(path)
