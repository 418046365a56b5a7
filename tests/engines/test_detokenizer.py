"""Tokens to text: equal to `tokenizers`, in any split, never half a character."""

from __future__ import annotations

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models

from playground.engines.detokenizer import Detokenizer, TokenTable
from playground.errors import ModelLoadError
from tests.engines.conftest import make_tokenizer

CORE = make_tokenizer()
TABLE = TokenTable(CORE)
TOKENS = st.lists(st.integers(0, CORE.get_vocab_size() - 1), max_size=60)


def sentencepiece() -> tokenizers.Tokenizer:
    """A vocabulary in the manner of Llama 2: word pieces with a visible space, and bytes to fall back on."""
    pieces = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "\u2581",
        "\u2581chào",
        "xin",
        "\u2581bạn",
    ]
    core = tokenizers.Tokenizer(
        models.BPE({piece: index for index, piece in enumerate(pieces)}, [], byte_fallback=True)
    )
    core.add_special_tokens(["<s>", "</s>"])
    core.add_tokens(["<think>"])
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return core


def streamed(table: TokenTable, tokens: list[int], sizes: list[int]) -> str:
    detokenizer, text, start = Detokenizer(table), "", 0
    for size in [*sizes, len(tokens)]:
        text += detokenizer.feed(tokens[start : start + size])
        start += size
    return text + detokenizer.finish()


@given(TOKENS, st.lists(st.integers(0, 4), max_size=30))
@settings(max_examples=300, deadline=None)
def test_equal_to_tokenizers_however_it_is_cut(tokens: list[int], sizes: list[int]) -> None:
    assert streamed(TABLE, tokens, sizes) == CORE.decode(tokens)


@given(st.text(), st.lists(st.integers(1, 3), max_size=30))
@settings(max_examples=200, deadline=None)
def test_no_piece_ends_within_a_character(text: str, sizes: list[int]) -> None:
    detokenizer, start = Detokenizer(TABLE), 0
    tokens = CORE.encode(text).ids
    pieces = []
    for size in [*sizes, len(tokens)]:
        pieces.append(detokenizer.feed(tokens[start : start + size]))
        start += size
    assert "".join(pieces) == text
    assert detokenizer.finish() == ""


def test_byte_fallback_and_the_first_space() -> None:
    core = sentencepiece()
    table = TokenTable(core)
    ids = [
        core.token_to_id(piece) for piece in ("<s>", "\u2581chào", "\u2581bạn", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>")
    ]
    for size in (1, 2, 7):
        assert streamed(table, ids, [size] * 7) == "chào bạn🙂" == core.decode(ids)


def test_control_tokens_are_silent_and_other_added_tokens_are_not() -> None:
    core = sentencepiece()
    think, end = core.token_to_id("<think>"), core.token_to_id("</s>")
    assert streamed(TokenTable(core), [end, think, end], []) == "<think>"
    assert TokenTable(core).bytes_of([10**6]) == b""


def test_an_unknown_way_of_decoding_is_named() -> None:
    core = make_tokenizer()
    core.decoder = decoders.WordPiece()
    with pytest.raises(ModelLoadError, match="WordPiece"):
        TokenTable(core)
