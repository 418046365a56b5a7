"""What comes in piece by piece: events of remote servers, thinking between tags, tokens, stop texts."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from playground.chat.reasoning import ReasoningSplitter
from playground.domain import FinishReason, ReasoningDelta, Usage
from playground.engines.detokenizer import Detokenizer, TokenTable
from playground.engines.remote.chunks import Chunk, ErrorInStream, read_chunk
from playground.engines.remote.faults import Malformed
from playground.engines.remote.sse import EventReader
from tests.engines.conftest import make_tokenizer
from tests.fuzz.depth import cuts, depths, hunt, json_values, pieces

LINES = st.sampled_from([
    b"data:", b"data: ", b"data", b"datax: 1", b"event: x", b"id: 1", b":", b": ping", b" ", b"[DONE]", b"{", b"}",
    b"\xef\xbb\xbf",
    b"\xff", b"\xc3", b"\xa9", b"\xf0\x9f", b"\x00", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r", b"\xe2\x80\xa8",
    b"x" * 200,
])  # fmt: skip
streams = st.lists(LINES | st.binary(max_size=6), max_size=40).map(b"".join)


def events(portions: list[bytes]) -> list[str] | None:
    """What the reader makes of these portions; None if it refuses them."""
    reader, found = EventReader(), []
    try:
        for portion in portions:
            found += reader.feed(portion)
        found += reader.finish()
    except Malformed:
        return None
    return found


def by_the_book(stream: bytes) -> list[str] | None:
    """The same from the whole, as the HTML standard words it: lines, fields, a blank line ends an event."""
    found, data = [], []
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in [*text.split(b"\n"), b""]:
        name, _, value = line.partition(b":")
        if not line and data:
            found.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    try:
        return [event.decode("utf-8") for event in found]
    except UnicodeDecodeError:
        return None


@depths
def test_events_are_those_of_the_standard_however_they_are_cut(examples: int) -> None:
    def check(stream: bytes, sizes: list[int]) -> None:
        assert events(pieces(stream, sizes)) == by_the_book(stream)

    hunt(examples, check, streams, cuts)


KEYS = ["choices", "delta", "message", "content", "reasoning_content", "reasoning", "logprobs", "finish_reason",
    "usage",
        "index", "error", "token", "logprob", "top_logprobs", "prompt_tokens", "completion_tokens",
        "prompt_tokens_details", "cached_tokens"]  # fmt: skip
chunks = st.recursive(
    json_values | st.sampled_from(["stop", "length", "\ud800", -1, 10**400, 1e308, float("nan")]),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=20,
)


def is_sound(chunk: Chunk) -> bool:
    return (
        isinstance(chunk.text, str)
        and isinstance(chunk.reasoning, str)
        and isinstance(chunk.usage, Usage | None)
        and isinstance(chunk.finish_reason, FinishReason | None)
        and all(isinstance(one.logprob, float) for one in chunk.logprobs)
    )


@depths
def test_a_piece_of_an_answer_is_sound_or_refused(examples: int) -> None:
    def check(value: Any, text: str) -> None:
        for data in (json.dumps(value), json.dumps({"choices": [{"delta": value}], "usage": value}), text):
            try:
                assert is_sound(read_chunk(data))
            except (Malformed, ErrorInStream):
                continue

    hunt(examples, check, chunks, st.text())


TAGS = [("<think>", "</think>"), ("<<", ">>"), ("aab", "ab"), ("[", "]"), ("<|a|>", "<|a|>x")]


@depths
def test_thinking_is_parted_alike_however_it_is_cut(examples: int) -> None:
    def check(tags: tuple[str, str], words: list[str], sizes: list[int]) -> None:
        text = "".join(tags[int(word)] if word in "01" and word else word for word in words)
        whole, cut = ReasoningSplitter(tags), ReasoningSplitter(tags)
        expected = [*whole.feed(text), *whole.finish()]
        found = [part for piece in pieces(text, sizes) for part in cut.feed(piece)] + cut.finish()
        for kind in (True, False):
            told = [
                "".join(part.text for part in parts if (part.kind is ReasoningDelta) is kind)
                for parts in (expected, found)
            ]
            assert told[0] == told[1]
        assert whole.read == cut.read == len(text)
        assert all(text[part.start : part.start + len(part.text)] == part.text for part in found)

    words = st.lists(st.sampled_from(["0", "1", "<", "a", "b", " ", "\n", "hello", "<thi", ">", "[", "é"]), max_size=20)
    hunt(examples, check, st.sampled_from(TAGS), words, cuts)


CORE = make_tokenizer()
TABLE = TokenTable(CORE)


@depths
def test_tokens_become_the_same_text_however_they_are_cut(examples: int) -> None:
    def check(tokens: list[int], sizes: list[int]) -> None:
        reader = Detokenizer(TABLE)
        text = "".join(reader.feed(piece) for piece in pieces(tokens, sizes)) + reader.finish()
        assert text == CORE.decode([token for token in tokens if token < CORE.get_vocab_size()])

    hunt(examples, check, st.lists(st.integers(0, CORE.get_vocab_size() + 9), max_size=60), cuts)
