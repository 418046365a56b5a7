"""One line of a benchmark's result, and how lines are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure. `bar` is the agreed limit (None: for information); `at_least` tells which side is good."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = True
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def shown(row: Row) -> str:
    """One line of text: name, value, bar, met or missed."""
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    sign = ">=" if row.at_least else "<="
    bar = "" if row.bar is None else f"bar {sign} {row.bar:g}"
    return f"{row.name:<64} {row.value:>10.3f} {row.unit:<12} {bar:<12} {verdict:<7} {row.detail}".rstrip()
