"""How finely a tokenizer cuts each language: tokens for each word of two texts that say the same."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from playground.domain import Language
from playground.engines.contract import LegibleTokenizer

# Written for this: the same in both languages, in everyday words.
SAMPLES: Mapping[Language, str] = {
    "en": "On Saturday morning my sister and I went to the market to buy fish, green vegetables and a bag of oranges. "
    "It had rained in the night, so the street was still wet and a small boy was jumping over the puddles. An old "
    "woman who sells noodles asked us where our mother was. We told her that she was at home, reading the "
    "newspaper, and that she would come next week. Before we left she gave us two cups of hot tea and a piece of "
    "advice: whoever asks a good question has already found half of the answer.",
    "vi": "Sáng thứ bảy, chị tôi và tôi đi chợ mua cá, rau xanh và một túi cam. Đêm qua trời mưa nên đường phố vẫn còn "
    "ướt, và một cậu bé đang nhảy qua những vũng nước. Một bà cụ bán bún hỏi chúng tôi mẹ đang ở đâu. Chúng tôi "
    "nói với bà rằng mẹ đang ở nhà đọc báo, và tuần sau mẹ sẽ đến. Trước khi chúng tôi ra về, bà cho chúng tôi "
    "hai chén trà nóng và một lời khuyên: ai biết hỏi một câu hay thì đã tìm được một nửa câu trả lời.",
}


class WordCosts:
    """Counts once for each tokenizer. Safe to use from many threads."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[LegibleTokenizer, Mapping[Language, float]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, tokenizer: LegibleTokenizer) -> Mapping[Language, float]:
        """Tokens per word by language. Words are what stands between spaces: in Vietnamese, syllables."""
        with self._lock:
            known = self._known.get(tokenizer)
        if known is None:
            known = {language: len(tokenizer.encode(text)) / len(text.split()) for language, text in SAMPLES.items()}
            with self._lock:
                self._known[tokenizer] = known
        return known
