"""Labels of many forms."""

from __future__ import annotations

import pytest

from playground.errors import InvalidRequest
from playground.moderation.labels import LabelReader, category_named, category_of_label, read_weight


@pytest.mark.parametrize("value", ["1", 1, 1.0, True, "true", "Yes", "0.5", 0.83, " 1 "])
def test_yes(value: object) -> None:
    assert LabelReader().read(value)


@pytest.mark.parametrize("value", ["0", 0, False, "FALSE", "no", "0.49", 0.0])
def test_no(value: object) -> None:
    assert not LabelReader().read(value)


@pytest.mark.parametrize("value", ["-1", -1, "hate", 2, "", "nan", [], {}])
def test_neither_is_a_reason(value: object) -> None:
    with pytest.raises(ValueError, match="its label is"):
        LabelReader().read(value)


def test_values_that_count_as_positive() -> None:
    reader = LabelReader(["1", "2", "BAD"])
    assert [reader.read(value) for value in (0, 1, "2.0", "BAD", "bad", ["x", 2], ["x"])] == [
        False, True, True, True, False, True, False,
    ]  # fmt: skip


def test_unread_classes_are_remembered_and_texts_are_not() -> None:
    reader = LabelReader()
    for value in ("hate", "clean", "hate", "a long text that somebody wrote and that is no label"):
        with pytest.raises(ValueError):
            reader.read(value)
    assert list(reader.unread) == ["hate", "clean"]


def test_names_of_other_data_sets() -> None:
    assert [category_of_label(name) for name in ("toxic", "severe_toxic", "identity_hate", "insult", "label")] == [
        "toxicity", "severe_toxicity", "identity_attack", "insult", None,
    ]  # fmt: skip
    assert category_named("identity_hate") == "identity_attack"
    with pytest.raises(InvalidRequest, match=r"Unknown category hats; there are: profanity"):
        category_named("hats")


@pytest.mark.parametrize("value", ["-1", "x", None, float("inf")])
def test_a_weight_is_a_number(value: object) -> None:
    assert read_weight("2.5") == 2.5
    with pytest.raises(ValueError, match="weight"):
        read_weight(value)
