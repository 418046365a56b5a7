"""A comparison as a file: Markdown for people, JSON for programs. Only what may be shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from itertools import zip_longest

from playground.arena.contract import ComparisonView, Mode, Side, SideView
from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.domain import Message
from playground.library.library import Identity
from playground.ui.arena.side_view import LETTERS, model_name
from playground.ui.words import Words

Writer = Callable[[ComparisonView, Catalog, Words], str]
IdentityOf = Callable[[ModelSpec], Identity]


def export_json(seen: ComparisonView, catalog: Catalog, words: Words, *, identity: IdentityOf) -> str:
    """One object: what was asked of whom, with settings, answers, how they ended and how long they took.

    `identity` tells what exactly a model is on this machine.
    """
    names = [_name(side, catalog, words, blind=is_blind(seen)) for side in seen.sides]
    comparison, blind = seen.comparison, is_blind(seen)
    return json.dumps(
        {
            "id": comparison.id,
            "created_at": comparison.created_at.isoformat(),
            "mode": comparison.mode.value,
            "winner": comparison.winner,
            "sides": [
                {
                    "side": LETTERS[view.position],
                    "name": name,
                    **_maker(side, catalog, identity, blind=blind),
                    "messages": [_message(message, blind=blind) for message in view.messages],
                }
                for side, view, name in zip(comparison.sides, seen.sides, names, strict=True)
            ],
        },
        ensure_ascii=False,
        indent=1,
    )


def _maker(side: Side, catalog: Catalog, identity: IdentityOf, *, blind: bool) -> dict[str, object]:
    """What a side's next answer is made with, and its answers were since the last change; nothing while blind."""
    if blind:
        return {"model": None, "revision": None, "precision": None, "system_prompt": "", "params": None}
    spec = catalog.get(side.model_id) if side.model_id in catalog else None
    params, known = side.params or (spec.defaults if spec else None), identity(spec) if spec else None
    return {
        "model": side.model_id,
        "revision": known.revision if known else None,
        "precision": known.precision if known else None,
        "system_prompt": side.system_prompt,
        "params": asdict(params) if params else None,
    }


def is_blind(seen: ComparisonView) -> bool:
    """Whether nothing may tell who answers."""
    return seen.comparison.mode is not Mode.NAMED and not seen.comparison.revealed


def _message(message: Message, *, blind: bool) -> dict[str, object]:
    told: dict[str, object] = {"role": message.role, "content": message.content}
    if blind or message.role != "assistant":
        return told
    return told | {
        "model": message.model_id,
        "reasoning": message.reasoning,
        "finish_reason": message.finish_reason.value if message.finish_reason else None,
        "usage": asdict(message.usage) if message.usage else None,
        "timings": asdict(message.timings) if message.timings else None,
    }


def export_markdown(seen: ComparisonView, catalog: Catalog, words: Words) -> str:
    """Turn by turn: the question, then every side's answer below its name."""
    names = [_name(side, catalog, words, blind=is_blind(seen)) for side in seen.sides]
    parts = [f"# {words('arena.export_title')}", ", ".join(names)]
    for turn in zip_longest(*(side.messages for side in seen.sides)):
        parts += _turn(turn, seen, catalog, words)
    return "\n\n".join(parts) + "\n"


def _name(side: SideView, catalog: Catalog, words: Words, *, blind: bool, answer: Message | None = None) -> str:
    """Whose side it is, or whose an answer there: one of before a change goes by the model that wrote it."""
    letter = LETTERS[side.position]
    model = side.model_id if answer is None or side.wrote(answer) else answer.model_id or ""
    return words("arena.side", letter=letter) if blind else f"{letter}: {model_name(model, catalog)}"


def _turn(turn: tuple[Message | None, ...], seen: ComparisonView, catalog: Catalog, words: Words) -> list[str]:
    """Equal questions stand once."""
    parts: list[str] = []
    asked: set[str] = set()
    for side, message in zip(seen.sides, turn, strict=True):
        if message is None:
            continue
        if message.role == "assistant":
            name = _name(side, catalog, words, blind=is_blind(seen), answer=message)
            parts += [f"## {name}", message.content or words("end.failed")]
        elif message.content not in asked:
            asked.add(message.content)
            parts += [f"## {words('arena.you')}", message.content]
    return parts


def writers(identity: IdentityOf) -> Mapping[str, tuple[str, Writer]]:
    """End of the file's name -> media type, writer; for `identity` see `export_json`."""
    return {
        "json": ("application/json", partial(export_json, identity=identity)),
        "md": ("text/markdown", export_markdown),
    }
