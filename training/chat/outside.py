"""Optional extra questions worded by people: CLINC150 (CC BY 3.0). Only questions are taken, never answers."""

import json
from dataclasses import dataclass
from pathlib import Path

TALK_INTENTS = {
    "greeting": "hello",
    "goodbye": "bye",
    "thank_you": "thanks",
    "what_is_your_name": "name",
    "who_made_you": "maker",
    "how_old_are_you": "age",
    "where_are_you_from": "live",
    "are_you_a_bot": "human",
    "tell_joke": "joke",
    "meaning_of_life": "meaning",
    "what_can_i_ask_you": "cando",
}
# Too close to what Pip can do to be declined, too far from it to be answered.
# fmt: off
NEAR_INTENTS = frozenset((
    "yes", "no", "maybe", "repeat", "calculator", "definition", "spelling", "translate", "time", "date", "weather",
    "fun_fact", "change_language", "user_name", "change_user_name", "change_ai_name", "who_do_you_work_for",
    "what_are_your_hobbies", "do_you_have_pets", "cancel", "change_accent", "change_speed", "whisper_mode",
    "reset_settings", "sync_device",
))
# fmt: on


@dataclass(frozen=True)
class OutsideQuestions:
    """Questions of people: small talk as (intent, question), and questions to decline."""

    talk: tuple[tuple[str, str], ...] = ()
    declined: tuple[str, ...] = ()


def read_clinc(path: Path, split: str) -> OutsideQuestions:
    """The questions of one split, ``train`` or ``test``. One intent in four is declined only in the test split."""
    table: dict[str, list[tuple[str, str]]] = json.loads(path.read_text(encoding="utf-8"))
    names = sorted({intent for _, intent in table["train"]} - set(TALK_INTENTS) - NEAR_INTENTS)
    held_out = set(names[::4])
    declined_intents = held_out if split == "test" else set(names) - held_out
    talk = tuple((TALK_INTENTS[intent], text) for text, intent in table[split] if intent in TALK_INTENTS)
    outside_parts = ("oos_test",) if split == "test" else ("oos_train", "oos_val")
    outside = tuple(text for part in outside_parts for text, _ in table[part])
    return OutsideQuestions(talk, outside + tuple(text for text, intent in table[split] if intent in declined_intents))
