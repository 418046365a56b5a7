"""One side of a comparison as the page draws it: a head, a foot, and what it is doing. No Gradio here.

While a battle is blind nothing here tells the sides apart but their letters: no name, no figure, no reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from playground.arena.contract import SideView
from playground.catalog.catalog import Catalog
from playground.chat.run import RunSnapshot
from playground.domain import Blocked, Direction, Failed, FinishReason, Message
from playground.ui.arena.difference import count_words
from playground.ui.live_view import Live, live_line
from playground.ui.message_view import message_stats, short_seconds
from playground.ui.notice_view import Notice, failure_notice, message_notices, verdict_notice
from playground.ui.picker_view import short_size
from playground.ui.words import Words

LETTERS = "ABCD"
Figures = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pulse:
    """What changes while an answer grows. Figures are (text, hint).

    `answer` is the id of the newest answer; `outcome` is said once for each, when it has ended.
    """

    answer: str
    running: bool
    live: Live
    figures: Figures
    outcome: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What stands below one row of a column's chat; `text` are the person's own words, empty for a model's.

    `author` tells who wrote an answer that is not of the column's model.
    """

    notices: tuple[Notice, ...] = ()
    text: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class SideCard:
    """One column. `model` is empty while a battle is blind; `text` is the newest answer, to be copied.

    `turns` has, for every row of the column's chat, the cards below it and the person's words, if it has them; those of
    the newest answer are `notices`. `retry`: its newest question can be answered again.
    """

    position: int
    letter: str
    name: str
    model: str
    text: str
    notices: tuple[Notice, ...]
    turns: tuple[Turn, ...]
    earlier: int
    pulse: Pulse
    retry: bool = False


def side_card(side: SideView, names: Catalog, words: Words, *, blind: bool, window: int) -> SideCard:
    """The card of a side; `window` is how many of its last messages are on display."""
    letter = LETTERS[side.position]
    name = words("arena.side", letter=letter) if blind else model_name(side.model_id, names)
    return SideCard(
        position=side.position,
        letter=letter,
        name=name,
        model="" if blind else side.model_id,
        text=answer_text(side),
        notices=side_notices(side, words, blind=blind),
        turns=side_turns(side, names, words, window, blind=blind),
        earlier=max(0, len(side.messages) - window),
        pulse=side_pulse(side, name, words, blind=blind),
        retry=not blind or not (side.running or side.answered),
    )


def model_name(model_id: str, catalog: Catalog) -> str:
    """What people call a model; its id when it is not in the catalogue any more."""
    return catalog.get(model_id).name if model_id in catalog else model_id


def answer_text(side: SideView) -> str:
    """The newest answer of the side's model, as far as it was released."""
    return side.answer.content if side.answer else ""


def shown_messages(side: SideView, window: int, *, blind: bool) -> tuple[Message, ...]:
    """The messages on display. Thinking is left out while it could tell who thinks."""
    shown = side.messages[-window:]
    return tuple(replace(message, reasoning="") for message in shown) if blind else shown


def side_pulse(side: SideView, name: str, words: Words, *, blind: bool) -> Pulse:
    """What the side does right now, and how far it is."""
    text = answer_text(side)
    length = (words("arena.length", count=words.number(count_words(text))), words("arena.length_hint"))
    figures = () if blind else _figures(side, words)
    return Pulse(
        answer=side.messages[-1].id if side.messages else "",
        running=side.running,
        live=_live(side, name, words, blind=blind),
        figures=(*figures, length) if text and not blind else figures,
        outcome="" if side.running or side.changed else _outcome(side, count_words(text), words),
    )


def _live(side: SideView, name: str, words: Words, *, blind: bool) -> Live:
    if not side.running:
        return Live()
    if blind:
        return Live() if answer_text(side) else Live(words("arena.blind_waiting"))
    text, reasoning = (side.answer.content, side.answer.reasoning) if side.answer else ("", "")
    written = RunSnapshot(0, text, reasoning, side.stage, (), side.tokens, 0.0, None, None)
    return live_line(written, name, words)


