"""Paste a text and see what every detector says about it. Nothing of it is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.domain import Direction
from playground.errors import PlaygroundError
from playground.review.workbench import LONGEST_TEXT, Workbench
from playground.text import plain
from playground.ui.canvas import QUIET, Updates
from playground.ui.island import build_island
from playground.ui.words import Words
from playground.ui.workbench.testbox_view import testbox_view


@dataclass(frozen=True, slots=True)
class TestBoxTab:
    """The components, by name."""

    text: gr.Textbox
    direction: gr.Radio
    policy: gr.Dropdown
    examine: gr.Button
    examined: gr.HTML

    @property
    def inputs(self) -> list[Component]:
        """What a person sets."""
        return [self.text, self.direction, self.policy]


def build_testbox_tab(workbench: Workbench, words: Words) -> TestBoxTab:
    """Lay out the box and what comes of it."""
    directions = [(words(f"workbench.{way}"), way.value) for way in Direction]
    with gr.Column(elem_classes="choices"):
        text = gr.Textbox(
            label=words("workbench.testbox_label"), placeholder=words("workbench.testbox_placeholder"), lines=4,
            max_lines=12, max_length=LONGEST_TEXT, elem_id="testbox-text",
        )  # fmt: skip
        with gr.Row():
            direction = gr.Radio(directions, value=Direction.INPUT.value, label=words("fact.direction"))
            policy = gr.Dropdown(list(workbench.policies), value=workbench.policy.name, label=words("fact.policy"))
        examine = gr.Button(words("workbench.testbox_run"), variant="primary", elem_id="testbox-run")
    return TestBoxTab(text, direction, policy, examine, build_island("examined"))


def wire_testbox_tab(tab: TestBoxTab, workbench: Workbench, words: Words) -> None:
    """Look at the text when asked to."""

    def examine(text: str | None, direction: str, policy: str) -> Updates:
        shown = plain(text or "")
        if not shown.strip():
            return {tab.examined: {"error": words("workbench.testbox_empty")}}
        try:
            seen = workbench.examine(shown, Direction(direction), policy, words.language)
        except PlaygroundError as error:
            return {tab.examined: {"error": str(error)}}
        return {tab.examined: asdict(testbox_view(seen, shown, words))}

    for trigger in (tab.examine.click, tab.text.submit):
        trigger(examine, tab.inputs, [tab.examined], queue=False, **QUIET)
