"""The settings of one conversation as plain data: which fields there are, and how they are read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from playground.catalog.spec import ModelSpec
from playground.domain import SamplingParams
from playground.errors import InvalidRequest
from playground.ui.chat_view import ChatView


@dataclass(frozen=True, slots=True)
class Field:
    """One number. `slider` is where its slider ends (None: no slider); values up to `high` can be typed."""

    name: str
    low: float
    high: float
    step: float
    digits: int = 0
    slider: float | None = None
    optional: bool = False


FIELDS = (
    Field("temperature", 0, 5, 0.05, 2, slider=2),
    Field("top_p", 0, 1, 0.01, 2, slider=1),
    Field("top_k", 0, 1_000_000, 1, slider=200),
    Field("min_p", 0, 1, 0.01, 2, slider=1),
    Field("repetition_penalty", 0.1, 10, 0.01, 2, slider=2),
    Field("max_tokens", 1, 1_000_000, 1),
    Field("seed", 0, 2**53 - 1, 1, optional=True),
)


@dataclass(frozen=True, slots=True)
class SettingsView:
    """What the dialog shows. `changed` marks its button."""

    model: str
    system_prompt: str
    params: Mapping[str, float | None]
    defaults: Mapping[str, float | None]
    changed: bool
    fields: tuple[Field, ...] = FIELDS


def settings_view(view: ChatView, spec: ModelSpec) -> SettingsView:
    """The settings of this conversation with this model."""
    params = view.params or spec.defaults
    changed = bool(view.system_prompt) or params != spec.defaults
    return SettingsView(spec.name, view.system_prompt, _numbers(params), _numbers(spec.defaults), changed)


def read_params(table: Mapping[str, object], base: SamplingParams) -> SamplingParams:
    """The parameters that a page sent, over `base` for what has no field.

    Raises InvalidRequest naming the parameter that is unknown, not a number, or out of range.
    """
    names = {item.name: item for item in FIELDS}
    values: dict[str, float | int | None] = {}
    for name, value in table.items():
        if name not in names:
            raise InvalidRequest(f"{name} is not a setting. There are: {', '.join(names)}.")
        values[name] = _number(names[name], value)
    try:
        return replace(base, **values)  # type: ignore[arg-type]  # each field's own type is checked above
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _number(item: Field, value: object) -> float | int | None:
    if value is None and item.optional:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidRequest(f"{item.name} is {value!r}; it must be a number.")
    if item.digits:
        return float(value)
    if value != int(value):
        raise InvalidRequest(f"{item.name} is {value!r}; it must be a whole number.")
    return int(value)


def _numbers(params: SamplingParams) -> dict[str, float | None]:
    values = asdict(params)
    return {item.name: values[item.name] for item in FIELDS}
