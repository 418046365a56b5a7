"""The page of the workbench: every tab is built, then every tab is wired."""

from __future__ import annotations

from dataclasses import asdict

import gradio as gr

from playground.domain import Language
from playground.review.workbench import Workbench
from playground.ui.canvas import QUIET
from playground.ui.event_queue import open_queue
from playground.ui.island import build_island
from playground.ui.words import Words, load_words
from playground.ui.workbench import overview_tab, queue_tab, replay_tab, testbox_tab
from playground.ui.workbench.policy_view import policy_view


def build_workbench(workbench: Workbench, language: Language, *, signed_in: bool) -> gr.Blocks:
    """The workbench in one language. Who may see it is decided before (see `access`); `signed_in`: with a token."""
    words = load_words(language)
    demo = gr.Blocks(title=words("workbench.title"), analytics_enabled=False, fill_width=True)
    with demo:
        build_island("masthead", {"language": language, "signed_in": signed_in})
        policy = build_island("policy")
        with gr.Tabs(elem_id="benches"):
            with gr.Tab(words("workbench.tab_overview"), id="overview"):
                overview = overview_tab.build_overview_tab(words)
            with gr.Tab(words("workbench.tab_reports"), id="reports"):
                queue = queue_tab.build_queue_tab(words)
            with gr.Tab(words("workbench.tab_replay"), id="replay"):
                replayed = replay_tab.build_replay_tab(workbench, words)
            with gr.Tab(words("workbench.tab_testbox"), id="testbox"):
                testbox = testbox_tab.build_testbox_tab(workbench, words)
        overview_tab.wire_overview_tab(overview, workbench, words, demo)
        queue_tab.wire_queue_tab(queue, workbench, words, demo)
        replay_tab.wire_replay_tab(replayed, workbench, words, demo)
        testbox_tab.wire_testbox_tab(testbox, workbench, words)
        demo.load(lambda: _policy(workbench, words), None, [policy], queue=False, **QUIET)
    open_queue(demo)
    return demo


def _policy(workbench: Workbench, words: Words) -> dict[str, object]:
    return asdict(policy_view(workbench.policy, workbench.detectors(), words, workbench.held()))
