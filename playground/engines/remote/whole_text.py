"""Text that can be stored: JSON allows halves of surrogate pairs, also spread over two pieces; nothing else does."""

from __future__ import annotations

_HIGH_FIRST, _HIGH_LAST = "\ud800", "\udbff"


class WholeText:
    """Joins surrogate pairs across pieces and puts U+FFFD in place of lone halves."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """The text that is certain by now."""
        text = self._half + text
        self._half = text[-1] if text and _HIGH_FIRST <= text[-1] <= _HIGH_LAST else ""
        return mended(text[: len(text) - len(self._half)])

    def finish(self) -> str:
        """What was held back: its other half never came."""
        half, self._half = self._half, ""
        return mended(half)


def mended(text: str) -> str:
    """The text, with U+FFFD in place of lone halves of surrogate pairs."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
