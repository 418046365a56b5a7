"""The detector: loads a Detoxify model when the first text comes, and reads every text to its end."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from playground.domain import Finding
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Scope
from playground.moderation.detoxify.checkpoint import read_checkpoint, read_config, verify_files
from playground.moderation.detoxify.encoder import max_tokens, read_encoder
from playground.moderation.detoxify.export import GRAPH, make_form, read_manifest
from playground.moderation.detoxify.network import Network, OnnxNetwork, TorchNetwork, score_windows
from playground.moderation.detoxify.variants import CONFIG, TOKENIZER, Variant
from playground.moderation.detoxify.windows import OVERLAP, WindowCutter, load_cutter
from playground.moderation.segmentation import UNITS

# From this score on, the sentence is looked for that says it most; a text has at most so many looked at.
_NOTABLE = 0.5
_MOST_SENTENCES = 64
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded:
    network: Network
    cutter: WindowCutter
    labels: tuple[str, ...]
    version: str


class _Sentences:
    """The sentences of one window, scored one by one."""

    def __init__(self, loaded: _Loaded, text: str, span: tuple[int, int]) -> None:
        start, end = span
        ends = [start + match.end() for match in UNITS["sentence"].ends.finditer(text[start:end])][:_MOST_SENTENCES]
        borders = sorted({start, *ends, end})
        self._spans = [part for part in pairwise(borders) if text[slice(*part)].strip()]
        parts = [loaded.cutter.cut(text[slice(*part)]) for part in self._spans] if len(self._spans) > 1 else []
        rows = [score_windows(loaded.network, windows).max(axis=0) for windows in parts]
        self._scores = np.array(rows) if rows else np.zeros((1, len(loaded.labels)))

    def telling(self, column: int) -> tuple[int, int]:
        """The span of the sentence with the highest score for a label."""
        return self._spans[int(self._scores[:, column].argmax())]


class DetoxifyDetector:
    """Scores text with one of Detoxify's models; a finding for every label, with the model's probability as score.

    `folder` holds the checkpoint, `config.json` and `tokenizer.json`; the fast form is kept there too. Safe to use from
    several threads. A finding's score is the highest of all windows, its span that window, or from a score of 0.5 on
    the sentence in it that scores highest by itself. The explanation is "detoxify", or "detoxify_windowed"
    when the text was longer than the model reads at once.
    """

    reach = 1024
    scope: Scope = "unit"

    def __init__(
        self,
        variant: Variant,
        folder: Path,
        *,
        fast: bool = True,
        threads: int = 1,
        overlap: int = OVERLAP,
        trust_first_use: bool = True,
    ) -> None:
        self.name = f"detoxify-{variant.name}"
        self.version = variant.name
        self._variant = variant
        self._folder = folder
        self._fast = fast
        self._threads = threads
        self._overlap = overlap
        self._trust_first_use = trust_first_use
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None
        self._failure: tuple[object, DetectorUnavailable] | None = None

    def scan(self, text: str) -> list[Finding]:
        """One finding per label, whatever its score; none for blank text.

        Raises DetectorUnavailable when the model is missing, damaged, not the one expected, or gives no numbers.
        """
        if not text.strip():
            return []
        loaded = self._load()
        windows = loaded.cutter.cut(text)
        scores = score_windows(loaded.network, windows)
        explanation = "detoxify" if len(windows) == 1 else "detoxify_windowed"
        best = scores[:, : len(loaded.labels)].argmax(axis=0)
        notable = {int(best[column]) for column in range(len(best)) if scores[best[column], column] >= _NOTABLE}
        sentences = {row: _Sentences(loaded, text, windows[row].span) for row in notable}
        findings = []
        for column, label in enumerate(loaded.labels):
            row = int(best[column])
            score = float(scores[row, column])
            span = sentences[row].telling(column) if score >= _NOTABLE else windows[row].span
            findings.append(Finding(label, score, span, self.name, loaded.version, explanation, windows=len(windows)))
        return findings

    def unsettled(self, text: str) -> int:
        """The sentence that is still going on: a classifier is shown whole ones before any of it is released."""
        tail = text[-self.reach :]
        ends = [match.end() for match in UNITS["sentence"].ends.finditer(tail)]
        return len(tail) - (ends[-1] if ends else 0)

    def _load(self) -> _Loaded:
        if self._loaded:
            return self._loaded
        with self._lock:
            if self._loaded:
                return self._loaded
            # A model that failed is not read again for every message, only when its files have changed.
            state = self._file_states()
            if self._failure and self._failure[0] == state:
                raise self._failure[1]
            try:
                self._loaded = self._read()
            except DetectorUnavailable as error:
                self._failure = (self._file_states(), error)
                raise
            self.version = self._loaded.version
            logger.info("%s loaded, version %s", self.name, self.version)
            return self._loaded

    def _file_states(self) -> object:
        states = []
        for name in (self._variant.checkpoint, CONFIG, TOKENIZER):
            path = self._folder / name
            states.append((path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else None)
        return states

    def _read(self) -> _Loaded:
        try:
            source = verify_files(self._folder, self._variant, trust_first_use=self._trust_first_use)
            return self._assemble(source)
        except OSError as error:
            raise DetectorUnavailable(
                f"The files of the Detoxify model {self._variant.name} cannot be read or written. "
                "Check the folder's permissions and the free space."
            ) from error

    def _assemble(self, source: str) -> _Loaded:
        folder, variant = self._folder, self._variant
        config = read_config(folder)
        cutter = load_cutter(folder / TOKENIZER, max_tokens(variant.family, config), self._overlap)
        manifest = read_manifest(folder, source) if self._fast else None
        if manifest and manifest.precision != "torch":
            fast = OnnxNetwork(str(folder / GRAPH), manifest.precision, self._threads)
            return self._loaded_with(fast, cutter, manifest.labels, source)
        checkpoint = read_checkpoint(folder / variant.checkpoint, variant)
        network: Network = TorchNetwork(variant, checkpoint.weights, config)
        if self._fast and manifest is None:
            encoder = read_encoder(variant.family, checkpoint.weights, config)
            manifest = make_form(encoder, network, cutter, checkpoint.labels, folder=folder, source=source)
            if manifest.precision != "torch":
                network = OnnxNetwork(str(folder / GRAPH), manifest.precision, self._threads)
        return self._loaded_with(network, cutter, checkpoint.labels, source)

    def _loaded_with(self, network: Network, cutter: WindowCutter, labels: tuple[str, ...], source: str) -> _Loaded:
        return _Loaded(network, cutter, labels, f"{source[:8]}-{network.form}")
