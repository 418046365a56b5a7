"""Side by side and blind battles: what the page and the command line can do with comparisons.

Each side is a conversation of its own in the chat's tables, written by the chat's own runs: gate, storage, stopping,
retry and recovery are those of the chat. What is added here is when they start, and what may be seen of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from playground.arena.asking import Asking
from playground.arena.ballot import fill_ballot
from playground.arena.batches import Batches
from playground.arena.contract import (
    MOST_SIDES,
    Comparison,
    ComparisonView,
    Mode,
    Schedule,
    SideRequest,
    SurpriseView,
    TableChoice,
    Winner,
)
from playground.arena.duel import Duel
from playground.arena.grading import Grading
from playground.arena.live import Live
from playground.arena.parts import ArenaParts
from playground.arena.sides import SideMaker
from playground.arena.sight import Sight, comparison_of, is_blind, shown_comparison
from playground.arena.standings import Standings
from playground.arena.surprise import CrossReader, Reader
from playground.arena.watched import Watched
from playground.chat.incoming import check_id
from playground.chat.service import UNDO_TIME
from playground.domain import Language, new_id, utc_now
from playground.errors import Busy, InvalidRequest
from playground.storage.comparisons import KeptComparison, KeptSide

if TYPE_CHECKING:
    from playground.arena.leaderboard import Leaderboard

_LOOK_SECONDS = 1 / 15


class ArenaService:
    """See `contract.Arena`."""

    def __init__(self, parts: ArenaParts) -> None:
        self._parts = parts
        self._chat = parts.chat.over(parts.sides)
        self._sides = SideMaker(parts, self._chat)
        self._standings = Standings(parts.votes)
        self._sight = Sight(parts.catalog, parts.memory, parts.votes, parts.chars_per_second)
        self._cross = CrossReader(
            parts.engines, parts.models, parts.moderator, trails=self._chat.trails, looks=self._chat.looks
        )
        self._asking = Asking(parts, self._chat)
        self._watched = Watched(parts.comparisons, self._chat)
        self.batches = Batches(parts)
        self.grading = Grading(parts, self.view, self._withdraw, self._watched.forget)

    def start(self, owner: str, mode: Mode, sides: Sequence[SideRequest], language: Language) -> Comparison:
        """A new comparison; see `contract.Arena`."""
        if mode is Mode.DUEL or (mode is Mode.BLIND and sides):
            raise InvalidRequest("A blind battle draws its models itself. Start it without any, or compare by name.")
        if mode is Mode.BLIND:
            counted, fruitless = self._standings.votes(TableChoice()), self._parts.comparisons.fruitless(Mode.BLIND)
            sides = [SideRequest(name) for name in self._parts.ring.draw(counted, fruitless)]
        if not 2 <= len(sides) <= MOST_SIDES:
            raise InvalidRequest(f"A comparison has two to {MOST_SIDES} models. Choose as many.")
        comparison_id = new_id()
        schedule = self._asking.schedule([side.model_id for side in sides])
        conversations = [self._sides.make(owner, comparison_id, side, language, ()) for side in sides]
        kept = KeptComparison(
            id=comparison_id, owner=owner, mode=mode.value, schedule=schedule.value, language=language
        )
        self._parts.comparisons.add(kept, conversations)
        live = self._watched.get(owner, comparison_id)
        return shown_comparison(live.kept)

    def plan(self, models: Sequence[str]) -> Schedule:
        """How these models would answer; see `contract.Arena`."""
        return self._asking.schedule(models)

    def ask(self, owner: str, comparison_id: str, text: str, *, only: int | None = None) -> ComparisonView:
        """Ask all sides, or one; see `contract.Arena`."""
        live = self._watched.get(owner, comparison_id)
        _refuse_batch(live.kept)
        with live.lock:
            if only is not None and is_blind(live.kept):
                raise InvalidRequest("Vote first; then one side can be asked alone.")
            view = self._sight.view(live)
            if any(side.running for side in view.sides if only in (None, side.position)):
                raise Busy("An answer is still being written. Wait for it, or stop it first.")
            chosen = live.kept.sides if only is None else (_side_at(live.kept, only),)
            self._asking.renew_schedule(live)
            requests = [self._asking.request(live, side, text) for side in chosen]
            self._asking.begin(live, requests)
            return self._sight.view(live)

    def retry(self, owner: str, comparison_id: str, position: int) -> ComparisonView:
        """Answer again on one side; see `contract.Arena`."""
        live = self._watched.get(owner, comparison_id)
        _refuse_batch(live.kept)
        with live.lock:
            kept = _side_at(live.kept, position)
            messages = self._asking.messages(live.kept, kept)
            asked = next((message for message in reversed(messages) if message.role == "user"), None)
            if asked is None:
                raise InvalidRequest("There is no question to answer again. Write a message first.")
            if is_blind(live.kept):
                view = self._sight.view(live)
                if view.sides[position].answered:
                    raise InvalidRequest("Vote first; then an answer can be written again.")
                if any(side.running for side in view.sides):
                    raise Busy("An answer is still being written. Wait for it, or stop it first.")
            self._asking.begin(live, [replace(self._asking.request(live, kept, None), parent_id=asked.id)])
            return self._sight.view(live)

    def stop(self, owner: str, comparison_id: str, position: int | None = None) -> None:
        """Stop one side or all; see `contract.Arena`."""
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            sides = live.kept.sides if position is None or is_blind(live.kept) else (_side_at(live.kept, position),)
            for run in live.runs(sides):
                run.cancel()
            live.show_at_once()

    def change_side(self, owner: str, comparison_id: str, position: int, request: SideRequest | None) -> Comparison:
        """Another model or settings on a side, one more, or one less; see `contract.Arena`."""
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            kept = live.kept
            _refuse_batch(kept)
            if kept.mode != Mode.NAMED:
                raise InvalidRequest("A vote is about the models that were drawn. Choose others side by side.")
            ids = [side.conversation_id for side in kept.sides]
            if not 0 <= position <= len(ids) - (request is None) or (position == MOST_SIDES):
                raise InvalidRequest(f"There is no side {position + 1} to change. A comparison has two to four sides.")
            if request is None:
                if len(ids) == 2:
                    raise InvalidRequest("A comparison has at least two sides. Open the other one as a chat instead.")
                self.stop(owner, comparison_id, position)
                del ids[position]
            else:
                if position < len(ids) and self._alike(kept.sides[position], request):
                    return shown_comparison(kept)
                before = kept.sides[position if position < len(ids) else 0]
                ids[position : position + 1] = [self._go_on(live, before, request)]
            judged = position < 2  # a vote is about the first two sides
            if judged:
                self._parts.votes.settle(comparison_id)
            self._parts.comparisons.put_sides(owner, comparison_id, ids, winner=None if judged else kept.winner)
            self._watched.reload(live)
            self._asking.renew_schedule(live)
            return shown_comparison(live.kept)

    def _go_on(self, live: Live, before: KeptSide, request: SideRequest) -> str:
        """A conversation of this model that goes on where a side is; returns its id."""
        if live.runs([before]):
            raise Busy("An answer is still being written. Wait for it, or stop it first.")
        kept = live.kept
        self._asking.schedule([request.model_id])
        return self._sides.make(kept.owner, kept.id, request, kept.language, self._asking.messages(kept, before))

    def _alike(self, side: KeptSide, request: SideRequest) -> bool:
        """Whether a side would answer as it does already."""
        spec = self._parts.catalog.get(request.model_id)
        now = (side.model_id, side.params or spec.defaults, side.system_prompt)
        return now == (spec.id, request.params or spec.defaults, request.system_prompt.strip())

    def view(self, owner: str, comparison_id: str) -> ComparisonView:
        """As it may be shown right now."""
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            return self._sight.view(live)

    def wait(self, owner: str, comparison_id: str, version: int, timeout: float) -> ComparisonView:
        """The view once its version is beyond `version`, or as it is after `timeout` seconds."""
        live = self._watched.get(owner, comparison_id)
        deadline = time.monotonic() + timeout
        while True:
            with live.lock:
                self._watched.catch_up(live, at_once=False)
                view = self._sight.view(live)
                left = deadline - time.monotonic()
                if view.version > version or left <= 0:
                    return view
                moving = any(side.running for side in view.sides)
                live.changed.wait(min(left, _LOOK_SECONDS) if moving else left)

    def vote(self, owner: str, comparison_id: str, winner: Winner) -> ComparisonView:
        """Vote, or change one's mind; see `contract.Arena`."""
        if winner not in get_args(Winner):
            raise InvalidRequest(f"A vote is one of: {', '.join(get_args(Winner))}.")
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            if comparison_of(live.kept).one_model:
                raise InvalidRequest(
                    "Both sides are the same model, so there is nothing to rate. Choose another model."
                )
            if not self._sight.view(live).may_vote:
                raise InvalidRequest("You can vote when both sides have answered, once for each battle.")
            comparison = comparison_of(live.kept)
            sides = self._sight.open_sides(live)
            tainted = self._sight.tainted(live)
            specs = [self._parts.catalog.get(side.model_id) for side in comparison.sides]
            models = [(spec, self._parts.identity(spec)) for spec in specs]
            ballot = fill_ballot(
                comparison, sides, models, winner, tainted=tainted, fingerprint=self._parts.fingerprint
            )
            self._parts.votes.cast(ballot)
            revealed = live.kept.batch is None  # those of a batch are shown when its grader has seen enough
            self._parts.comparisons.change(owner, comparison_id, winner=winner, revealed=revealed, tainted=tainted)
            self._watched.reload(live)
            return self._sight.view(live)

    def detach(self, owner: str, comparison_id: str, position: int) -> str:
        """Open a side as a normal chat: a copy of its conversation, whose id is returned. Not while blind."""
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            if is_blind(live.kept):
                raise InvalidRequest("Vote first; then a side can be opened as a chat.")
            kept = _side_at(live.kept, position)
            if live.runs([kept]):
                raise Busy("An answer is still being written. Wait for it, or stop it first.")
            return self._sides.open_as_chat(live.kept, kept, self._asking.messages(live.kept, kept))

    def listed(self, owner: str) -> list[Comparison]:
        """The newest comparisons first."""
        return [shown_comparison(kept) for kept in self._parts.comparisons.listed(owner)]

    def delete(self, owner: str, comparison_id: str) -> None:
        """Put a comparison away, and stop its answers; it can be restored for `UNDO_TIME`. Its vote stays."""
        self.stop(owner, comparison_id)
        sides = self._watched.get(owner, comparison_id).kept.sides
        self._parts.comparisons.delete(owner, comparison_id)
        for side in sides:
            self._chat.forget(side.conversation_id)
        self._watched.forget([comparison_id])
        self.recover()

    def restore(self, owner: str, comparison_id: str) -> None:
        """Undo `delete`."""
        self._parts.comparisons.restore(owner, check_id(comparison_id))
        for side in self._watched.get(owner, comparison_id).kept.sides:
            self._chat.trails.welcome(side.conversation_id)

    def surprise(self, owner: str, comparison_id: str, language: Language) -> SurpriseView:
        """How probable each model finds each answer; not while blind."""
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            if is_blind(live.kept):
                raise InvalidRequest("Vote first; then the models can read each other's answers.")
            if live.running:
                raise Busy("An answer is still being written. Wait for it, or stop it first.")
            kept = live.kept
            branches = [side.messages if side.answer else () for side in self._sight.open_sides(live)]
        specs = [self._parts.catalog.get(side.model_id) for side in kept.sides]
        readers = [
            Reader(spec, side.params or spec.defaults, side.system_prompt, side.conversation_id)
            for spec, side in zip(specs, kept.sides, strict=True)
        ]
        return self._cross.read(readers, branches, language)

    def leaderboard(self, choice: TableChoice) -> Leaderboard:
        """The table of these votes."""
        return self._standings.leaderboard(choice)

    def duel(self, questions: Sequence[str], models: Sequence[str]) -> Duel:
        """A batch of questions to models. Raises UnknownModel, InvalidRequest."""
        return Duel(self._parts, questions, models)

    def recover(self) -> None:
        """For the start of the server: remove what was put away too long ago to be restored."""
        self._parts.comparisons.purge(utc_now() - UNDO_TIME)

    def close(self) -> None:
        """Halt the batch that is being worked on."""
        self.batches.close()

    @property
    def standings(self) -> Standings:
        """The votes that are kept here."""
        return self._standings

    def _withdraw(self, owner: str, comparison_id: str) -> None:
        """Take back a vote whose models are hidden."""
        live = self._watched.get(owner, comparison_id)
        with live.lock:
            if not is_blind(live.kept):
                raise InvalidRequest("The names have been shown, so this vote is final. Go on with the next pair.")
            self._parts.votes.withdraw(comparison_id)
            self._parts.comparisons.change(owner, comparison_id, winner=None)
            self._watched.reload(live)


def _refuse_batch(kept: KeptComparison) -> None:
    if kept.batch is not None:
        raise InvalidRequest("This pair of a batch has been answered already. Grade it, or start a comparison.")


def _side_at(kept: KeptComparison, position: int) -> KeptSide:
    if not 0 <= position < len(kept.sides):
        raise InvalidRequest(f"There is no side {position + 1}; this comparison has {len(kept.sides)}.")
    return kept.sides[position]
