"""What people reported, to be labelled; and the way to the file of labelled cases."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.review.workbench import Workbench
from playground.ui.canvas import QUIET, Updates
from playground.ui.island import build_island, read_field
from playground.ui.words import Words
from playground.ui.workbench.queue_view import report_card

LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class QueueTab:
    """The components, by name. `shown` is "open" or "labelled"."""

    shown: gr.Radio
    queue: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What is drawn: the keys of `render`."""
        return [self.queue]


def build_queue_tab(words: Words) -> QueueTab:
    """Lay out the choice and the cards."""
    choices = [(words("workbench.reports_open"), "open"), (words("workbench.reports_labelled"), "labelled")]
    with gr.Row(elem_classes="choices"):
        shown = gr.Radio(choices, value="open", label=words("workbench.reports_show"))
    return QueueTab(shown, build_island("queue", events=("mark", "refresh")))


def render(tab: QueueTab, workbench: Workbench, shown: str, words: Words) -> Updates:
    """The cards as they are now."""
    cards = [asdict(report_card(report, words)) for report in workbench.reports(labelled=shown == "labelled")]
    return {tab.queue: {"shown": shown, "waiting": workbench.open_reports(), "cards": cards}}


def wire_queue_tab(tab: QueueTab, workbench: Workbench, words: Words, demo: gr.Blocks) -> None:
    """Read the reports when the page is opened, and keep what the operator says about them."""

    def show(shown: str) -> Updates:
        return render(tab, workbench, shown, words)

    def mark(shown: str, event: gr.EventData) -> Updates:
        workbench.label(read_field(event, "id", LONGEST_ID), read_field(event, "label", LONGEST_ID))
        return render(tab, workbench, shown, words)

    for trigger in (demo.load, tab.shown.change, tab.queue.refresh):
        trigger(show, [tab.shown], tab.components, queue=False, **QUIET)
    tab.queue.mark(mark, [tab.shown], tab.components, queue=False, **QUIET)
