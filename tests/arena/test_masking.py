"""Names are hidden however they are written and wherever a stream is cut, and other words are left alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.arena.masking import MASK, Masked, mask
from playground.arena.names import field_names, names_of
from playground.catalog.catalog import Catalog
from playground.text import fold

CATALOG = Catalog.load()
NAMES = field_names(CATALOG) | names_of(CATALOG.get("pip"))
SAID = (
    "I am Pip.", "I’m Pip, made by the Playground team.", "My name is PIP!", "Call me pip, please.", "P-i-p here.",
    "You are talking to **Pip**.", "Hi, P i p speaking.", "Name: Pip", "It is me, Pipː the bot.", "Pip 2.5 7B here.",
    "Tôi là Pip.", "Tên tôi là Pip, do Playground tạo ra.", "Mình tên là PIP nhé.", "Gọi tôi là p.i.p", "Pip xin chào.",
    "Em là trợ lý Pip của Playground.", "Tôi được phát triển bởi Acme Labs.", "Tôi là mô hình Pịp.", "Q.w.e.n",
    "I was created by OpenAI.", "I'm Qwen3.5-2B, from Alibaba Cloud.", "As ＱＷＥＮ I say so.", "Qwеn is my name.",
    "I am based on TinyLlama-1.1B.", "Q W 3 N", "Hugging-Face made me.", "HuggingFace", "Meta-Llama-3", "chat gpt",
)  # fmt: skip
HARMLESS = (
    "The pipeline of a tool, and a pippin is an apple.",
    "I am a language model and I am here to help.", "Tôi là một mô hình ngôn ngữ nhỏ.", "Thủ đô của Pháp là Paris.",
    "The falcon is a bird; granite is a rock; phi is a letter.", "A token is a piece of text.",
    "The Eiffel Tower was built by Gustave Eiffel.", "Hà Nội do ai xây dựng? Không rõ.", "one two three",
)  # fmt: skip
TELLING = ("pip", "playground", "acme", "openai", "qwen", "alibaba", "llama", "huggingface", "gpt")


def skeleton(text: str) -> str:
    """The letters of a text and nothing else, as a suspicious reader sees them."""
    plain = unicodedata.normalize("NFKC", text.replace(MASK, "|"))
    return "".join(char for char in fold(plain) if char.isalnum() or char == "|")


@pytest.mark.parametrize("text", SAID)
def test_a_name_is_hidden_in_every_beginning_of_a_text(text: str) -> None:
    whole = mask(text, NAMES, complete=True)
    assert whole.hidden
    assert MASK in whole.text
    assert not [name for name in TELLING if name in skeleton(whole.text)]
    for end in range(len(text) + 1):
        shown = mask(text[:end], NAMES, complete=False).text
        assert whole.text.startswith(shown), (text[:end], shown)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_words_are_left_alone(text: str) -> None:
    assert mask(text, NAMES, complete=True) == Masked(text, hidden=False)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*SAID, *HARMLESS, " ", "\n", ". ", "Hm, ", "và "]), min_size=1, max_size=5), st.data())
def test_what_was_shown_stays_and_tells_nothing(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    whole = mask(text, NAMES, complete=True).text
    seen = skeleton(whole).replace("pipeline", "").replace("pippin", "")
    assert not [name for name in TELLING if name in seen]
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    before = ""
    for end in ends:
        shown = mask(text[:end], NAMES, complete=False).text
        assert shown.startswith(before)
        assert whole.startswith(shown)
        before = shown


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["qwen", "gemma", "pip", "openai", "smollm"]),
    st.lists(st.sampled_from(["", " ", "-", ".", "**", "_", "\u200b", " - ", "\u0301"]), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.sampled_from([("Hello, ", " says so."), ("Tôi là ", " nhé."), ("(", ")"), ("", "")]),
)
def test_a_name_written_in_any_way(name: str, gaps: list[str], upper: list[bool], around: tuple[str, str]) -> None:
    letters = [letter.upper() if big else letter for letter, big in zip(name, upper, strict=False)]
    written = "".join(letter + gap for letter, gap in zip(letters, gaps, strict=False))
    text = around[0] + written.strip() + around[1]
    whole = mask(text, NAMES, complete=True)
    assert name not in skeleton(whole.text)
    for end in range(len(text) + 1):
        shown = mask(text[:end], NAMES, complete=False).text
        assert whole.text.startswith(shown)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aAeiqwnpPI .,-_*\n1đôà'", max_size=60))
def test_any_text_at_all(text: str) -> None:
    whole = mask(text, NAMES, complete=True).text
    for end in range(len(text) + 1):
        assert whole.startswith(mask(text[:end], NAMES, complete=False).text)


def test_a_long_text_is_mostly_shown() -> None:
    text = "The quick brown fox jumps over the lazy dog and tells a story about tokens. " * 40
    shown = mask(text, NAMES, complete=False).text
    assert len(shown) > len(text) - 40
