"""What is done about what is found: a policy, read from TOML and checked to the last key."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from playground.domain import Action, Direction, Finding, Language, Ruling
from playground.errors import PolicyError
from playground.moderation.categories import CATEGORIES, FAMILIES
from playground.moderation.segmentation import UNITS

POLICIES = Path(__file__).parent / "policies"
Unavailable = Literal["block", "degrade"]
Checks = Literal["on", "shadow", "off"]
_TABLES = {"detectors": 0, "input": 0, "output": 0, "languages": 2, "models": 2}  # how deep their keys are merged
_TOP_KEYS = ("extends", "unit", "unavailable", "time_limit", "shadow", *_TABLES)
_STEP_KEYS = ("action", "threshold", "shadow")
_DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """From `threshold` on, `action` is taken; a step on trial (`shadow`) is measured instead."""

    action: Action
    threshold: float
    shadow: bool = False


Rules = Mapping[Direction, Mapping[str, tuple[Step, ...]]]
"""The steps of every category, with rising thresholds; as an override, of some categories."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Which detectors run, and what follows from their findings.

    `unit` is what the output guard releases at once. `unavailable` says what happens when a check cannot run: nothing
    passes ("block"), or the text passes and the verdict names the detector ("degrade"). `time_limit` is in seconds, for
    one detector and one look; a detector that takes longer could not run. With `shadow` the whole policy is on trial:
    nothing is done, everything is measured. `languages` and `models` hold rules that differ there.
    """

    name: str
    unit: str
    unavailable: Unavailable
    detectors: Mapping[Direction, tuple[str, ...]]
    rules: Rules
    time_limit: float = 10.0
    shadow: bool = False
    languages: Mapping[str, Rules] = field(default_factory=dict)
    models: Mapping[str, Rules] = field(default_factory=dict)

    @property
    def checks(self) -> Checks:
        """Whether texts are checked, only measured, or not looked at."""
        if not any(self.detectors.values()):
            return "off"
        return "shadow" if self.shadow else "on"

    def tailored(self, language: Language, model_id: str) -> Policy:
        """This policy with the rules for that language, and over them those for that model, in place of the general."""
        overrides = [rules for rules in (self.languages.get(language), self.models.get(model_id)) if rules]
        if not overrides:
            return self
        merged = {way: dict(self.rules[way]) for way in Direction}
        for rules in overrides:
            for way in Direction:
                merged[way].update(rules[way])
        return replace(self, rules=merged)

    def rule(self, direction: Direction, finding: Finding) -> Ruling:
        """The ruling on one finding: the last step it reaches counts; below all of them it is allowed.

        Of steps on trial the last one is measured, as long as no acting step comes after it.
        """
        steps = self.rules[direction][finding.category]
        reached = [step for step in steps if finding.score >= step.threshold]
        if not reached:
            return Ruling(finding, Action.ALLOW, steps[0].threshold)
        acting = [step for step in reached if not self._on_trial(step)]
        action = acting[-1].action if acting else Action.ALLOW
        last = reached[-1]
        tried = last.action if self._on_trial(last) and last.action is not action else None
        return Ruling(finding, action, (acting or reached)[-1].threshold, tried)

    def _on_trial(self, step: Step) -> bool:
        return self.shadow or step.shadow


def load_policy(name_or_path: str | Path, detectors: Collection[str]) -> Policy:
    """The built-in policy of that name, or the one in that TOML file; `detectors` are the names it may use.

    Raises PolicyError naming the file, the key and what is accepted.
    """
    table, name = _extended(name_or_path)
    return _policy(table, name, detectors)


def builtin_policies() -> tuple[str, ...]:
    """Names of the policies that ship with the project."""
    return tuple(sorted(path.stem for path in POLICIES.glob("*.toml")))


def _extended(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """The table with what it extends filled in, which may extend another in turn."""
    table, name = _table(name_or_path)
    base = table.pop("extends", None)
    if base is None:
        return table, name
    if base not in builtin_policies():
        raise PolicyError(f"{name}: extends is {base!r}; there are: {', '.join(builtin_policies())}.")
    below = _extended(str(base))[0]
    return {
        **below,
        **table,
        **{key: _merged(below.get(key, {}), table.get(key, {}), depth) for key, depth in _TABLES.items()},
    }, name


def _table(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    text = str(name_or_path)
    if text in builtin_policies():
        path, name = POLICIES / f"{text}.toml", text
    elif Path(text).suffix == ".toml":
        path, name = Path(text), Path(text).name
    else:
        known = ", ".join(builtin_policies())
        raise PolicyError(f"Unknown policy {text!r}; there are: {known}, or give the path of a .toml file.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PolicyError(f"The policy file {path.name} cannot be read: {error}") from error
    for key, value in table.items():
        _one_of(key, _TOP_KEYS, f"{name}: unknown key")
        if key in _TABLES and not isinstance(value, dict):
            raise PolicyError(f"{name}: {key} must be a table, [{key}].")
    return table, name


def _merged(base: dict[str, Any], own: dict[str, Any], depth: int) -> dict[str, Any]:
    """`own` over `base`, down to tables of rules; a rule is replaced as a whole."""
    merged = base | own
    for key in base.keys() & own.keys() if depth else ():
        if isinstance(base[key], dict) and isinstance(own[key], dict):
            merged[key] = _merged(base[key], own[key], depth - 1)
    return merged


def _policy(table: Mapping[str, Any], name: str, detectors: Collection[str]) -> Policy:
    unit = _one_of(table.get("unit"), tuple(UNITS), f"{name}: unit is")
    unavailable = _one_of(table.get("unavailable"), get_args(Unavailable), f"{name}: unavailable is")
    chosen = table.get("detectors", {})
    for key in chosen:
        _one_of(key, tuple(Direction), f"{name}, [detectors]: unknown key")
    shadow = _flag(table.get("shadow", False), f"{name}: shadow is")
    models = table.get("models", {})
    return Policy(
        name=name,
        unit=unit,
        unavailable="block" if unavailable == "block" and not shadow else "degrade",
        detectors={
            way: _detectors(chosen.get(way.value), detectors, f"{name}, [detectors]: {way}") for way in Direction
        },
        rules={way: _rules(table.get(way.value, {}), f"{name}, [{way}]") for way in Direction},
        time_limit=_seconds(table.get("time_limit", 10.0), f"{name}: time_limit"),
        shadow=shadow,
        languages=_overrides(table.get("languages", {}), get_args(Language), f"{name}, [languages"),
        models=_overrides(models, tuple(models), f"{name}, [models"),
    )


def _seconds(value: object, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 600:
        raise PolicyError(f"{where} is {value!r}; it must be a number of seconds above 0, up to 600.")
    return float(value)


def _overrides(tables: Mapping[str, Any], accepted: tuple[str, ...], where: str) -> dict[str, Rules]:
    return {
        _one_of(key, accepted, f"{where}]: unknown key"): _override(table, f"{where}.{key}")
        for key, table in tables.items()
    }


def _override(table: object, where: str) -> Rules:
    if not isinstance(table, dict) or not all(isinstance(part, dict) for part in table.values()):
        raise PolicyError(f"{where}] must hold tables of rules: {where}.input], {where}.output].")
    for key in table:
        _one_of(key, tuple(Direction), f"{where}]: unknown key")
    return {way: _some_rules(table.get(way.value, {}), f"{where}.{way}]") for way in Direction}


def _detectors(names: object, known: Collection[str], where: str) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise PolicyError(f"{where} must be a list of names; there are: {', '.join(sorted(known))}.")
    return tuple(_one_of(name, tuple(sorted(known)), f"{where} holds") for name in names)


def _rules(table: Mapping[str, Any], where: str) -> dict[str, tuple[Step, ...]]:
    rules = _some_rules(table, where)
    missing = [category for category in CATEGORIES if category not in rules]
    if missing:
        names = ", ".join(missing)
        raise PolicyError(f'{where}: nothing is said about {names}. Name them, or begin with extends = "standard".')
    return rules


def _some_rules(table: Mapping[str, Any], where: str) -> dict[str, tuple[Step, ...]]:
    for category in table:
        _one_of(category, CATEGORIES, f"{where}: unknown category")
    rules = {category: _steps(rule, f"{where}, {category}") for category, rule in table.items()}
    return {member: rules[head] for member, head in FAMILIES.items() if head in rules} | rules


def _steps(rule: object, where: str) -> tuple[Step, ...]:
    steps = [_step(part, where) for part in (rule if isinstance(rule, list) else [rule])]
    if not steps or any(later.threshold <= earlier.threshold for earlier, later in pairwise(steps)):
        raise PolicyError(f"{where}: a list of steps needs at least one, with rising thresholds.")
    return tuple(steps)


def _step(part: object, where: str) -> Step:
    if isinstance(part, str):
        part = {"action": part}
    if not isinstance(part, dict):
        raise PolicyError(f"{where}: {part!r} is not a rule; write an action, or {{ action = …, threshold = … }}.")
    for key in part:
        _one_of(key, _STEP_KEYS, f"{where}: unknown key")
    action = Action(_one_of(part.get("action"), tuple(Action), f"{where}: action is"))
    threshold = part.get("threshold", 0.0 if action is Action.ALLOW else _DEFAULT_THRESHOLD)
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise PolicyError(f"{where}: threshold is {threshold!r}; it must be a number from 0 to 1.")
    return Step(action, float(threshold), _flag(part.get("shadow", False), f"{where}: shadow is"))


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise PolicyError(f"{what} {value!r}; it must be true or false.")
    return value


def _one_of(value: object, accepted: tuple[str, ...], what: str) -> str:
    if not isinstance(value, str) or value not in accepted:
        raise PolicyError(f"{what} {value!r}; accepted: {', '.join(accepted)}.")
    return value
