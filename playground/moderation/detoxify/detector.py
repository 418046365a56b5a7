"""The detector: loads a Detoxify model when the first text comes, and reads every text to its end."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from playground.domain import Finding
from playground.errors import DetectorUnavailable
from playground.moderation.detoxify.checkpoint import read_checkpoint, read_config, verify_files
from playground.moderation.detoxify.encoder import max_tokens, read_encoder
from playground.moderation.detoxify.export import GRAPH, make_form, read_manifest
from playground.moderation.detoxify.network import Network, OnnxNetwork, TorchNetwork, score_windows
from playground.moderation.detoxify.variants import CONFIG, TOKENIZER, Variant
from playground.moderation.detoxify.windows import OVERLAP, WindowCutter, load_cutter

# More than any unit a guard screens at once: a classifier judges whole units, never a part of one.
WHOLE_UNIT = 1_000_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded:
    network: Network
    cutter: WindowCutter
    labels: tuple[str, ...]
    version: str


class DetoxifyDetector:
    """Scores text with one of Detoxify's models; a finding for every label, with the model's probability as score.

    `folder` holds the checkpoint, `config.json` and `tokenizer.json`; the fast form is kept there too. Safe to use from
    several threads. The span of a finding is the window of text with the highest score, and its explanation is
    "detoxify", or "detoxify_windowed:" and the number of windows when the text was longer than the model reads at once.
    """

    reach = WHOLE_UNIT

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
        self._variant = variant
        self._folder = folder
        self._fast = fast
        self._threads = threads
        self._overlap = overlap
        self._trust_first_use = trust_first_use
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None
        self._failure: tuple[object, DetectorUnavailable] | None = None

    @property
    def version(self) -> str:
        """The checkpoint's hash and the form it runs in ("c1212f89-int8"); the variant's name before it is loaded."""
        return self._loaded.version if self._loaded else self._variant.name

    def scan(self, text: str) -> list[Finding]:
        """One finding per label, whatever its score; none for blank text.

        Raises DetectorUnavailable when the model is missing, damaged, not the one expected, or gives no numbers.
        """
        if not text.strip():
            return []
        loaded = self._load()
        windows = loaded.cutter.cut(text)
        scores = score_windows(loaded.network, windows)
        explanation = "detoxify" if len(windows) == 1 else f"detoxify_windowed:{len(windows)}"
        findings = []
        for column, label in enumerate(loaded.labels):
            best = int(scores[:, column].argmax())
            score = float(scores[best, column])
            findings.append(Finding(label, score, windows[best].span, self.name, loaded.version, explanation))
        return findings

    def unsettled(self, text: str) -> int:
        """All of it: any further word can change what a classifier says."""
        return len(text)

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
            logger.info("%s loaded, version %s", self.name, self._loaded.version)
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
