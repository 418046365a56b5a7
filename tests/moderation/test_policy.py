from __future__ import annotations

from pathlib import Path

import pytest

from playground.domain import Action, Direction, Finding
from playground.errors import PolicyError
from playground.moderation.categories import CATEGORIES
from playground.moderation.policy import Policy, Step, builtin_policies, load_policy
from playground.moderation.registry import DETECTORS


def load(name_or_path: str | Path) -> Policy:
    return load_policy(name_or_path, tuple(DETECTORS))


def action(policy: Policy, direction: Direction, category: str, score: float) -> Action:
    return policy.rule(direction, Finding(category, score, (0, 1), "d", "1")).action


def test_the_built_in_policies_say_something_about_everything() -> None:
    assert builtin_policies() == ("lenient", "off", "standard", "strict")
    for name in builtin_policies():
        policy = load(name)
        assert policy.name == name
        for direction in Direction:
            assert set(policy.rules[direction]) == set(CATEGORIES)


@pytest.mark.parametrize(
    ("name", "direction", "category", "score", "expected"),
    [
        ("standard", Direction.INPUT, "profanity", 0.8, Action.WARN),
        ("standard", Direction.OUTPUT, "profanity", 0.8, Action.BLOCK),
        ("standard", Direction.OUTPUT, "profanity", 0.5, Action.WARN),
        ("standard", Direction.OUTPUT, "profanity", 0.3, Action.ALLOW),
        ("standard", Direction.INPUT, "slur", 1.0, Action.BLOCK),
        ("standard", Direction.OUTPUT, "slur", 1.0, Action.BLOCK),
        ("standard", Direction.INPUT, "email", 0.95, Action.WARN),
        ("standard", Direction.OUTPUT, "email", 0.95, Action.REDACT),
        ("standard", Direction.OUTPUT, "secret", 0.95, Action.REDACT),
        ("standard", Direction.OUTPUT, "remote_image", 1.0, Action.REDACT),
        ("strict", Direction.INPUT, "profanity", 0.5, Action.BLOCK),
        ("strict", Direction.INPUT, "email", 0.95, Action.REDACT),
        ("strict", Direction.OUTPUT, "remote_image", 1.0, Action.REDACT),
        ("lenient", Direction.INPUT, "profanity", 0.8, Action.ALLOW),
        ("lenient", Direction.OUTPUT, "profanity", 0.8, Action.WARN),
        ("lenient", Direction.OUTPUT, "slur", 1.0, Action.BLOCK),
    ],
)
def test_what_the_built_in_policies_do(
    name: str, direction: Direction, category: str, score: float, expected: Action
) -> None:
    assert action(load(name), direction, category, score) is expected


def test_the_ruling_names_the_threshold() -> None:
    policy = load("standard")
    ruling = policy.rule(Direction.OUTPUT, Finding("profanity", 0.6, (0, 1), "d", "1"))
    assert (ruling.action, ruling.threshold) == (Action.WARN, 0.5)
    ruling = policy.rule(Direction.OUTPUT, Finding("profanity", 0.9, (0, 1), "d", "1"))
    assert (ruling.action, ruling.threshold) == (Action.BLOCK, 0.8)


def test_an_own_file_says_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "standard"\nunit = "line"\n[output]\nprofanity = "allow"\n', encoding="utf-8")
    policy = load(path)
    assert (policy.name, policy.unit, policy.unavailable) == ("mine.toml", "line", "block")
    assert action(policy, Direction.OUTPUT, "profanity", 1.0) is Action.ALLOW
    assert action(policy, Direction.OUTPUT, "slur", 1.0) is Action.BLOCK
    assert policy.detectors == load("standard").detectors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("colour = 1", r"mine\.toml: unknown key 'colour'; accepted: extends, unit"),
        ('extends = "x"', "extends is 'x'; there are: lenient, off"),
        ('extends = "standard"\nunit = "word"', "unit is 'word'; accepted: clause, sentence"),
        ('extends = "standard"\nunavailable = "ignore"', "unavailable is 'ignore'; accepted: block, degrade"),
        ('extends = "standard"\n[output]\nprofanty = "warn"', "unknown category 'profanty'; accepted: profanity"),
        ('extends = "standard"\n[output]\nslur = "stop"', "action is 'stop'; accepted: allow, warn, redact, block"),
        ('extends = "standard"\n[output]\nslur = {action = "warn", at = 1}', "unknown key 'at'; accepted: action"),
        ('extends = "standard"\n[output]\nslur = {threshold = 0.5}', "action is None"),
        ('extends = "standard"\n[output]\nslur = {action = "warn", threshold = 2}', "threshold is 2"),
        ('extends = "standard"\n[output]\nslur = {action = "warn", threshold = true}', "threshold is True"),
        ('extends = "standard"\n[output]\nslur = {action = "warn", threshold = nan}', "threshold is nan"),
        ('extends = "standard"\n[output]\nslur = []', "at least one"),
        ('extends = "standard"\n[output]\nslur = ["warn", "block"]', "rising thresholds"),
        ('extends = "standard"\n[output]\nslur = 3', "3 is not a rule"),
        ('extends = "standard"\noutput = 3', "output must be a table"),
        ('extends = "standard"\n[detectors]\ninput = ["wrds"]', "holds 'wrds'; accepted: "),
        ('extends = "standard"\n[detectors]\ninput = "words"', "must be a list"),
        ('extends = "standard"\n[detectors]\nboth = []', "unknown key 'both'; accepted: input, output"),
        (
            'unit = "line"\nunavailable = "block"\n[detectors]\ninput = []\noutput = []',
            "nothing is said about profanity",
        ),
        ("unit = ", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PolicyError, match=message):
        load(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(PolicyError, match="cannot be read"):
        load(path)


def test_an_unknown_name_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="Unknown policy 'standart'; there are: lenient, off, standard, strict"):
        load("standart")
    with pytest.raises(PolicyError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_what_is_said_about_harm_holds_for_its_kinds_unless_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'extends = "standard"\n[input]\nharm = "allow"\nharm_self = "block"\n'
        '[languages.vi.output]\nharm = "warn"\nharm_minors = "block"\n',
        encoding="utf-8",
    )
    policy = load_policy(path, DETECTORS)
    assert policy.rules[Direction.INPUT]["harm_violence"] == (Step(Action.ALLOW, 0.0),)
    assert policy.rules[Direction.INPUT]["harm_self"] == (Step(Action.BLOCK, 0.5),)
    vietnamese = policy.tailored("vi", "").rules[Direction.OUTPUT]
    assert vietnamese["harm_politics"] == vietnamese["harm"] == (Step(Action.WARN, 0.5),)
    assert vietnamese["harm_minors"] == (Step(Action.BLOCK, 0.5),)
    english = policy.tailored("en", "").rules[Direction.OUTPUT]
    assert english["harm_crime"] == english["harm"] == (Step(Action.WARN, 0.5), Step(Action.BLOCK, 0.8))
