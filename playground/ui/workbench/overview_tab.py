"""Decisions over time, by what a person chooses: two plots, and a table that says the same in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from playground.review.numbers import Dimension, Period
from playground.review.workbench import Workbench
from playground.ui.canvas import QUIET, Updates
from playground.ui.island import build_island
from playground.ui.words import Words
from playground.ui.workbench.overview_view import ACTIONS, DIMENSIONS, PERIODS, OverviewView, overview_view

COLOURS = ("#b3261e", "#2c5fb3", "#b7791f", "#7a7a86")
"""Of the actions, in the order of `ACTIONS`; they read on light and on dark paper."""


@dataclass(frozen=True, slots=True)
class OverviewTab:
    """The components, by name."""

    period: gr.Radio
    dimension: gr.Radio
    lines: gr.LinePlot
    bars: gr.BarPlot
    counts: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What is drawn: the keys of `render`."""
        return [self.lines, self.bars, self.counts]


def build_overview_tab(words: Words) -> OverviewTab:
    """Lay out the choices, the plots and the table."""
    with gr.Row(elem_classes="choices"):
        periods = [(words(f"workbench.period_{name}"), name) for name in PERIODS]
        dimensions = [(words(f"workbench.by_{name}"), name) for name in DIMENSIONS]
        period = gr.Radio(periods, value="week", label=words("workbench.period"))
        dimension = gr.Radio(dimensions, value="category", label=words("workbench.dimension"))
    done = [words(f"workbench.did_{action}") for action in ACTIONS]
    with gr.Row(elem_classes="plots"):
        lines = gr.LinePlot(
            x="time", y="count", color="name", title=words("workbench.plot_time"), x_title=words("workbench.time"),
            y_title=words("workbench.decisions"), color_title=" ", height=280, buttons=[],
        )  # fmt: skip
        bars = gr.BarPlot(
            x="name", y="count", color="action", title=words("workbench.plot_actions"), x_title=" ",
            y_title=words("workbench.decisions"), color_title=" ", color_map=dict(zip(done, COLOURS, strict=True)),
            height=280, sort="-y", buttons=[],
        )  # fmt: skip
    return OverviewTab(period, dimension, lines, bars, build_island("counts"))


def render(tab: OverviewTab, view: OverviewView) -> Updates:
    """The view as component values."""
    return {
        tab.lines: _plot("line", {"time": "temporal", "name": "nominal", "count": "quantitative"}, view.lines),
        tab.bars: _plot("bar", {"name": "nominal", "action": "nominal", "count": "quantitative"}, view.bars),
        tab.counts: {"summary": view.summary, "head": view.head, "table": view.table},
    }


def _plot(mark: str, kinds: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What Gradio makes of a data frame, without one; times are milliseconds since 1970."""
    data = [[row[name] for name in kinds] for row in rows]
    return {"columns": list(kinds), "data": data, "datatypes": dict(kinds), "mark": mark}


def wire_overview_tab(tab: OverviewTab, workbench: Workbench, words: Words, demo: gr.Blocks) -> None:
    """Count again when the page is opened and whenever something else is chosen."""

    def show(period: Period, dimension: Dimension) -> Updates:
        return render(tab, overview_view(workbench.numbers(dimension, period), dimension, words))

    inputs: list[Component] = [tab.period, tab.dimension]
    for trigger in (demo.load, tab.period.change, tab.dimension.change):
        trigger(show, inputs, tab.components, queue=False, **QUIET)
