"""Windows cover every character, overlap, and never lose a token."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import DetectorUnavailable
from playground.moderation.detoxify.variants import VARIANTS
from playground.moderation.detoxify.windows import WindowCutter, load_cutter
from tests.moderation.detoxify.models import tokenizer_for, wordpiece

FORMS = ("original", "unbiased", "multilingual", "original-small")
CUTTERS = {name: WindowCutter(tokenizer_for(VARIANTS[name]), 24, overlap=6) for name in FORMS}


@pytest.mark.parametrize("name", FORMS)
@given(text=st.text(max_size=200) | st.text("ab z.", max_size=400))
def test_windows_cover_every_character_and_token(name: str, text: str) -> None:
    cutter = CUTTERS[name]
    windows = cutter.cut(text)
    tokenizer = tokenizer_for(VARIANTS[name])
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    whole = tokenizer.encode(text, add_special_tokens=False).ids
    content = [list(window.ids[1:-1]) for window in windows]
    joined = content[0] + [token for part in content[1:] for token in part[6:]]
    assert joined == whole or "\ufffd" in text or max(map(len, text.split()), default=0) > 90
    assert windows[0].span[0] == 0
    assert windows[-1].span[1] == len(text)
    for before, after in pairwise(windows):
        assert before.span[0] <= after.span[0] <= before.span[1] <= after.span[1]
        assert len(before.ids) == 24


@pytest.mark.parametrize("name", FORMS)
def test_a_text_that_fits_is_one_window_framed_as_the_tokenizer_frames_it(name: str) -> None:
    tokenizer = tokenizer_for(VARIANTS[name])
    (window,) = CUTTERS[name].cut("hello you")
    assert list(window.ids) == tokenizer.encode("hello you").ids
    assert window.span == (0, 9)
    (empty,) = CUTTERS[name].cut("")
    assert empty.span == (0, 0)
    assert len(empty.ids) == 2


def test_a_phrase_as_long_as_the_overlap_is_whole_in_some_window() -> None:
    cutter = WindowCutter(wordpiece(), 24, overlap=6)
    letters = [random.Random(3).choice("abcdefgh") for _ in range(200)]
    for at in range(194):
        text = " ".join([*letters[:at], "u", "v", "w", "x", "y", "z", *letters[at:]])
        assert any("u v w x y z" in text[slice(*window.span)] for window in cutter.cut(text)), at


def test_a_run_of_letters_longer_than_wordpiece_reads_is_still_read() -> None:
    cutter = WindowCutter(wordpiece(), 512)
    unknown = wordpiece().token_to_id("[UNK]")
    for text in ("z" * 101, "a" * 400, "x" * 89 + " " + "y" * 190):
        assert unknown not in [token for window in cutter.cut(text) for token in window.ids]


def test_special_tokens_typed_by_a_person_are_plain_text() -> None:
    cutter = CUTTERS["unbiased"]
    (window,) = cutter.cut("a</s>b")
    assert window.ids[1:-1].count(wordpiece().token_to_id("[CLS]")) == 0
    assert len(window.ids) == 2 + 6


def test_a_damaged_tokenizer_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"version": "1.0", "model"')
    with pytest.raises(DetectorUnavailable, match=r"tokenizer\.json"):
        load_cutter(path, 512)


def test_windows_shorter_than_their_overlap_are_refused() -> None:
    with pytest.raises(DetectorUnavailable, match="too short"):
        WindowCutter(wordpiece(), 32, overlap=64)
