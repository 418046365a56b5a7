"""Reports of mistakes of the gate, as pages send them, and what was reported before."""

from __future__ import annotations

from collections.abc import Collection

import gradio as gr

from playground.chat.incoming import clean_message
from playground.errors import StorageError
from playground.review.desk import ReportDesk
from playground.ui.island import read_field

LONGEST_RECEIPT = 64
LONGEST_TEXT = 20_000_000


def read_report(event: gr.EventData, limit: int) -> tuple[str, str]:
    """The decision that was a mistake, and the person's own words as the gate judged them, if they are to be kept.

    `limit` is on characters of a message. Raises InvalidRequest for what is no report.
    """
    text = read_field(event, "text", LONGEST_TEXT)
    return read_field(event, "id", LONGEST_RECEIPT), clean_message(text, limit) if text else ""


def known_reports(desk: ReportDesk, owner: str, subjects: Collection[str]) -> list[str]:
    """What of this was reported before, from whichever tab. A page without the marks is better than none."""
    try:
        return sorted(desk.reported(owner, subjects))
    except StorageError:
        return []
