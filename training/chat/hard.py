"""Which wordings an earlier model answers wrongly, so that a run that goes on from it meets them more often.

Most wordings are known after the first hours of training, and more of the same teaches little. See Shrivastava, Gupta
and Girshick 2016, "Training Region-based Object Detectors with Online Hard Example Mining",
https://arxiv.org/abs/1604.03540.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import nn

from training.chat import content
from training.chat.content import phrase
from training.chat.corpus import Encoder
from training.chat.exchange import PAGES, Turn, as_right, chosen
from training.chat.judging import RightAnswers

HARD_FILE = "hard.json"
FIRST_TOKENS = 5
LONGEST = 128
PART = 4096


def every_wording(seed: int) -> Iterator[tuple[str, list[Turn]]]:
    """Each pattern that asks for one answer and is learned from, with a conversation that it makes."""
    source = random.Random(seed)
    for language in PAGES:
        outside = content.outside(language)
        explained = {term.names[0]: term.english if language == "en" else term.vietnamese for term in content.terms()}
        sets = [(outside.questions, outside.answers[0])]
        sets += [(intent.questions, intent.answers[0]) for intent in content.intents(language)]
        sets += [(patterns, explained[name]) for name, patterns in content.asks(language).items()]
        for patterns, answer in sets:
            for pattern in chosen(patterns, False):
                yield pattern, [("user", phrase(pattern, source)), ("assistant", answer)]


def hard_wordings(
    model: nn.Module, encoder: Encoder, seed: int, report: Callable[[str], None], most: int | None = None
) -> frozenset[str]:
    """The patterns that the model answers wrongly, of all or of at most so many."""
    asked = list(itertools.islice(every_wording(seed), most))
    hard: set[str] = set()
    for start in range(0, len(asked), PART):
        part = asked[start : start + PART]
        right = RightAnswers(encoder, [turns for _, turns in part], as_right, LONGEST, FIRST_TOKENS).right(model)
        hard |= {pattern for place, (pattern, _) in enumerate(part) if place not in right}
        report(f"asked the earlier model {start + len(part):,} of {len(asked):,} wordings, {len(hard):,} wrong")
    return frozenset(hard)


def kept_hard_wordings(folder: Path, find: Callable[[], frozenset[str]]) -> frozenset[str]:
    """What was found before in this folder; otherwise it is found now and kept there."""
    path = folder / HARD_FILE
    if not path.exists():
        path.write_text(json.dumps(sorted(find()), ensure_ascii=False), encoding="utf-8")
    return frozenset(json.loads(path.read_text(encoding="utf-8")))
