"""The project's detectors in the shape of OpenAI's moderations, with the receipt beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.api.errors import Refused, problem_of_verdict, refuse
from playground.api.protocol import ModerationBody
from playground.api.receipts import receipt
from playground.api.requests import read_content
from playground.domain import Language, Verdict, new_id
from playground.errors import MessageTooLong
from playground.moderation.categories import CATEGORIES
from playground.moderation.contract import Moderator
from playground.text import plain

MODEL = "playground-moderation"
# Names that OpenAI's own clients send by default.
ALIASES = (MODEL, "omni-moderation-latest", "text-moderation-latest", "text-moderation-stable")
OPENAI = {
    "harassment": ("abuse", "insult", "toxicity", "severe_toxicity"),
    "harassment/threatening": ("threat",),
    "hate": ("slur", "identity_attack", "harm_hate"),
    "hate/threatening": (),
    "illicit": ("harm_crime", "harm_weapons"),
    "illicit/violent": ("harm_weapons",),
    "self-harm": ("harm_self",),
    "self-harm/intent": (),
    "self-harm/instructions": (),
    "sexual": ("sexual", "sexual_explicit", "harm_sexual", "harm_minors"),
    "sexual/minors": ("harm_minors",),
    "violence": ("harm_violence",),
    "violence/graphic": (),
}
"""OpenAI's categories, and which of ours count for each; ours are listed under their own names besides."""


def moderate(body: ModerationBody, moderator: Moderator, language: Language, longest: int) -> dict[str, Any]:
    """What the policy in force says about each text, as about something a person typed. Nothing is recorded.

    Raises Refused (503) when a check could not run and the policy lets nothing through then, MessageTooLong.
    """
    if body.model is not None and body.model not in ALIASES:
        raise refuse(
            f"There is no such moderation model. There are: {', '.join(ALIASES)}.", "model", "model_not_found", 404
        )
    results = []
    for text in _texts(body.input):
        if len(text) > longest:
            raise MessageTooLong(f"A text has {len(text):,} characters; at most {longest:,} can be checked at once.")
        verdict = moderator.check_input(plain(text), language=language).verdict
        if verdict is not None and verdict.unavailable:
            raise Refused(problem_of_verdict(verdict))
        results.append(_result(verdict))
    return {"id": f"modr-{new_id()}", "model": MODEL, "results": results}


def _texts(given: str | Sequence[Any]) -> list[str]:
    if isinstance(given, str):
        return [given]
    return [read_content([part], "input") for part in given]


def _result(verdict: Verdict | None) -> dict[str, Any]:
    own = dict.fromkeys(CATEGORIES, 0.0)
    acting: set[str] = set()
    for ruling in verdict.rulings if verdict else ():
        category = ruling.finding.category
        own[category] = max(own[category], ruling.finding.score)
        if ruling.action != "allow":
            acting.add(category)
    scores = {name: max((own[one] for one in ours), default=0.0) for name, ours in OPENAI.items()} | own
    flagged = {name: not acting.isdisjoint(ours) for name, ours in OPENAI.items()}
    flagged |= {name: name in acting for name in own}
    return {
        "flagged": bool(acting),
        "categories": flagged,
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] for name in flagged},
        "moderation": None if verdict is None else receipt(verdict),
    }
