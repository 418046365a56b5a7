"""An answer as a server told its tokens, as plain data. Alternatives are screened here, when somebody looks at them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from playground.chat.cases import covered_spans
from playground.chat.masking import Mask
from playground.chat.token_views import AlternativeView, Kind, PlaceView, TokenView
from playground.chat.trail_book import MOST_TOKENS, Trail, TrailToken
from playground.domain import Message

_UNKNOWN_ID = -1
_NO_CHARACTER = "\ufffd"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A place of an answer: what stands there, from the character `start` on, and the token that was told for it."""

    view: TokenView
    start: int
    told: TrailToken | None = None


def stretches(trail: Trail, answer: Message) -> tuple[Stretch, ...]:
    """The places of an answer: its tokens, and between them what was covered or what the server told nothing about."""
    found = tuple(islice(_stretches(trail, answer), MOST_TOKENS + 1))
    if len(found) <= MOST_TOKENS:
        return found
    return (*found[:MOST_TOKENS], Stretch(TokenView("", "more", None, None), found[-1].start))


def place_view(place: int, stretch: Stretch, text: str, mask: Mask) -> PlaceView:
    """One place of the answer `text` with what else was possible, as far as the gate clears it there."""
    if stretch.told is None:
        return PlaceView(place, stretch.view, ())
    told, before = stretch.told, text[: stretch.start]
    top = sorted(told.top, key=lambda one: -one[1])
    stands = _place_in(top, told)
    others = [
        # What stands there was released: it needs no screening.
        _alternative(stretch.view.text, stretch.view.kind, _UNKNOWN_ID, told.logprob)
        if at == stands
        else _other(name, logprob, cleared=mask.clears(before, name))
        for at, (name, logprob) in enumerate(top)
    ]
    return PlaceView(place, stretch.view, tuple(others))


def rather_view(stretch: Stretch, text: str, mask: Mask) -> AlternativeView | None:
    """The likeliest token of a place, if it is another than the one that stands there; see `place_view`."""
    if stretch.told is None or not stretch.told.top:
        return None
    name, logprob = max(stretch.told.top, key=lambda one: one[1])
    if name == stretch.told.name or logprob <= stretch.told.logprob:
        return None
    return _other(name, logprob, cleared=mask.clears(text[: stretch.start], name))


def _place_in(top: Sequence[tuple[str, float]], told: TrailToken) -> int | None:
    """Which of the most probable tokens stands there: several parts of characters can go by one name."""
    namesakes = [at for at, (name, _) in enumerate(top) if name == told.name]
    return min(namesakes, key=lambda at: abs(top[at][1] - told.logprob), default=None)


def _stretches(trail: Trail, answer: Message) -> Iterator[Stretch]:
    text, at = answer.content, 0
    spans = covered_spans(answer, text)
    ends = [token.start for token in trail.tokens[1:]] + [len(text)]
    for token, end in zip(trail.tokens, ends, strict=False):
        if at < token.start:
            yield Stretch(_gap(text, at, token.start, spans), at)
            at = token.start
        until = max(at, min(token.end, end))  # a token that only begins a character shows nothing of it
        shown = text[at:until]
        kind: Kind = "text" if shown else "fragment"
        yield Stretch(TokenView(shown, kind, _probability(token.logprob), None), at, token)
        at = until
    if at < len(text):
        rest = _gap(text, at, len(text), spans) if trail.whole else TokenView("", "more", None, None)
        yield Stretch(rest, at)


def _gap(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> TokenView:
    covered = any(begin < end and start < stop for begin, stop in spans)
    return TokenView(text[start:end], "covered" if covered else "untold", None, None)


def _other(name: str, logprob: float, *, cleared: bool) -> AlternativeView:
    if not cleared:
        return _alternative("", "text", None, logprob)
    part = not name.strip(_NO_CHARACTER)
    return _alternative("" if part else name, "fragment" if part else "text", _UNKNOWN_ID, logprob)


def _alternative(text: str, kind: Kind, token_id: int | None, logprob: float) -> AlternativeView:
    probability = _probability(logprob)
    return AlternativeView(text, kind, token_id, probability, probability)


def _probability(logprob: float) -> float:
    return math.exp(min(0.0, logprob))
