"""An answer as its model wrote it: with its thoughts, between the tags that part them from the answer."""

from __future__ import annotations

from collections.abc import Sequence

from playground.domain import Message
from playground.engines.contract import LegibleTokenizer, Tokenizer

Tags = tuple[str, str]
Pieces = list[tuple[str, bool]]
"""Texts, each with whether it is markup, in which control tokens count: see `Tokenizer.encode_pieces`."""
_END = 16
"""How many of a prompt's last tokens may belong to an opening tag and white space."""


def opened_by(tokenizer: Tokenizer | None, prompt: Sequence[int], tags: Tags | None) -> bool:
    """Whether a prompt ends with the tag that opens thoughts: some templates write it, and the model goes on inside."""
    if tags is None or not isinstance(tokenizer, LegibleTokenizer):
        return False
    return "".join(tokenizer.texts(prompt[-_END:])).rstrip().endswith(tags[0])


def thoughts_of(answer: Message, tags: Tags | None) -> Pieces:
    """What the model wrote before the answer's words; white space as in most templates where it is not known."""
    if answer.making is not None and answer.making.frame is not None:
        opening, closing = answer.making.frame
        return [(opening, True), (answer.reasoning, False), (closing, True)]
    return _thoughts(answer.reasoning, tags, opened=False) if answer.reasoning and tags is not None else []


def thoughts_for(answer: Message, tags: Tags | None, *, opened: bool) -> Pieces:
    """The thoughts as a model with these tags would have written them; `opened`: after a prompt that opens them.

    Nothing for a model that does not think.
    """
    if tags is None or not (answer.reasoning or opened):
        return []
    return _thoughts(answer.reasoning, tags, opened=opened)


def _thoughts(reasoning: str, tags: Tags, *, opened: bool) -> Pieces:
    opening, closing = tags
    return [("" if opened else f"{opening}\n", True), (reasoning.strip(), False), (f"\n{closing}\n\n", True)]
