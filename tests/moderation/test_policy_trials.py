"""Steps on trial, and rules for one language or one model."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.domain import Action, Direction, Finding, Ruling
from playground.errors import PolicyError
from playground.moderation.moderator import PolicyModerator, build_moderator
from playground.moderation.policy import Policy, load_policy
from playground.moderation.registry import DETECTORS

OUT, IN = Direction.OUTPUT, Direction.INPUT
STEPS = """profanity = [
  { action = "warn", threshold = 0.2 },
  { action = "block", threshold = 0.4, shadow = true },
  { action = "block", threshold = 0.6 },
]"""
BASE = 'extends = "standard"\n'
WORDS = '[detectors]\ninput = ["words", "personal_data"]\noutput = ["words", "personal_data"]\n'
RUDE = "This is shit, honestly."


def policy(tmp_path: Path, text: str) -> Policy:
    file = tmp_path / "mine.toml"
    file.write_text(BASE + text, encoding="utf-8")
    return load_policy(file, tuple(DETECTORS))


def gate(tmp_path: Path, text: str) -> PolicyModerator:
    """A gate of word lists and patterns only: what they find is known to the letter."""
    policy(tmp_path, f"{text}\n{WORDS}")
    return build_moderator(tmp_path / "mine.toml")


def rule(policy: Policy, score: float, direction: Direction = OUT) -> Ruling:
    return policy.rule(direction, Finding("profanity", score, (0, 1), "d", "1"))


@pytest.mark.parametrize(
    ("score", "action", "threshold", "shadow"),
    [
        (0.1, Action.ALLOW, 0.2, None),
        (0.3, Action.WARN, 0.2, None),
        (0.5, Action.WARN, 0.2, Action.BLOCK),
        (0.7, Action.BLOCK, 0.6, None),
    ],
)
def test_a_step_on_trial_is_measured_and_the_acting_one_acts(
    tmp_path: Path, score: float, action: Action, threshold: float, shadow: Action | None
) -> None:
    ruling = rule(policy(tmp_path, f"[output]\n{STEPS}"), score)
    assert (ruling.action, ruling.threshold, ruling.shadow) == (action, threshold, shadow)
    assert ruling.telling is (score > 0.2)


def test_a_policy_on_trial_stops_nothing_and_measures_everything(tmp_path: Path) -> None:
    tried = gate(tmp_path, "").policy
    moderator = gate(tmp_path, "shadow = true\n")
    assert (tried.checks, moderator.policy.checks, moderator.policy.unavailable) == ("on", "shadow", "degrade")
    guard = moderator.guard()
    text = "My mail is anna@example.org. Kill yourself, you piece of shit. Bye."
    assert guard.feed(text).text + guard.finish().text == text
    rulings = [ruling for verdict in guard.verdicts for ruling in verdict.rulings]
    assert {ruling.shadow for ruling in rulings} >= {Action.BLOCK, Action.REDACT}
    assert {verdict.action for verdict in guard.verdicts} == {Action.ALLOW}
    assert all(verdict.silent for verdict in guard.verdicts)
    screened = moderator.check_input(RUDE)
    assert (screened.text, screened.blocked) == (RUDE, False)
    assert screened.verdict is not None
    assert screened.verdict.silent


def test_a_step_on_trial_never_lets_through_what_acts(tmp_path: Path) -> None:
    moderator = gate(tmp_path, '[output]\nslur = [{ action = "block", threshold = 0.5 }]\nprofanity = "allow"\n')
    tried = gate(
        tmp_path,
        "[output]\nprofanity = [{ action = 'block', threshold = 0.1 }, "
        "{ action = 'allow', threshold = 0.2, shadow = true }]\n",
    )
    assert rule(tried.policy, 0.9).action is Action.BLOCK
    assert rule(tried.policy, 0.9).shadow is Action.ALLOW
    assert not moderator.guard().feed(RUDE + " ").blocked
    guard = tried.guard()
    assert guard.feed(f"{RUDE} And more. ").blocked or guard.finish().blocked


def test_rules_for_a_language_and_a_model_replace_the_general_ones(tmp_path: Path) -> None:
    text = (
        '[languages.vi.output]\nprofanity = "redact"\nslur = "warn"\n'
        '[models."echo".output]\nprofanity = { action = "block", threshold = 0.1 }\n'
        '[models."echo".input]\nprofanity = "block"\n'
    )
    mine = policy(tmp_path, text)
    assert mine.tailored("en", "pip") is mine
    assert rule(mine.tailored("vi", "pip"), 0.9).action is Action.REDACT
    assert rule(mine.tailored("vi", "pip"), 0.9, IN).action is rule(mine, 0.9, IN).action
    assert rule(mine.tailored("vi", "echo"), 0.2).action is Action.BLOCK
    assert rule(mine.tailored("en", "echo"), 0.9, IN).action is Action.BLOCK
    assert mine.tailored("vi", "echo").rules[OUT]["slur"][0].action is Action.WARN
    assert mine.tailored("vi", "echo").name == "mine.toml"


def test_the_moderator_uses_the_rules_of_the_language_and_the_model(tmp_path: Path) -> None:
    moderator = gate(
        tmp_path, '[languages.vi.input]\nprofanity = "block"\n[models."echo".output]\nprofanity = "allow"\n'
    )
    assert not moderator.check_input(f"{RUDE}").blocked
    vietnamese = moderator.check_input(f"{RUDE} Xin chào bạn nhé!", language="en")
    assert vietnamese.blocked
    assert vietnamese.verdict is not None
    assert vietnamese.verdict.language == "vi"
    for model, released in (("echo", RUDE), ("pip", "")):
        guard = moderator.guard(model_id=model, language="en")
        strong = RUDE.replace("shit", "a piece of shit")
        shown = guard.feed(strong).text + guard.finish().text
        assert (shown == strong) is bool(released)


def test_what_extends_keeps_the_rules_below_and_replaces_whole_rules(tmp_path: Path) -> None:
    mine = policy(tmp_path, '[languages.en.input]\nslur = "allow"\n[output]\nslur = "block"\n')
    assert mine.languages["en"][IN]["slur"][0].action is Action.ALLOW
    assert mine.rules[OUT]["slur"][0].threshold == 0.5
    assert mine.rules[OUT]["profanity"] == load_policy("standard", tuple(DETECTORS)).rules[OUT]["profanity"]


def test_off_and_on_can_be_told() -> None:
    assert load_policy("off", tuple(DETECTORS)).checks == "off"
    assert load_policy("lenient", tuple(DETECTORS)).checks == "on"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shadow = 1", r"mine\.toml: shadow is 1; it must be true or false"),
        ('[output]\nslur = { action = "warn", shadow = "x" }', r"\[output\], slur: shadow is 'x'"),
        ("[languages.fr.output]\nslur = 'warn'", r"\[languages\]: unknown key 'fr'; accepted: en, vi"),
        ("[languages.vi.out]\nslur = 'warn'", r"\[languages\.vi\]: unknown key 'out'; accepted: input, output"),
        ("[languages.vi.output]\ncolour = 'warn'", r"\[languages\.vi\.output\]: unknown category 'colour'"),
        ("[languages]\nvi = 1", r"\[languages\.vi\] must hold tables"),
        ("[models.echo]\noutput = 1", r"\[models\.echo\] must hold tables"),
        ("models = 1", r"models must be a table"),
    ],
)
def test_a_bad_trial_or_override_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        policy(tmp_path, text)
