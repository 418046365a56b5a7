"""The published Detoxify models as data: where their files are, what must be in them."""

from __future__ import annotations

from dataclasses import dataclass

from playground.errors import DetectorUnavailable

RELEASES = "https://github.com/unitaryai/detoxify/releases/download"
# Labels a finding may carry, and the names that older checkpoints have for them.
LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack", "sexual_explicit")
OLD_NAMES = {"toxic": "toxicity", "severe_toxic": "severe_toxicity", "identity_hate": "identity_attack"}
CONFIG, TOKENIZER = "config.json", "tokenizer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One published model.

    `sha256` is the checkpoint's hash, or the first digits of it where the publisher gives no more (they are part of the
    file's name); "" accepts any file and leaves it to the pin recorded at first use. `family` is a key of
    `encoder.FAMILIES`, `model_class` the name of a class of transformers. Configuration and tokenizer are those of
    `backbone`, a repository on the Hub, at `revision`.
    """

    name: str
    release: str
    checkpoint: str
    sha256: str
    family: str
    model_class: str
    backbone: str
    revision: str


_BERT = ("bert", "BertForSequenceClassification", "google-bert/bert-base-uncased")
_ROBERTA = ("roberta", "RobertaForSequenceClassification", "FacebookAI/roberta-base")
_XLM_ROBERTA = ("roberta", "XLMRobertaForSequenceClassification", "FacebookAI/xlm-roberta-base")
_ALBERT = ("albert", "AlbertForSequenceClassification", "albert/albert-base-v2")
_REVISIONS = {
    _BERT: "86b5e0934494bd15c9632b12f734a8a67f723594",
    _ROBERTA: "e2da8e2f811d1448a5b465c236feacd80ffbac7b",
    _XLM_ROBERTA: "e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
    _ALBERT: "8e2f239c5f8a2c0f253781ca60135db913e5c80c",
}


def _variant(name: str, release: str, checkpoint: str, sha256: str, backbone: tuple[str, str, str]) -> Variant:
    family, model_class, repository = backbone
    return Variant(
        name=name,
        release=release,
        checkpoint=checkpoint,
        sha256=sha256,
        family=family,
        model_class=model_class,
        backbone=repository,
        revision=_REVISIONS[backbone],
    )


_SHA256_ORIGINAL = "c1212f89ac23307ab33932ce29dc446a6e030fb3f384a500890bbe662b7b544a"
VARIANTS = {
    variant.name: variant
    for variant in (
        _variant("original", "v0.1-alpha", "toxic_original-c1212f89.ckpt", _SHA256_ORIGINAL, _BERT),
        _variant("unbiased", "v0.3-alpha", "toxic_debiased-c7548aa0.ckpt", "c7548aa0", _ROBERTA),
        _variant("multilingual", "v0.4-alpha", "multilingual_debiased-0b549669.ckpt", "0b549669", _XLM_ROBERTA),
        _variant("original-small", "v0.1.2", "original-albert-0e1d6498.ckpt", "0e1d6498", _ALBERT),
        _variant("unbiased-small", "v0.1.2", "unbiased-albert-c8519128.ckpt", "c8519128", _ALBERT),
    )
}


def find_variant(name: str) -> Variant:
    """The variant of that name. Raises DetectorUnavailable, listing the names there are."""
    if name not in VARIANTS:
        raise DetectorUnavailable(f"There is no Detoxify model named {name}; there are: {', '.join(VARIANTS)}.")
    return VARIANTS[name]
