"""Which detectors there are, by the name that policies use. A factory may read files; naming one costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from playground.moderation.attack_cues import load_cues
from playground.moderation.classifier import EmbeddedClassifier
from playground.moderation.contract import Detector, TextModel
from playground.moderation.credentials import SecretsDetector
from playground.moderation.detoxify.detector import DetoxifyDetector
from playground.moderation.detoxify.variants import VARIANTS
from playground.moderation.guard_models.detector import GuardDetector
from playground.moderation.guard_models.rows import GuardRow, load_guards
from playground.moderation.lexicon import LISTS, load_lexicon
from playground.moderation.own_rules import OwnRulesDetector
from playground.moderation.personal_data import PersonalDataDetector
from playground.moderation.prompt_attacks import PromptAttackDetector
from playground.moderation.remote_images import RemoteImageDetector
from playground.moderation.word_list import WordListDetector

DetectorFactory = Callable[[], Detector]


def _words() -> Detector:
    return WordListDetector([load_lexicon(path) for path in sorted(LISTS.glob("*.toml"))])


def _prompt_attacks() -> Detector:
    return PromptAttackDetector(load_cues())


def detoxify_factories(folder: Path) -> dict[str, DetectorFactory]:
    """A detector for every Detoxify model, each with its files in a folder of its name in `folder`."""
    return {f"detoxify-{name}": partial(DetoxifyDetector, variant, folder / name) for name, variant in VARIANTS.items()}


def guard_factories(model_of: Callable[[str], TextModel], *files: Path) -> dict[str, DetectorFactory]:
    """A detector for every guard model of the files; `model_of` gives the model with that id in the catalogue.

    Raises PolicyError when a file is malformed.
    """
    return {name: partial(_guard, row, model_of) for name, row in load_guards(*files).items()}


def _guard(row: GuardRow, model_of: Callable[[str], TextModel]) -> Detector:
    return GuardDetector(row, model_of(row.model))


DETECTORS: Mapping[str, DetectorFactory] = {
    "embedded": EmbeddedClassifier,
    "words": _words,
    "own_rules": OwnRulesDetector,
    "personal_data": PersonalDataDetector,
    "secrets": SecretsDetector,
    "remote_images": RemoteImageDetector,
    "prompt_attacks": _prompt_attacks,
    **detoxify_factories(Path("data/detoxify")),
}
