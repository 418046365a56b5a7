"""What gets past the mask and still tells a name is found before the vote counts; other words are not taken for one."""

from __future__ import annotations

import pytest

from playground.arena.leaks import gives_away
from playground.arena.masking import mask
from playground.arena.names import field_names, telling_names
from playground.catalog.catalog import Catalog

CATALOG = Catalog.load()
NAMES = field_names(CATALOG)
MODELS = ("pip", "fable", "qwen3-0.6b", "phi4-mini", "granite4-350m", "gemma3-270m")
TOLD = (
    "qw----en", "q.........w.........e.........n", "pi----p", "gran ite", "9wen", "qvven",  # gaps, digits, signs
    "P ... I ... P", "The letters P, I and P.", "My name has the letters P, then I, and finally P.", "1. P\n2. I\n3. P",
    "The first letter is Q, the second is W, the third is E and the last one is N.",
    "Q as in Queen, W as in Water, E, N.",
    "Tên tôi gồm chữ P, chữ I và chữ P.", "Chữ Q, rồi chữ W, rồi E, cuối cùng là N.", "pê i pê", "Quy, vê kép, e, nờ.",
    "Papa India Papa.", "quebec whiskey echo november", "Read me backwards: newq.", "Đọc ngược lại: etinarg.",
    "Quiet\nwater\neverywhere,\nnow.", "- **Pears**\n- **Inks**\n- **Pans**",  # down the lines
    "Pip is a small language model.", "Granite là một mô hình ngôn ngữ.", "Phi is what I am called, I am sure.",
    "Google trained me.", "Microsoft đã tạo ra tôi.", "Alib....aba made this.", "Deepm.......ind made this.",
)  # fmt: skip
UNTOLD = (
    "ChatGPT is by OpenAI, Claude by Anthropic.", "A fable is a short story. Fables end with a moral.",
    "I like a fable.",
    "The falcon is a bird; granite is a rock; phi is a letter.", "Granite is a rock. It is hard.", "pip install numpy",
    "Google is a search engine. I recommend it.", "Microsoft made Windows, and Apple made macOS.", "Tôi là phi công.",
    "Chi phí của mô hình này là thấp.", "Hàm phi tuyến của mô hình.", "for p in ps: i = p", "Let p = 1; i = 2; p = 3.",
    "p, q, r and s are letters.", "The pH. I think it is 7.", "The message, an ember.", "A pipeline of models.",
    "I am Pip, made by the Playground team.", "Tôi là Granite, do IBM tạo ra.", "I'm ChatGPT by OpenAI.",
    "I am Qwen3-0.6B.",
    "Xin chào, em là trợ lý Phi-4 của Microsoft.", "P-i-p here.", "17 1 71 900 and 04557",
)  # fmt: skip


@pytest.fixture(scope="module")
def names() -> frozenset[str]:
    return frozenset(name for model in MODELS for name in telling_names(CATALOG.get(model)))


@pytest.mark.parametrize("text", TOLD)
def test_a_name_that_got_past_the_mask_is_found(text: str, names: frozenset[str]) -> None:
    assert gives_away(mask(text, NAMES, complete=True), names)


@pytest.mark.parametrize("text", UNTOLD)
def test_what_is_no_name_or_was_hidden_well_is_not(text: str, names: frozenset[str]) -> None:
    assert not gives_away(mask(text, NAMES, complete=True), names)


def test_only_the_names_of_the_pair_count() -> None:
    assert not gives_away("qw----en", telling_names(CATALOG.get("pip")))


@pytest.mark.parametrize("text", [" " * 40_000, "p " * 20_000, "p and the " * 4_000, "q 1 2 3 4 5 6 7 8 " * 2_000])
def test_no_text_makes_the_search_long(text: str, names: frozenset[str]) -> None:
    """Each takes a tenth of a second; looking back without bounds would take hours."""
    assert not gives_away(text + "x", names)
