from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import DetectorUnavailable
from playground.moderation.features import ROWS
from playground.moderation.linear_model import LinearModel, ScoreStream, load_model, save_model


def random_model(seed: int = 0) -> LinearModel:
    draw = np.random.default_rng(seed)
    table = draw.integers(-127, 128, (ROWS, 8), dtype=np.int8)
    table[:, -1] = draw.integers(1, 128, ROWS)
    return LinearModel(
        labels=("toxicity", "threat"),
        table=table.view(np.uint64).ravel(),
        scales=np.array([0.02, 0.01]),
        biases=np.array([-1.0, 0.5]),
        norm_scale=0.7,
        steady=20.0,
        version="test",
    )


MODEL = random_model()
texts = st.lists(
    st.one_of(
        st.sampled_from(["word", "từ", " ", "  ", "\n", "đi\u0323", "\u200b", "ｘ", "a", "🙂", "!"]),
        st.text(max_size=5),
    )
).map("".join)


@settings(deadline=None)
@given(texts, st.integers(min_value=1, max_value=7))
def test_a_stream_scores_what_the_whole_text_scores(text: str, size: int) -> None:
    stream = ScoreStream(MODEL)
    for start in range(0, len(text), size):
        stream.feed(text[start : start + size])
    assert np.abs(stream.scores() - MODEL.score(text)).max() <= 1e-6


@settings(deadline=None)
@given(texts)
def test_at_every_point_a_stream_has_the_score_of_the_text_so_far(text: str) -> None:
    stream = ScoreStream(MODEL)
    for end in range(1, len(text) + 1):
        stream.feed(text[end - 1])
        if end % 5 == 0:
            assert np.abs(stream.scores() - MODEL.score(text[:end])).max() <= 1e-6


@settings(deadline=None)
@given(texts)
def test_what_the_words_add_is_the_score(text: str) -> None:
    for column, label in enumerate(MODEL.labels):
        shares = MODEL.shares(text, label)
        logit = MODEL.biases[column] + sum(share.share for share in shares)
        assert math.isclose(1 / (1 + math.exp(-logit)), MODEL.score(text)[column], abs_tol=1e-9)
        for share in shares:
            assert 0 <= share.span[0] < share.span[1] <= len(text)


def test_the_shares_point_at_the_words() -> None:
    text = "Một hai, BA?"
    spans = [text[slice(*share.span)] for share in MODEL.shares(text, "threat")]
    assert spans == ["Một", "hai", "BA?"]


def test_repetition_changes_nothing() -> None:
    assert np.allclose(MODEL.score("spam spam spam spam"), MODEL.score("spam spam spam spam spam spam"))


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    save_model(tmp_path / "model.npz", MODEL)
    loaded = load_model(tmp_path / "model.npz")
    assert loaded.labels == MODEL.labels
    assert np.array_equal(loaded.score("một câu nào đó"), MODEL.score("một câu nào đó"))
    assert len(loaded.version) == 12


def broken(tmp_path: Path, **changes: object) -> Path:
    arrays: dict[str, object] = {
        "labels": np.array(["toxicity"]),
        "table": np.zeros((ROWS, 8), dtype=np.int8),
        "scales": np.ones(1),
        "biases": np.zeros(1),
        "length": np.ones(2),
    }
    path = tmp_path / "model.npz"
    np.savez_compressed(path, **(arrays | changes))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"table": np.zeros((ROWS // 2, 8), dtype=np.int8)},
        {"table": np.zeros((ROWS, 8), dtype=np.int16)},
        {"scales": np.ones(2)},
        {"biases": np.array([np.nan])},
        {"length": np.array([0.0, 1.0])},
        {"length": np.ones(3)},
        {"labels": np.array([], dtype=str)},
        {"labels": np.array([object()], dtype=object)},
    ],
)
def test_a_model_of_another_shape_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DetectorUnavailable, match=r"model\.npz"):
        load_model(broken(tmp_path, **changes))


def test_a_missing_truncated_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorUnavailable, match="cannot be read"):
        load_model(tmp_path / "none.npz")
    path = broken(tmp_path)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"PK\x03\x04", b"\x80\x04K\x01."):
        path.write_bytes(damaged)
        with pytest.raises(DetectorUnavailable, match="cannot be read"):
            load_model(path)


@pytest.mark.parametrize("count", [0, 1, 7, (1 << 17) - 1, 1 << 17, (1 << 17) + 1, ROWS])
def test_sums_are_exact_however_many_rows_there_are(count: int) -> None:
    values = MODEL.table[:count].view(np.int8).reshape(-1, 8)
    assert MODEL.sums(np.arange(count)).tolist() == values.astype(np.int64).sum(axis=0).tolist()
