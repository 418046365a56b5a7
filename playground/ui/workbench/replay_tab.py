"""Move a threshold, and see which of the stored decisions would change."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.domain import Action, Direction
from playground.review.workbench import Workbench
from playground.ui.canvas import QUIET, Updates
from playground.ui.island import build_island
from playground.ui.words import Words
from playground.ui.workbench.overview_view import category_title
from playground.ui.workbench.replay_view import ACTIONS, replay_view


@dataclass(frozen=True, slots=True)
class ReplayTab:
    """The components, by name."""

    direction: gr.Radio
    category: gr.Dropdown
    action: gr.Radio
    threshold: gr.Slider
    replayed: gr.HTML

    @property
    def inputs(self) -> list[Component]:
        """What a person sets."""
        return [self.direction, self.category, self.action, self.threshold]

    @property
    def components(self) -> list[Component]:
        """What is drawn: the keys of `render`."""
        return [self.replayed]


def build_replay_tab(workbench: Workbench, words: Words) -> ReplayTab:
    """Lay out the rule on one side and what it would change on the other."""
    # Those of guard models, which few install, come last.
    rules = sorted(workbench.policy.rules[Direction.OUTPUT], key=lambda name: name.startswith("harm_"))
    categories = [(category_title(name, words), name) for name in rules]
    directions = [(words(f"workbench.{way}"), way.value) for way in Direction]
    actions = [(words(f"workbench.do_{action}"), action.value) for action in ACTIONS]
    with gr.Column(elem_classes="choices"):
        direction = gr.Radio(directions, value=Direction.OUTPUT.value, label=words("fact.direction"))
        category = gr.Dropdown(categories, value=rules[0], label=words("fact.category"))
        action = gr.Radio(actions, value=Action.BLOCK.value, label=words("workbench.action"))
        threshold = gr.Slider(
            0,
            1,
            value=0.5,
            step=0.01,
            label=words("workbench.threshold"),
            info=words("workbench.threshold_info"),
            buttons=[],
        )
    return ReplayTab(direction, category, action, threshold, build_island("replayed"))


def wire_replay_tab(tab: ReplayTab, workbench: Workbench, words: Words, demo: gr.Blocks) -> None:
    """Rule again whenever something is moved."""

    def show(direction: str, category: str, action: str, threshold: float) -> Updates:
        way = Direction(direction)
        result = workbench.replay(direction=way, category=category, action=Action(action), threshold=threshold)
        return {tab.replayed: asdict(replay_view(result, way, category, threshold, words))}

    for trigger in (demo.load, *(part.change for part in (tab.direction, tab.category, tab.action, tab.threshold))):
        trigger(show, tab.inputs, tab.components, queue=False, trigger_mode="always_last", **QUIET)
