"""Gradio's theme variables: neutral ink, one accent, no boxes. The rest of the look is in `static/css`."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import sizes
from gradio.themes.utils.colors import Color

FONT = ["Inter Variable", "ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["JetBrains Mono Variable", "ui-monospace", "SFMono-Regular", "Menlo", "monospace"]

TEAL = Color(
    "#effcf9", "#d2f7ee", "#a7eedf", "#72dfcb", "#41c7b1", "#1fab98", "#138a7c", "#0e776b", "#145851", "#154944",
    "#062b29", name="teal",
)  # fmt: skip
INK = Color(
    "#f8f8f9", "#f1f1f3", "#e6e6ea", "#d6d6dc", "#92929e", "#696974", "#55555f", "#3a3a43", "#2a2a31", "#18181c",
    "#121215", name="ink",
)  # fmt: skip


def build_theme() -> gr.themes.Base:
    """The one theme of the page, light and dark."""
    theme = gr.themes.Base(
        primary_hue=TEAL,
        neutral_hue=INK,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=FONT,
        font_mono=MONO,
    )
    return theme.set(
        body_background_fill="white",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_950",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_900",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        layout_gap="0px",
    )
