"""The int8 form of a Detoxify network against Detoxify itself, on a BERT-base of the true shape with random weights.

CPU time of one text, tokenisation included, both on one thread, taken alternately in this process; medians. Without
VNNI or AMX instructions (a CPU of before 2019, or a virtual machine that hides them) int8 products are about twice as
fast as float32 ones and no more, and the bars, set on a machine that has them, are out of reach.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.rows import Row

LENGTHS = {32: 4.0, 128: 3.5}
ROUNDS = 15
# Untrained, all scores would be 0.5 and no difference could be seen; a wide head spreads them.
SPREAD = 0.5
CLASSES = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]


def measure() -> Iterator[Row]:
    """Speed at 32 and 128 tokens, and how far the scores are apart."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = _write_tokenizer(folder)
        checkpoint = _write_checkpoint(folder)
        yield from _compare(folder, checkpoint, words)


def _compare(folder: Path, checkpoint: Path, words: list[str]) -> Iterator[Row]:
    from detoxify import Detoxify  # noqa: PLC0415

    from playground.moderation.detoxify.detector import DetoxifyDetector  # noqa: PLC0415
    from playground.moderation.detoxify.export import MAX_DRIFT  # noqa: PLC0415
    from playground.moderation.detoxify.variants import VARIANTS  # noqa: PLC0415

    variant = replace(VARIANTS["original"], checkpoint=checkpoint.name, sha256="")
    detector = DetoxifyDetector(variant, folder)
    began = time.process_time()
    source = detector.scan("warm up")[0].version
    yield Row("making the int8 form, once", time.process_time() - began, "CPU s", detail=source)
    original = Detoxify(checkpoint=str(checkpoint), huggingface_config_path=str(folder))
    manifest = json.loads((folder / "network.json").read_text())
    yield Row("mean difference on the calibration texts", manifest["drift"], "", MAX_DRIFT, at_least=False)
    draw = random.Random(5)
    differences: list[float] = []
    seen: list[float] = []
    for length, bar in LENGTHS.items():
        texts = [" ".join(draw.choices(words, k=length - 2)) for _ in range(ROUNDS + 2)]
        slow, fast = [], []
        for text in texts:
            expected, slow_time = _timed(original.predict, [text])
            found, fast_time = _timed(detector.scan, text)
            slow.append(slow_time)
            fast.append(fast_time)
            scores = {finding.category: finding.score for finding in found}
            seen += scores.values()
            differences += [abs(scores[label] - float(expected[label])) for label in expected]
        theirs, ours = statistics.median(slow[2:]), statistics.median(fast[2:])
        detail = f"{theirs * 1000:.1f} against {ours * 1000:.1f} CPU ms"
        yield Row(f"faster than Detoxify, {length} tokens", theirs / ours, "x", bar, detail=detail)
    mean = statistics.fmean(differences)
    detail = f"scores from {min(seen):.2f} to {max(seen):.2f}"
    yield Row("mean difference on the timed texts", mean, "", MAX_DRIFT, at_least=False, detail=detail)


def _timed(call: Callable[..., Any], text: object) -> tuple[Any, float]:
    began = time.process_time()
    result = call(text)
    return result, time.process_time() - began


def _write_tokenizer(folder: Path) -> list[str]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: PLC0415

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(97, 123)]
    words = sorted({"".join(random.Random(at).choices(letters, k=6)) for at in range(30_000)})
    entries = [*special, *letters, *("##" + letter for letter in letters), *words]
    vocabulary = {word: at for at, word in enumerate(entries[:30_522])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return words[:25_000]


def _write_checkpoint(folder: Path) -> Path:
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    torch.manual_seed(5)
    config = transformers.BertConfig(num_labels=len(CLASSES))  # type: ignore[call-arg]
    config.save_pretrained(folder)
    network = transformers.BertForSequenceClassification(config)
    torch.nn.init.normal_(network.classifier.weight, std=SPREAD)
    architecture = {
        "num_classes": len(CLASSES),
        "model_type": str(folder),
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
    }
    contents = {"arch": {"args": architecture}, "dataset": {"args": {"classes": CLASSES}}}
    path = folder / "bert_base.ckpt"
    torch.save({"config": contents, "state_dict": network.state_dict()}, path)
    return path
