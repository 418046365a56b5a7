"""The embedded classifier as a detector: is the wording toxic? Always there, no download, English and Vietnamese."""

from __future__ import annotations

from pathlib import Path

from playground.domain import Finding
from playground.moderation.contract import Scope
from playground.moderation.linear_model import LinearModel, WordShare, load_model, verify_model

MODEL = Path(__file__).parents[1] / "embedded" / "toxicity" / "model.npz"
_FLOOR = 0.3  # scores below this are not worth a finding


class EmbeddedClassifier:
    """Judges a unit of text by a linear model over hashed n-grams; the explanation is "linear".

    A finding's span runs from the first to the last of the words that speak most for the label.
    """

    name = "embedded"
    prompt = True
    reach = 0
    scope: Scope = "unit"

    def __init__(self, path: Path = MODEL) -> None:
        """Raises DetectorUnavailable when the model file is missing, damaged or not the one that belongs here."""
        verify_model(path)
        self.model: LinearModel = load_model(path)
        self.version = self.model.version

    def scan(self, text: str) -> list[Finding]:
        """A finding for every label whose score is worth mentioning."""
        scores = self.model.score(text).tolist()
        return [
            Finding(label, score, self._span(text, label), self.name, self.version, "linear")
            for label, score in zip(self.model.labels, scores, strict=True)
            if score >= _FLOOR and text
        ]

    def unsettled(self, text: str) -> int:  # noqa: ARG002 - the contract's signature
        """Nothing: whole units are judged."""
        return 0

    def _span(self, text: str, label: str) -> tuple[int, int]:
        shares: list[WordShare] = self.model.shares(text, label)
        most = max((share.share for share in shares), default=0.0)
        telling = [share.span for share in shares if most > 0 and share.share >= most / 2]
        return (telling[0][0], telling[-1][1]) if telling else (0, len(text))
