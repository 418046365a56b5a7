"""Server-sent events, cut in every way."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.engines.remote.faults import Malformed
from playground.engines.remote.sse import LONGEST_EVENT, EventReader
from playground.engines.remote.whole_text import WholeText


def read(*portions: bytes) -> list[str]:
    reader = EventReader()
    events = [event for portion in portions for event in reader.feed(portion)]
    return events + reader.finish()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": comment\n\ndata: a\n: more\n\n", ["a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data:a\n\ndata:  b\n\n", ["a", " b"]),
        (b"data\n\n", [""]),
        (b"database: a\n\n\n\n", []),
        (b"data: last", ["last"]),
        (b"data: last\r", ["last"]),
        ("data: khoẻ 😀\n\n".encode(), ["khoẻ 😀"]),
        (b"", []),
    ],
)
def test_every_form_reads_the_same_however_it_is_cut(stream: bytes, events: list[str]) -> None:
    assert read(stream) == events
    assert read(*[bytes([byte]) for byte in stream]) == events
    for at in range(len(stream)):
        assert read(stream[:at], stream[at:]) == events


@given(
    st.lists(st.text(), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 300), max_size=8)
)
def test_any_text_comes_through(texts: list[str], line_end: str, cuts: list[int]) -> None:
    texts = [text.replace("\r", "").replace("\n", "") for text in texts]
    stream = "".join(f"data: {text}{line_end}{line_end}" for text in texts).encode()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert read(*[stream[a:b] for a, b in itertools.pairwise(places)]) == texts


def test_too_long_and_not_utf8_are_refused() -> None:
    with pytest.raises(Malformed, match="too long"):
        read(b"data: " + b"x" * LONGEST_EVENT)
    with pytest.raises(Malformed, match="too long"):
        read(b"data: xxxxxxxx\n" * (LONGEST_EVENT // 8))
    with pytest.raises(Malformed, match="UTF-8"):
        read(b"data: \xc3\n\n")


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=[])), st.lists(st.integers(0, 50), max_size=5))
def test_what_comes_out_can_always_be_stored(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    whole = WholeText()
    out = "".join(whole.feed(text[a:b]) for a, b in itertools.pairwise(places)) + whole.finish()
    assert out.encode() == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
