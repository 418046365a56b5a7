"""Text of any length as overlapping windows of tokens, so that nothing is left unread behind the 512th token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playground.errors import DetectorUnavailable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

OVERLAP = 64
# WordPiece reads a longer run of letters as one unknown token, whatever is in it; the limit is a word of 100 letters.
_OVERLONG = re.compile(r"\w{90}(?=\w)")


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids with the special ones around them, and the half-open character span of the text they stand for."""

    ids: tuple[int, ...]
    span: tuple[int, int]


class WindowCutter:
    """Cuts text into windows of at most `max_tokens` tokens; the spans of the windows together cover every character.

    A window begins `overlap` tokens before the previous one ends, so a phrase of up to that length is seen whole.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, overlap: int = OVERLAP) -> None:
        # What the file says about cutting and filling is undone, and "[SEP]" or "</s>" typed by a person is plain text.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        framed = tokenizer.encode("a", add_special_tokens=True).ids
        start = next((at for at in range(len(framed)) if framed[at : at + len(bare)] == bare), 0)
        self._before, self._after = tuple(framed[:start]), tuple(framed[start + len(bare) :])
        self.content = max_tokens - len(self._before) - len(self._after)
        if self.content <= overlap:
            raise DetectorUnavailable(f"A window of {max_tokens} tokens is too short for an overlap of {overlap}.")
        self._stride = self.content - overlap

    def cut(self, text: str) -> list[Window]:
        """The windows of `text`, at least one; a text that fits gives exactly one, over all of it."""
        ids, starts = self._tokens(text)
        windows = []
        for first in range(0, max(len(ids) - self.content, 0) + self._stride, self._stride):
            last = first + self.content
            start = starts[first] if first else 0
            end = starts[last] if last < len(ids) else len(text)
            windows.append(Window((*self._before, *ids[first:last], *self._after), (start, end)))
            if last >= len(ids):
                break
        return windows

    def _tokens(self, text: str) -> tuple[list[int], list[int]]:
        ids: list[int] = []
        starts: list[int] = []
        for offset, piece in _pieces(text):
            encoded = self._tokenizer.encode(piece, add_special_tokens=False)
            ids += encoded.ids
            starts += [offset + start for start, _ in encoded.offsets]
        return ids, starts


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    done = 0
    for match in _OVERLONG.finditer(text):
        yield done, text[done : match.end()]
        done = match.end()
    yield done, text[done:]


def load_cutter(path: Path, max_tokens: int, overlap: int = OVERLAP) -> WindowCutter:
    """A cutter for the tokenizer in a `tokenizer.json`. Raises DetectorUnavailable when the file cannot be used."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise DetectorUnavailable(f"{path.name} of a Detoxify model is damaged; install the model again.") from error
    return WindowCutter(tokenizer, max_tokens, overlap)
