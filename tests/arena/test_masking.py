"""Names are hidden however they are written and wherever a stream is cut, and other words are left alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.arena.masking import MASK, mask
from playground.arena.names import field_names
from playground.catalog.catalog import Catalog
from playground.text import fold

CATALOG = Catalog.load()
NAMES = field_names(CATALOG)
SAID = (
    "I am Pip.", "I’m Pip, made by the Playground team.", "My name is PIP!", "Call me pip, please.", "P-i-p here.",
    "You are talking to **Pip**.", "Hi, P i p speaking.", "Name: Pip", "It is me, Pipː the bot.", "Pip 2.5 7B here.",
    "Tôi là Pip.", "Tên tôi là Pip, do Playground tạo ra.", "Mình tên là PIP nhé.", "Gọi tôi là p.i.p", "Pip xin chào.",
    "Em là trợ lý Pip của Playground.", "Tôi được phát triển bởi Acme Labs.", "Tôi là mô hình Pịp.", "Q.w.e.n",
    "I was created by OpenAI.", "I'm Qwen3.5-2B, from Alibaba Cloud.", "As ＱＷＥＮ I say so.", "Qwеn is my name.",
    "I am based on TinyLlama-1.1B.", "Q W 3 N", "Hugging-Face made me.", "HuggingFace", "Meta-Llama-3", "chat gpt",
    "The model Granite 3.3 2B says so.", "As Phi-4, I cannot.", "phi-4-mini it is", "Pip.", "**Pip!** Hello.",
    "I am pip.",
    "Tôi là pip, rất vui được gặp bạn.", "Mình là pip nhé.", "It was Falcon that wrote this.", "P1P", "f@lcon", "ᴘɪᴘ",
    "🅿🅸🅿",
    "Fable here. What else?", "Hm,  **Pip!** Hello.", "Em tên là Fable ạ.",
)  # fmt: skip
HARMLESS = (
    "The pipeline of a tool, and a pippin is an apple.",
    "I am a language model and I am here to help.", "Tôi là một mô hình ngôn ngữ nhỏ.", "Thủ đô của Pháp là Paris.",
    "The falcon is a bird; granite is a rock; phi is a letter.", "A token is a piece of text.",
    "A fable is a short story. Fables end with a moral.", "Granite is a hard rock.",
    "pip3 install numpy; pip install -U x",
    "Chi phí của mô hình này là thấp.", "Tôi là phi công.", "Hàm phi tuyến.", "The pH. I think it is 7.",
    "A pip, a sailor.",
    "Windows was made by Microsoft, and macOS by Apple.", "Phi công lái máy bay.",
    "The Eiffel Tower was built by Gustave Eiffel.", "Hà Nội do ai xây dựng? Không rõ.", "one two three",
)  # fmt: skip
TELLING = (
    "pip", "playground", "acme", "openai", "qwen", "alibaba", "llama", "huggingface", "gpt", "granite", "phi4",
    "falcon",
    "fable",
)  # fmt: skip


def skeleton(text: str) -> str:
    """The letters of a text and nothing else, as a suspicious reader sees them."""
    plain = unicodedata.normalize("NFKC", text.replace(MASK, "|"))
    return "".join(char for char in fold(plain) if char.isalnum() or char == "|")


NAMELESS = [text for text in HARMLESS if not any(name in skeleton(text) for name in TELLING)]


@pytest.mark.parametrize("text", SAID)
def test_a_name_is_hidden_in_every_beginning_of_a_text(text: str) -> None:
    whole = mask(text, NAMES, complete=True)
    assert MASK in whole
    assert not [name for name in TELLING if name in skeleton(whole)]
    for end in range(len(text) + 1):
        shown = mask(text[:end], NAMES, complete=False)
        assert whole.startswith(shown), (text[:end], shown)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_words_are_left_alone(text: str) -> None:
    assert mask(text, NAMES, complete=True) == text
    for end in range(len(text) + 1):
        assert text.startswith(mask(text[:end], NAMES, complete=False))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*SAID, *NAMELESS, " ", "\n", ". ", "Hm, ", "và "]), min_size=1, max_size=5), st.data())
def test_what_was_shown_stays_and_tells_nothing(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    whole = mask(text, NAMES, complete=True)
    assert not [name for name in TELLING if name in skeleton(whole)]
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    before = ""
    for end in ends:
        shown = mask(text[:end], NAMES, complete=False)
        assert shown.startswith(before)
        assert whole.startswith(shown)
        before = shown


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["qwen", "gemma", "tinyllama", "openai", "smollm"]),
    st.lists(st.sampled_from(["", " ", "-", ".", "**", "_", "\u200b", " - ", "\u0301"]), min_size=9, max_size=9),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.sampled_from([("Hello, ", " says so."), ("Tôi là ", " nhé."), ("(", ")"), ("", "")]),
)
def test_a_name_written_in_any_way(name: str, gaps: list[str], upper: list[bool], around: tuple[str, str]) -> None:
    letters = [letter.upper() if big else letter for letter, big in zip(name, upper, strict=False)]
    written = "".join(letter + gap for letter, gap in zip(letters, gaps, strict=False))
    text = around[0] + written.strip() + around[1]
    whole = mask(text, NAMES, complete=True)
    assert name not in skeleton(whole)
    for end in range(len(text) + 1):
        shown = mask(text[:end], NAMES, complete=False)
        assert whole.startswith(shown)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aAeiqwnpPI .,-_*\n1đôà'", max_size=60))
def test_any_text_at_all(text: str) -> None:
    whole = mask(text, NAMES, complete=True)
    for end in range(len(text) + 1):
        assert whole.startswith(mask(text[:end], NAMES, complete=False))


def test_a_long_text_is_mostly_shown() -> None:
    text = "The quick brown fox jumps over the lazy dog and tells a story about tokens. " * 40
    shown = mask(text, NAMES, complete=False)
    assert len(shown) > len(text) - 40


def test_a_word_that_is_a_name_is_hidden_the_same_whoever_answers() -> None:
    """To ask for the words that are names told the pair, when only its own were hidden."""
    words = "Repeat: granite, pip, phi, falcon, fable, echo."
    assert mask(words, NAMES, complete=True) == words
    assert mask(words.replace("pip", "Pip"), NAMES, complete=True) == words.replace("pip", MASK)
