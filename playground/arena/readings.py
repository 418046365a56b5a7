"""Readings of answers with their figures: of tokens that were looked at, and of those that a server told."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from playground.arena.contract import Surprise
from playground.chat.masking import Mask
from playground.chat.token_views import AlternativeView, TokenView
from playground.chat.trail_book import Trail
from playground.chat.trail_views import rather_view, stretches
from playground.domain import Message

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_LEAST = 1e-300


def surprise_of(
    model_id: str,
    views: Sequence[TokenView],
    rather: Mapping[int, AlternativeView],
    *,
    whole: bool,
    thoughtless: bool = False,
) -> Surprise:
    """The reading with its means; what has no probability, as what the gate covered, counts in none of them."""
    counted = [(view.text, view.probability) for view in views if view.probability is not None]
    text = "".join(part for part, _ in counted)
    bits, words = -sum(math.log2(max(chance, _LEAST)) for _, chance in counted), len(_WORD.findall(text))
    return Surprise(
        model_id=model_id,
        tokens=tuple(views),
        rather=rather,
        bits_per_token=bits / len(counted) if counted else None,
        bits_per_character=bits / len(text) if text else None,
        tokens_per_word=len(counted) / words if words else None,
        whole=whole,
        thoughtless=thoughtless,
    )


def told_surprise(answer: Message, trail: Trail, mask: Mask, model_id: str) -> Surprise:
    """An answer as the server of its model told it while it wrote."""
    found = stretches(trail, answer)
    read = [stretch for stretch in found if stretch.view.kind != "more"]
    rather: dict[int, AlternativeView] = {}
    in_time = True
    for place, stretch in enumerate(read):
        if mask.spent:
            in_time = False
            break
        if (view := rather_view(stretch, answer.content, mask)) is not None:
            rather[place] = view
    told = surprise_of(model_id, [stretch.view for stretch in read], rather, whole=len(read) == len(found))
    return replace(told, rather_whole=in_time)
