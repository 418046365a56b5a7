"""Stop texts: the answer ends before the first of them, however its tokens cut them."""

from __future__ import annotations

from collections.abc import Sequence


class StopTexts:
    """Looks for any of some texts in a stream and holds back what could still become one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._longest = max(map(len, texts), default=0)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """(text that is certain to belong to the answer, whether a stop text was met: then there is nothing more)."""
        if not self._texts:
            return text, False
        text = self._held + text
        found = [at for stop in self._texts if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)], True
        keep = self._possible_start(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def finish(self) -> str:
        """What was held back: no stop text came of it."""
        held, self._held = self._held, ""
        return held

    def _possible_start(self, text: str) -> int:
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._texts):
                return length
        return 0
