"""The classifier's training, on a handful of texts."""

from __future__ import annotations

import numpy as np
import pytest

from training.moderation.card import render_card
from training.moderation.corpus import LABELS, Example
from training.moderation.fit import count_features, fit, known_labels
from training.moderation.pipeline import area_under_curve, even_priors, measure, squeeze

RUDE = [
    "you stupid idiot",
    "what an idiot he is",
    "stupid fool, go away",
    "đồ ngu ngốc",
    "thằng ngu này",
    "an idiot and a fool",
]
KIND = [
    "you are very kind",
    "what a lovely day",
    "thank you, come again",
    "cảm ơn bạn nhé",
    "bài viết rất hay",
    "a book and a pen",
]


def examples() -> list[Example]:
    rude = [Example(text, dict.fromkeys(LABELS, 1), "jigsaw2018", "en") for text in RUDE]
    kind = [Example(text, dict.fromkeys(LABELS, 0), "jigsaw2018", "en") for text in KIND]
    return [*rude, *kind, Example("who knows", {"toxicity": 0}, "clinc150", "en")]


def test_it_learns_to_tell_them_apart_and_keeps_that_in_bytes() -> None:
    texts = examples()
    features = count_features([example.text for example in texts])
    targets, known = known_labels(texts)
    linear = fit(features, targets, known.astype(np.float32), strength=4.0, rounds=30, say=[].append)
    model = squeeze(linear, even_priors(texts, 0.5))
    assert model.score("such an idiot")[0] > model.score("such a lovely book")[0]
    figures = measure(model, features, texts)
    assert figures["jigsaw_mean_auc"] == 1.0
    card = render_card(figures | {"texts": figures["held_out"]}, 1234)
    assert "1,234 bytes" in card
    assert "**1.0**" in card


def test_unknown_labels_do_not_count() -> None:
    _, known = known_labels(examples())
    assert known[-1].tolist() == [True] + [False] * (len(LABELS) - 1)


def test_equal_texts_are_on_the_same_side_of_the_split() -> None:
    first, second = Example("Same  text!", {}, "a", "en"), Example("same text", {}, "b", "en")
    titled = Example("a title </s> same text", {}, "c", "en", "same text")
    assert first.key == second.key
    assert first.held_out == second.held_out == titled.held_out


def test_area_under_the_curve_counts_ties_as_half() -> None:
    assert area_under_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == pytest.approx(0.875)
