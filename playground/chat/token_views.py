"""What can be seen of an answer's tokens, as plain data. Only cleared text is in any of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.engines.contract import Candidate, LegibleTokenizer, Look

Kind = Literal["text", "control", "fragment", "covered", "untold", "end", "more"]


@dataclass(frozen=True, slots=True)
class TokenView:
    """One place of an answer.

    `kind` "text" is a token with text; "control" one that is no part of the text, which goes by its `text` in the
    vocabulary; "fragment" begins a character that a later token completes; "covered" stands for what the gate covered,
    and has no `probability`; "untold" is text about whose tokens a server told nothing; "end" is the place behind the
    last token, "more" the one where a very long answer goes on without being looked at. `probability` is the model's
    own, 0 to 1; `entropy` is how undecided the model was at this place, in bits, and None where that cannot be known.
    """

    text: str
    kind: Kind
    probability: float | None
    entropy: float | None


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer as tokens. `recut` says that the model had written other tokens than its text is read back into.

    `told` says that a server told them while it wrote: nothing can go on from one of them.
    """

    tokens: tuple[TokenView, ...]
    recut: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True)
class AlternativeView:
    """A token that could have stood, or may come next.

    `probability` is the model's own, `share` the chance to be drawn under the settings (0: they leave it out).
    `token_id` is None and `text` empty for one that the gate masks. Of what a server told it is -1, and `share` is
    `probability`.
    """

    text: str
    kind: Kind
    token_id: int | None
    probability: float
    share: float

    @property
    def masked(self) -> bool:
        """Whether the gate says what it is to nobody."""
        return self.token_id is None


@dataclass(frozen=True, slots=True)
class PlaceView:
    """One place looked at closely: what stood there and what else could have, the most probable first."""

    place: int
    token: TokenView
    alternatives: tuple[AlternativeView, ...]


@dataclass(frozen=True, slots=True)
class StepView:
    """The next token before it is chosen.

    `text` is the answer so far, as far as it is cleared; `stopped` says that the gate stops it here. `drawn` is what
    settings and seed draw. `entropy` is in bits; `kept` counts the tokens that the settings leave, and `settings` gives
    the candidates with what they make of the distribution.
    """

    text: str
    tokens: tuple[str, ...]
    candidates: tuple[AlternativeView, ...] = ()
    drawn: AlternativeView | None = None
    entropy: float = 0.0
    kept: int = 0
    ended: bool = False
    stopped: bool = False


def token_view(token_id: int, text: str, look: Look, tokenizer: LegibleTokenizer, *, covered: bool) -> TokenView:
    """The token that stands where `look` was taken."""
    probability = None if covered or look.stands is None else math.exp(look.stands.logprob)
    if covered:
        return TokenView(text, "covered", None, None)
    shown, kind = shown_token(token_id, text, tokenizer)
    return TokenView(shown, kind, probability, look.entropy)


def shown_token(token_id: int, text: str, tokenizer: LegibleTokenizer) -> tuple[str, Kind]:
    """What is shown of a token that adds `text`, and its kind."""
    if tokenizer.is_control(token_id):
        return tokenizer.name(token_id), "control"
    return (text, "text") if text else ("", "fragment")


def alternative_view(candidate: Candidate, text: str, tokenizer: LegibleTokenizer) -> AlternativeView:
    """A candidate that adds `text` and was cleared."""
    shown, kind = shown_token(candidate.token_id, text, tokenizer)
    return AlternativeView(shown, kind, candidate.token_id, math.exp(candidate.logprob), candidate.share)


def masked_view(candidate: Candidate) -> AlternativeView:
    """A candidate of which nobody is told what it is."""
    return AlternativeView("", "text", None, math.exp(candidate.logprob), candidate.share)


def covered_places(texts: Sequence[str], spans: Sequence[tuple[int, int]]) -> set[int]:
    """The places whose text lies in one of the spans of the joined text, also in part."""
    covered: set[int] = set()
    begin = 0
    for place, text in enumerate(texts):
        end = begin + len(text)
        if any(start < max(end, begin + 1) and begin < stop for start, stop in spans):
            covered.add(place)
        begin = end
    return covered