def _figures(side: SideView, words: Words) -> Figures:
    figures: list[tuple[str, str]] = []
    if side.tokens_per_second is not None:
        speed = words.number(side.tokens_per_second, 1 if side.tokens_per_second < 100 else 0)
        figures.append((words("stats.speed", value=speed), words("stats.speed_hint")))
    if side.first_token is not None:
        figures.append((words("stats.first", value=short_seconds(side.first_token, words)), words("stats.first_hint")))
    if side.tokens:
        figures.append((words("stats.tokens", count=words.number(side.tokens)), words("stats.tokens_hint")))
    if not figures and side.answer and not side.running:
        figures += message_stats(side.answer, words)[:3]
    if side.memory_bytes:
        memory = words("arena.memory", value=short_size(side.memory_bytes, words))
        figures.append((memory, words("arena.memory_hint")))
    return tuple(figures)


_OUTCOMES: Mapping[FinishReason, str] = {
    FinishReason.CANCELLED: "arena.said_stopped",
    FinishReason.INTERRUPTED: "arena.said_failed",
    FinishReason.ERROR: "arena.said_failed",
}


def _outcome(side: SideView, count: int, words: Words) -> str:
    """One sentence for people who do not see the column."""
    letter, said = LETTERS[side.position], words.number(count)
    if isinstance(side.end, Blocked):
        return words("arena.said_blocked", letter=letter)
    if isinstance(side.end, Failed):
        return words("arena.said_failed", letter=letter)
    reason = side.messages[-1].finish_reason if side.messages else None
    key = _OUTCOMES.get(reason, "arena.said_finished") if reason else "arena.said_finished"
    return words(key, letter=letter, count=said)


def side_notices(side: SideView, words: Words, *, blind: bool) -> tuple[Notice, ...]:
    """The cards below a side, about its newest answer."""
    if side.running:
        return ()
    shown = _shown(_notices(side, words), words, blind=blind)
    return tuple(replace(notice, retry=notice.retry and not side.answered) for notice in shown) if blind else shown


def side_turns(side: SideView, names: Catalog, words: Words, window: int, *, blind: bool) -> tuple[Turn, ...]:
    """What stands below each row of the column's chat, in the order of `message_view.chat_messages`."""
    turns: list[Turn] = []
    for message in shown_messages(side, window, blind=blind):
        if message.reasoning:
            turns.append(Turn())
        if side.answer is not None and message.id == side.answer.id:
            turns.append(Turn())
            continue
        found = _shown(message_notices(message, words), words, blind=blind)
        told = tuple(replace(notice, retry=False) for notice in found)
        text = message.content if told and message.role == "user" else ""
        author = "" if side.wrote(message) else words("arena.author", name=model_name(message.model_id or "", names))
        turns.append(Turn(told, text, author))
    return tuple(turns)


def reportable(side: SideView, window: int) -> frozenset[str]:
    """Ids of the answers and decisions on display."""
    messages = side.messages[-window:]
    ended = {side.end.verdict.id} if isinstance(side.end, Blocked) else set()
    decisions = {verdict.id for message in messages for verdict in message.verdicts}
    return frozenset({message.id for message in messages} | decisions | ended)


def _shown(notices: tuple[Notice, ...], words: Words, *, blind: bool) -> tuple[Notice, ...]:
    """Cards as they may be shown; while a battle is blind without facts and reasons, which could tell who answers."""
    if not blind:
        return notices
    return tuple(
        Notice("error", words("arena.blind_failed"), next=words("arena.blind_failed_next"), retry=True)
        if notice.kind == "error"
        else replace(notice, facts=(), receipt="")
        for notice in notices
    )


def _notices(side: SideView, words: Words) -> tuple[Notice, ...]:
    own = message_notices(side.answer, words) if side.answer else ()
    if isinstance(side.end, Blocked) and side.end.verdict.direction is Direction.OUTPUT:
        blocked = verdict_notice(side.end.verdict, words)
        return own if any(notice.kind in ("blocked", "unavailable") for notice in own) or not blocked else (blocked,)
    if isinstance(side.end, Failed) and not own:
        return (failure_notice(side.end.code, side.end.message, words, retry=True),)
    return own
