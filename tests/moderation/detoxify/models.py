"""Tiny networks in Detoxify's own checkpoint format, made on the spot, with a tokenizer each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from playground.moderation.detoxify.variants import VARIANTS, Variant

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-ạấầậđ"
ORIGINAL = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
UNBIASED = ["toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit"]
TOKENIZERS = {
    "BertForSequenceClassification": "BertTokenizer",
    "RobertaForSequenceClassification": "RobertaTokenizer",
    "XLMRobertaForSequenceClassification": "XLMRobertaTokenizer",
    "AlbertForSequenceClassification": "AlbertTokenizer",
}
LENGTH = 96


def wordpiece() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = special + list(LETTERS) + ["##" + char for char in LETTERS]
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return framed(tokenizer, "[CLS]", "[SEP]", special)


def byte_level() -> Tokenizer:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: at for at, word in enumerate(special + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return framed(tokenizer, "<s>", "</s>", special)


def unigram(start: str, end: str, special: list[str], *normaliser: normalizers.Normalizer) -> Tokenizer:
    pieces = [(word, 0.0) for word in special] + [(char, -1.0) for char in "▁" + LETTERS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=special.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(list(normaliser))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return framed(tokenizer, start, end, special)


def framed(tokenizer: Tokenizer, start: str, end: str, special: list[str]) -> Tokenizer:
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in special])
    ends = [(start, tokenizer.token_to_id(start)), (end, tokenizer.token_to_id(end))]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{start} $A {end}", special_tokens=ends)
    tokenizer.enable_truncation(LENGTH)  # as in published files; the cutter must undo it
    return tokenizer


def tokenizer_for(variant: Variant) -> Tokenizer:
    if variant.model_class.startswith("Bert"):
        return wordpiece()
    if variant.model_class.startswith("Roberta"):
        return byte_level()
    if variant.model_class.startswith("XLM"):
        return unigram("<s>", "</s>", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    # AlbertTokenizer brings these steps itself, whatever the file says.
    steps = (normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase())
    return unigram("[CLS]", "[SEP]", special, *steps)


def config_for(variant: Variant, words: int) -> Any:
    offset = 2 if variant.family == "roberta" else 0
    settings: dict[str, Any] = {
        "vocab_size": words,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LENGTH + offset,
        "initializer_range": 0.25,
    }
    if variant.family == "albert":
        settings["embedding_size"] = 16
    return getattr(transformers, variant.model_class).config_class(**settings)


def write_model(folder: Path, name: str, *, network: Any = None, classes: list[str] | None = None) -> Variant:
    """A folder with checkpoint, configuration and tokenizer; the variant it belongs to, its hash unknown."""
    variant = replace(VARIANTS[name], sha256="")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_for(variant)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer_class = TOKENIZERS[variant.model_class]
    names = {"tokenizer_class": tokenizer_class, "model_max_length": LENGTH}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    config = network.config if network else config_for(variant, tokenizer.get_vocab_size())
    config.save_pretrained(folder)
    classes = classes or (ORIGINAL if "original" in name else UNBIASED)
    outputs = len(classes) + (0 if "original" in name else 9)
    if network is None:
        torch.manual_seed(7)
        model_class = getattr(transformers, variant.model_class)
        network = model_class(model_class.config_class.from_pretrained(folder, num_labels=outputs))
    architecture = {
        "num_classes": outputs,
        "model_type": str(folder),
        "model_name": variant.model_class,
        "tokenizer_name": tokenizer_class,
    }
    save_checkpoint(folder / variant.checkpoint, network.state_dict(), architecture, classes)
    return variant


def save_checkpoint(path: Path, weights: Any, architecture: dict[str, Any], classes: list[str]) -> None:
    config = {"arch": {"type": "any", "args": architecture}, "dataset": {"args": {"classes": classes}}}
    torch.save({"config": config, "state_dict": weights}, path)


def alarm_network(letter: str) -> Any:
    """A BERT that answers 1 when `letter` is among the tokens it reads, and 0 otherwise, however many there are.

    Only that letter has an embedding; attention is uniform, so the first token receives its mean over the window, and
    the layer norm that follows makes any trace of it as large as a whole one.
    """
    tokenizer = wordpiece()
    config = config_for(VARIANTS["original"], tokenizer.get_vocab_size())
    config.num_labels, config.num_hidden_layers = 6, 1
    network = transformers.BertForSequenceClassification(config)
    size = config.hidden_size
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
        bert = network.bert
        for form in (letter, "##" + letter):
            bert.embeddings.word_embeddings.weight[tokenizer.token_to_id(form), 0] = 1.0
        attention = bert.encoder.layer[0].attention
        for linear in (attention.self.value, attention.output.dense, bert.pooler.dense):
            linear.weight.copy_(torch.eye(size))
        network.classifier.weight[:, 0] = 20.0
        network.classifier.bias.fill_(-10.0)
    return network.eval()
