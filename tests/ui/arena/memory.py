"""An arena in memory, over a real chat service: what the page is developed and tested against without a database of
comparisons. It keeps the contract as far as the page can see it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from playground.arena.contract import (
    Comparison,
    ComparisonView,
    Mode,
    Schedule,
    Side,
    SideRequest,
    SideView,
    Surprise,
    SurpriseView,
    TableChoice,
    Winner,
)
from playground.arena.leaderboard import Leaderboard, build_leaderboard
from playground.arena.ledger import Kind
from playground.arena.votes import build_votes
from playground.chat.run import Run
from playground.chat.service import ChatService
from playground.domain import Blocked, ChatRequest, Failed, Language
from playground.errors import InvalidRequest, OutOfMemory, UnknownConversation

Row = dict[str, object]


class MemoryBook:
    """Votes in a dictionary, by comparison."""

    def __init__(self) -> None:
        self.kept: dict[str, Row] = {}

    def leaderboard(self, choice: TableChoice) -> Leaderboard:
        rows = [row for row in self.kept.values() if row["mode"] in choice.modes]
        rows = [row for row in rows if choice.language in ("", row["language"])]
        first, second, winner = ([str(row[name]) for row in rows] for name in ("model_a", "model_b", "winner"))
        people = [row.get("session", at) for at, row in enumerate(rows)]
        return build_leaderboard(build_votes(first, second, winner, session=people), ties=choice.ties)

    def kinds(self) -> Mapping[Kind, int]:
        return Counter(
            Kind(
                "imported" if row.get("imported") else str(row["mode"]),
                bool(row.get("tainted")),
                str(row.get("language", "")),
                str(row.get("category", "")),
            )
            for row in self.kept.values()
        )

    def rows(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.kept.values())


class MemoryArena:
    """Comparisons in a dictionary; every side is a conversation of the chat service."""

    def __init__(self, chat: ChatService, book: MemoryBook, pair: tuple[str, str]) -> None:
        self._chat = chat
        self.standings = book
        self._pair = pair
        self._kept: dict[str, Comparison] = {}
        self._blocked: dict[tuple[str, int], Blocked] = {}
        self._runs: dict[tuple[str, int], Run] = {}

    def start(self, owner: str, mode: Mode, sides: Sequence[SideRequest], language: Language) -> Comparison:
        asked = [SideRequest(model) for model in self._pair] if mode is Mode.BLIND else sides
        made = tuple(Side(at, "", one.model_id, one.params, one.system_prompt) for at, one in enumerate(asked))
        comparison = Comparison(owner, mode, made, language=language)
        self._kept[comparison.id] = comparison
        return comparison

    def plan(self, models: Sequence[str]) -> Schedule:
        if "too-large" in models:
            raise OutOfMemory("This model is too large. Choose a smaller one.")
        return Schedule.TOGETHER if len(models) < 4 else Schedule.IN_TURN

    def surprise(self, owner: str, comparison_id: str, language: Language) -> SurpriseView:
        comparison = self._find(owner, comparison_id)
        silent = [Surprise(side.model_id, trouble=Failed("no_probabilities", "None.")) for side in comparison.sides]
        return SurpriseView((tuple(silent),) * len(silent), ({},) * len(silent))

    def ask(self, owner: str, comparison_id: str, text: str, *, only: int | None = None) -> ComparisonView:
        comparison = self._find(owner, comparison_id)
        for side in comparison.sides:
            if only is None or side.position == only:
                self._ask(comparison, side, text)
        return self.view(owner, comparison_id)

    def _ask(self, comparison: Comparison, side: Side, text: str | None) -> None:
        thread = self._chat.thread(comparison.owner, side.conversation_id) if side.conversation_id else None
        parent = thread.messages[-1].id if thread and thread.messages else None
        if text is None and thread:
            parent = thread.messages[-1].parent_id
        run = self._chat.start(
            ChatRequest(
                comparison.owner, side.model_id, text, side.conversation_id or None, parent, side.system_prompt,
                side.params, comparison.language,
            )
        )  # fmt: skip
        key = (comparison.id, side.position)
        self._runs[key] = run
        end = run.snapshot().end
        self._blocked.pop(key, None)
        if isinstance(end, Blocked) and run.user_message_id is None:
            self._blocked[key] = end
        elif not side.conversation_id:
            self._put(comparison.id, replace(side, conversation_id=run.conversation_id or ""))

    def _put(self, comparison_id: str, side: Side) -> None:
        comparison = self._kept[comparison_id]
        sides = tuple(side if one.position == side.position else one for one in comparison.sides)
        self._kept[comparison_id] = replace(comparison, sides=sides)

    def retry(self, owner: str, comparison_id: str, position: int) -> ComparisonView:
        comparison = self._find(owner, comparison_id)
        self._ask(comparison, comparison.sides[position], None)
        return self.view(owner, comparison_id)

    def stop(self, owner: str, comparison_id: str, position: int | None = None) -> None:
        for side in self._find(owner, comparison_id).sides:
            run = self._runs.get((comparison_id, side.position))
            if run is not None and position in (None, side.position):
                run.cancel()

    def change_side(self, owner: str, comparison_id: str, position: int, request: SideRequest | None) -> Comparison:
        comparison = self._find(owner, comparison_id)
        sides = list(comparison.sides)
        made = request and Side(position, "", request.model_id, request.params, request.system_prompt)
        sides[position : position + 1] = [made] if made else []
        if comparison.mode is not Mode.NAMED or not 2 <= len(sides) <= 4:
            raise InvalidRequest("A comparison has 2 to 4 models.")
        numbered = tuple(replace(side, position=at) for at, side in enumerate(sides))
        self._kept[comparison_id] = replace(comparison, sides=numbered)
        return self._kept[comparison_id]

    def view(self, owner: str, comparison_id: str) -> ComparisonView:
        comparison = self._find(owner, comparison_id)
        blind = comparison.mode is Mode.BLIND and not comparison.revealed
        sides = tuple(self._side(comparison, side, blind=blind) for side in comparison.sides)
        version = sum(len(message.content) for side in sides for message in side.messages) + len(sides)
        version += 1000 * sum(not side.running for side in sides) + (10**6 if comparison.winner else 0)
        done = not any(side.running for side in sides) and all(side.messages for side in sides)
        return ComparisonView(
            comparison, sides, version, may_vote=done and len(sides) == 2 and not comparison.one_model
        )

    def _side(self, comparison: Comparison, side: Side, *, blind: bool) -> SideView:
        key = (comparison.id, side.position)
        model = "" if blind else side.model_id
        if not side.conversation_id:
            return SideView(side.position, model, (), running=False, end=self._blocked.get(key))
        messages = self._chat.thread(comparison.owner, side.conversation_id).messages
        run = self._runs.get(key)
        if run is None or run.done:
            usage = messages[-1].usage if messages and not blind else None
            return SideView(
                side.position, model, messages, running=False, end=self._blocked.get(key),
                tokens=usage.completion_tokens if usage else 0, memory_bytes=0 if blind else 12_000_000,
            )  # fmt: skip
        now = run.snapshot()
        last = replace(messages[-1], content=now.text, reasoning=now.reasoning)
        speed = None if blind or not now.tokens else now.tokens / max(now.elapsed, 0.001)
        return SideView(
            side.position, model, (*messages[:-1], last), running=True, stage=now.stage,
            tokens=0 if blind else now.tokens, tokens_per_second=speed,
            first_token=None if blind else now.first_token,
        )  # fmt: skip

    def wait(self, owner: str, comparison_id: str, version: int, timeout: float) -> ComparisonView:
        deadline = time.monotonic() + timeout
        while True:
            seen = self.view(owner, comparison_id)
            if seen.version > version or time.monotonic() > deadline:
                return seen
            time.sleep(0.02)

    def vote(self, owner: str, comparison_id: str, winner: Winner) -> ComparisonView:
        seen = self.view(owner, comparison_id)
        if not seen.may_vote:
            raise InvalidRequest("Both sides must have finished before you can vote.")
        comparison = replace(seen.comparison, winner=winner, revealed=True)
        self._kept[comparison_id] = comparison
        first, second = (side.model_id for side in comparison.sides)
        row: Row = {"model_a": first, "model_b": second, "winner": winner, "language": comparison.language}
        self.standings.kept[comparison_id] = row | {"mode": comparison.mode.value}
        return self.view(owner, comparison_id)

    def detach(self, owner: str, comparison_id: str, position: int) -> str:
        return self._find(owner, comparison_id).sides[position].conversation_id

    def listed(self, owner: str) -> list[Comparison]:
        return [one for one in reversed(self._kept.values()) if one.owner == owner]

    def _find(self, owner: str, comparison_id: str) -> Comparison:
        comparison = self._kept.get(comparison_id)
        if comparison is None or comparison.owner != owner:
            raise UnknownConversation("There is no such comparison. Start a new one.")
        return comparison
