"""Which tokens of an answer may be told, once the gate has said which of its text may.

Tokens are found again in the text by their bytes; what cannot be found is not told. A token is told when every
character it has a part in was released as it is: not held back, not blocked, not covered by a mark.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from playground.chat.masking import Mask
from playground.domain import TokenScore
from playground.engines.contract import TokenLogprob
from playground.moderation.contract import Screened

MOST_AHEAD = 4096
"""How many tokens may be ahead of their text, or bytes of text ahead of their tokens, before they count as lost."""


@dataclass(frozen=True, slots=True)
class ReleasedToken:
    """A token of which every character was released as it is.

    `start` and `end` are its characters in the answer as it was released, `written` is how many of the answer the model
    had written before it. Its alternatives are not screened.
    """

    start: int
    end: int
    written: int
    token: TokenLogprob


@dataclass(frozen=True, slots=True)
class _Placed:
    """A token and the characters it has a part in."""

    start: int
    end: int
    token: TokenLogprob


class TokenTrail:
    """Follows one answer.

    Positions count characters: of everything the model wrote (raw), of the answer without thinking (text), and of what
    was released of that (shown).
    """

    def __init__(self) -> None:
        self._unread = b""
        self._written = 0
        self._begun = 0
        self._lost = self._heard = False
        self._waiting: deque[TokenLogprob] = deque()
        self._raw: deque[_Placed] = deque()
        self._placed: deque[_Placed] = deque()
        self._parts: list[tuple[int, int, int]] = []
        self._text = ""
        self._released = self._length = 0
        self._shown: list[tuple[int, int, int]] = []  # from, to, and what to add for the place in what was released

    @property
    def text(self) -> str:
        """The answer as the model wrote it, without thinking."""
        return self._text

    @property
    def heard(self) -> bool:
        """Whether there was any token, of whatever text."""
        return self._heard

    def write(self, piece: str, tokens: Sequence[TokenLogprob]) -> None:
        """The model wrote a piece; its tokens may be ahead of it.

        Where tokens do not fit the text, or are missing, it goes on with a piece that is exactly what its tokens say.
        """
        self._heard = self._heard or bool(tokens)
        off = self._lost or (self._unread and not self._waiting)
        if off and tokens and b"".join(map(_data, tokens)) == piece.encode("utf-8", "surrogatepass"):
            self._lost, self._unread, self._begun = False, b"", self._written
        self._written += len(piece)
        if self._lost:
            return
        self._unread += piece.encode("utf-8", "surrogatepass")
        self._waiting.extend(tokens)
        while self._waiting:
            data = _data(self._waiting[0])
            if not self._begun and not self._unread.startswith(data[:1]):
                data = data.removeprefix(b" ")  # SentencePiece puts a space before the first word
            if not self._unread.startswith(data):
                fits = data.startswith(self._unread) and len(self._waiting) <= MOST_AHEAD
                if not fits:
                    self._lose()
                return
            self._find(data, self._waiting.popleft())
        if len(self._unread) > MOST_AHEAD:
            self._lose()

    def _lose(self) -> None:
        self._lost, self._unread = True, b""
        self._waiting.clear()

    def _find(self, data: bytes, token: TokenLogprob) -> None:
        self._unread = self._unread[len(data) :]
        goes_on = bool(data) and data[0] & 0xC0 == 0x80
        start = self._begun - goes_on
        self._begun += sum(byte & 0xC0 != 0x80 for byte in data)
        if data:
            self._raw.append(_Placed(start, self._begun, token))

    def place(self, start: int, text: str) -> None:
        """These characters, from `start` of all that was written, are answer."""
        end, at = start + len(text), len(self._text)
        if self._parts and self._parts[-1][1] == start:
            start, _, at = self._parts.pop()
        self._parts.append((start, end, at))
        self._text += text

    def settle(self, read: int) -> None:
        """All that was written up to `read` is known to be answer, thinking or mark-up."""
        while self._raw and self._raw[0].end <= read:
            found = self._raw.popleft()
            self._parts = [part for part in self._parts if part[1] > found.start]
            for start, end, at in self._parts:
                if start <= found.start and found.end <= end:
                    self._placed.append(_Placed(at + found.start - start, at + found.end - start, found.token))

    def release(self, screened: Screened, held: int) -> tuple[ReleasedToken, ...]:
        """The gate has decided about the text but for its last `held` characters: the tokens that may be told now."""
        end = self._released + len(screened.text) if screened.blocked else len(self._text) - held
        stretch = self._text[self._released : end]
        same = _common(stretch, screened.text)
        tail = 0 if screened.blocked else _common(stretch[same:][::-1], screened.text[same:][::-1])
        self._show(self._released, self._released + same, self._length - self._released)
        self._length += len(screened.text)
        self._show(end - tail, end, self._length - end)
        self._released = end
        told = []
        while self._placed and self._placed[0].end <= end:
            one = self._placed.popleft()
            for start, stop, shift in self._shown:
                if start <= one.start and one.end <= stop:
                    told.append(ReleasedToken(one.start + shift, one.end + shift, one.start, one.token))
                    break
        self._shown = [part for part in self._shown if part[1] >= (self._placed[0].start if self._placed else end)]
        return tuple(told)

    def _show(self, start: int, end: int, shift: int) -> None:
        if self._shown and self._shown[-1][1:] == (start, shift):
            start = self._shown.pop()[0]
        if start < end:
            self._shown.append((start, end, shift))


class Teller:
    """Says what may be told of tokens at once; `mask` screens what alternatives would have said."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def tell(self, text: str, released: ReleasedToken) -> TokenScore:
        """A token of an answer that begins with `text`, with the alternatives that the gate would let through."""
        token = released.token
        before = text[: released.written]
        top = tuple(
            (text, value) for _, text, value in token.top if text == token.text or self._mask.clears(before, text)
        )
        return TokenScore(token.text, token.data or token.text.encode("utf-8", "replace"), token.logprob, top)


def _data(token: TokenLogprob) -> bytes:
    return token.data or token.text.encode("utf-8", "surrogatepass")


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    length = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        length += 1
    return length
