"""Stop texts in streams, against finding them in the whole text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.domain import SamplingParams
from playground.engines.contract import Delta
from playground.engines.detokenizer import TokenTable, Vocabulary
from playground.engines.sequence import Event, Sequence
from playground.engines.stop_texts import StopTexts
from tests.engines.conftest import make_tokenizer

LETTERS = st.text("ab\n", max_size=30)


@given(LETTERS, st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3), st.lists(st.integers(1, 4), max_size=30))
@settings(max_examples=400, deadline=None)
def test_equal_to_cutting_the_whole_text(text: str, stops: list[str], sizes: list[int]) -> None:
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    watcher, released, start = StopTexts(stops), "", 0
    for size in [*sizes, len(text)]:
        piece, stopped = watcher.feed(text[start : start + size])
        released += piece
        start += size
        assert not any(stop in released for stop in stops)
        if stopped:
            break
    else:
        released += watcher.finish()
    # A stop text that ends earlier wins over one that begins earlier: nothing behind it has been written yet.
    assert text.startswith(released)
    assert bool(found) == (released != text)
    if found:
        assert min(found) <= len(released) < min(found) + 4


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nothing_is_held_without_need(size: int) -> None:
    watcher = StopTexts(["\nUser:"])
    assert watcher.feed("hello") == ("hello", False)
    assert watcher.feed(" \n") == (" ", False)
    assert watcher.feed("Us") == ("", False)
    assert watcher.feed("ually") == ("\nUsually", False)
    assert watcher.finish() == ""


@pytest.mark.parametrize(("stop", "kept"), [((), 3), (("there",), 1), (("never",), 3)])
def test_the_tokens_of_an_answer_end_where_its_text_does(stop: tuple[str, ...], kept: int) -> None:
    core, texts = make_tokenizer(), ["Hello ", "there", "."]
    parts = [core.encode(text).ids for text in texts]
    vocabulary = Vocabulary(TokenTable(core), frozenset({2}), 500)
    job = Sequence([5], SamplingParams(stop=stop), 100, vocabulary)
    said: list[Event] = []
    job.listener = said.append
    for tokens in (*parts, [2]):
        if job.finish is None:
            job.take(tokens)
    last = job.last_delta()
    assert "".join(delta.text for delta in [*said, last] if isinstance(delta, Delta)) == "".join(texts[:kept])
    assert last.token_ids == tuple(token for tokens in parts[:kept] for token in tokens)
    beginning = [token for tokens in (*parts, [2]) for token in tokens]
    begun = Sequence([5, *beginning], SamplingParams(stop=stop), 100, vocabulary, answered=len(beginning))
    assert begun.last_delta().text == "".join(texts[:kept])
    assert begun.last_delta().token_ids == last.token_ids
