"""The messages of a conversation as Gradio draws them: markdown, code, tables and maths."""

from __future__ import annotations

import gradio as gr

LATEX: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]


def build_chat_log(name: str, kind: str | None = None) -> gr.Chatbot:
    """A log without any of Gradio's own controls; `name` is its element id, `kind` a class."""
    return gr.Chatbot(
        elem_id=name,
        elem_classes=kind,
        show_label=False,
        container=False,
        layout="panel",
        buttons=[],
        group_consecutive_messages=False,
        feedback_options=None,
        allow_tags=False,
        latex_delimiters=LATEX,
    )
