"""Labelled texts from public data sets, in one form: what is known of a text, and what is not.

Folder layout as published by the sources; the model card lists them with their licences. Texts that are equal after
normalisation are kept once, and a text's place in the held-out split follows from its hash alone, so that no text (nor
a copy of it) is on both sides.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
_JIGSAW = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
_HARMLESS = dict.fromkeys(LABELS, 0)
_SPACES = re.compile(r"\W+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_HANDLE = re.compile(r"(?:RT )?@\w+:?|https?://\S+|&\w+;|&#\d+;")


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its known labels (0 or 1 by label; a label that is missing is unknown).

    `group` is what decides the side of the split, where that is not the text itself.
    """

    text: str
    labels: dict[str, int]
    source: str
    language: str
    group: str = ""

    @property
    def key(self) -> int:
        """A number that equal texts share, whatever their case, spacing and punctuation."""
        return _hashed(self.text)

    @property
    def held_out(self) -> bool:
        """Whether this text is kept for measuring: one in five."""
        return _hashed(self.group or self.text) % 5 == 0


def _hashed(text: str) -> int:
    plain = _SPACES.sub(" ", text.lower()).strip()
    return int.from_bytes(hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def load_corpus(folder: Path) -> list[Example]:
    """All sources found below `folder`, each text once (the first source that has it wins)."""
    seen: set[int] = set()
    examples = []
    for source in SOURCES:
        for example in source(folder):
            if example.key not in seen and example.text.strip():
                seen.add(example.key)
                examples.append(example)
    return examples


def _table(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def _jigsaw(folder: Path) -> Iterator[Example]:
    for row in _table(folder / "moderation/english/jigsaw2018_train_20k.csv"):
        labels = {label: int(row[column]) for label, column in zip(LABELS, _JIGSAW, strict=True)}
        yield Example(row["comment_text"], labels, "jigsaw2018", "en")


def _civil_comments(folder: Path) -> Iterator[Example]:
    """Comments whose annotators marked toxic spans: a kind of toxicity is there if half of them marked one."""
    kinds = {
        "Insult": "insult",
        "Profane/Obscene": "obscene",
        "Identity based Attack": "identity_attack",
        "Threat": "threat",
    }
    base = folder / "moderation/english/toxic_spans"
    comment_of = {row["annotation"]: row["comment_id"] for row in _table(base / "annotations.csv")}
    marked: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in _table(base / "spans.csv"):
        if row["type"] in kinds:
            marked[comment_of[row["annotation"]]][kinds[row["type"]]].add(row["annotation"])
    annotators: dict[str, int] = defaultdict(int)
    for comment in comment_of.values():
        annotators[comment] += 1
    for row in _table(base / "comments.csv"):
        comment = row["comment_id"]
        shares = {label: len(marked[comment][label]) / max(annotators[comment], 1) for label in kinds.values()}
        labels = {label: int(share >= 0.5) for label, share in shares.items() if share >= 0.5 or share == 0}
        yield Example(row["comment_text"], labels, "civil_comments", "en")


def _davidson(folder: Path) -> Iterator[Example]:
    for row in _table(folder / "moderation/english/davidson.csv"):
        text = _HANDLE.sub(" ", row["tweet"])
        kind = row["class"]
        labels = dict(_HARMLESS) if kind == "2" else {"toxicity": 1}
        if kind == "0":
            labels["identity_attack"] = 1
        yield Example(text, labels, "davidson", "en")


def _convabuse(folder: Path) -> Iterator[Example]:
    for row in _table(folder / "moderation/english/convabuse_train.csv"):
        votes = [
            int(key.rsplit(".", 1)[1]) for key, value in row.items() if "_is_abuse." in key and "1" in (value or "")
        ]
        if votes:
            mean = sum(votes) / len(votes)
            labels = {"toxicity": 1, "insult": 1} if mean <= -1 else dict(_HARMLESS) if mean > 0 else {}
            yield Example(row["user"], labels, "convabuse", "en")


def _identity_templates(folder: Path) -> Iterator[Example]:
    """Sentences that differ only in whom they speak of, one in eight: being named is not an attack."""
    for place, row in enumerate(_table(folder / "moderation/english/bias_madlibs_77k.csv")):
        if place % 8 == 0:
            yield Example(row["Text"], {"toxicity": 1} if row["Label"] == "BAD" else dict(_HARMLESS), "templates", "en")


def _safesense(folder: Path) -> Iterator[Example]:
    """Comments below Vietnamese posts, with the title (as published) and by themselves."""
    for row in _table(folder / "moderation/vietnamese/safesense_vi.csv"):
        labels = {"toxicity": 1} if row["label"] != "0" else dict(_HARMLESS)
        title, _, comment = row["input_text"].rpartition("</s>")
        yield Example(comment, labels, "safesense_vi", "vi")
        if title.strip():
            yield Example(row["input_text"], labels, "safesense_vi_titled", "vi", comment)


def _conversation(folder: Path) -> Iterator[Example]:
    splits = json.loads((folder / "chat/clinc150/data_full.json").read_text(encoding="utf-8"))
    for rows in splits.values():
        for text, _ in rows:
            yield Example(text, dict(_HARMLESS), "clinc150", "en")
    with (folder / "chat/taskmaster4/tm4_turns.jsonl").open(encoding="utf-8") as file:
        for line in file:
            for message in json.loads(line)["messages"]:
                yield Example(message["content"], dict(_HARMLESS), "taskmaster4", "en")


def _courses(folder: Path) -> Iterator[Example]:
    for course in ("hf_course", "smol_course", "agents_course"):
        for path in sorted((folder / "chat" / course).rglob("*.md*")):
            language = "vi" if "vi" in path.parts else "en"
            for paragraph in _PARAGRAPH.split(path.read_text(encoding="utf-8")):
                if not paragraph.lstrip().startswith(("<", "```", "|", "!")):
                    yield Example(paragraph, dict(_HARMLESS), f"courses_{language}", language)


SOURCES: tuple[Callable[[Path], Iterator[Example]], ...] = (
    _jigsaw, _civil_comments, _davidson, _convabuse, _identity_templates, _safesense, _conversation, _courses,
)  # fmt: skip
