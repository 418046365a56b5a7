"""Which detectors there are, by the name that policies use. A factory may read files; naming one costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from playground.moderation.classifier import EmbeddedClassifier
from playground.moderation.contract import Detector
from playground.moderation.credentials import SecretsDetector
from playground.moderation.lexicon import LISTS, load_lexicon
from playground.moderation.personal_data import PersonalDataDetector
from playground.moderation.remote_images import RemoteImageDetector
from playground.moderation.word_list import WordListDetector

DetectorFactory = Callable[[], Detector]


def _words() -> Detector:
    return WordListDetector([load_lexicon(path) for path in sorted(LISTS.glob("*.toml"))])


DETECTORS: Mapping[str, DetectorFactory] = {
    "embedded": EmbeddedClassifier,
    "words": _words,
    "personal_data": PersonalDataDetector,
    "secrets": SecretsDetector,
    "remote_images": RemoteImageDetector,
}
