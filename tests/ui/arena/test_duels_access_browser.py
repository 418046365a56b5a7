"""Batches by keyboard and by ear: keys that can be switched off, where the focus goes, what is announced and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.served import Served
from tests.e2e.test_accessibility import violations
from tests.ui.arena.test_duels_browser import begin, desk, press
from tests.ui.browser import Browser, Tab

pytestmark = pytest.mark.browser

SAID = """() => {
  window.said = [];
  new MutationObserver(() => {
    const text = document.getElementById('announcer')?.textContent;
    if (text && window.said.at(-1) !== text) window.said.push(text);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def focused(tab: Tab, what: str) -> None:
    tab.page.wait_for_function("what => document.activeElement.matches(what)", arg=what)


def skipped_to(tab: Tab) -> str:
    """Where the skip link leads."""
    tab.page.evaluate("document.querySelector('.skip-link').click()")
    return str(tab.page.evaluate("document.activeElement.className || document.activeElement.tagName"))


def batch(tab: Tab, tmp_path: Path, *questions: str, models: tuple[str, str] = ("parrot", "mirror")) -> str:
    """Begin a batch; a selector for its card."""
    file = tmp_path / "questions.txt"
    file.write_text("\n".join(questions) + "\n", encoding="utf-8")
    begin(tab, file, *models)
    card = f".batch:has-text('{questions[0]}')"
    tab.page.wait_for_selector(card)
    return card


def test_grading_by_keyboard_and_by_ear(browser: Browser, hall: Served, tmp_path: Path) -> None:
    with browser.tab(hall) as tab:
        desk(tab)
        assert skipped_to(tab) == "desk-title"
        tab.page.evaluate(SAID)
        card = batch(tab, tmp_path, "Is it heard?", "And this?", "And that?")
        assert tab.page.evaluate("document.activeElement.id") == "duel-begin"
        grade = tab.page.wait_for_selector(f"{card} [data-act=grade]")
        assert grade is not None
        assert (grade.get_attribute("aria-label") or "").startswith("Grade: “")
        grade.focus()
        tab.page.keyboard.press("Enter")
        focused(tab, ".queue-question")
        tab.page.wait_for_selector("html[data-phase=grading] .vote-a:not([disabled])")
        question = tab.page.inner_text(".queue-question p")
        tab.page.keyboard.press("Shift+S")
        tab.page.wait_for_function(
            "was => document.querySelector('.queue-question p').textContent !== was", arg=question
        )
        tab.page.click("#key-switch")
        tab.page.keyboard.press("1")
        tab.page.click("#key-switch[aria-pressed=false]")
        press(tab, "1", "2 of 3")  # the one before did nothing
        assert skipped_to(tab) == "queue-question"
        press(tab, "2", "3 of 3")
        tab.page.focus("#queue-undo")
        tab.page.evaluate("for (const _ of [1, 2]) document.dispatchEvent(new KeyboardEvent('keydown', { key: 'U' }))")
        tab.page.wait_for_function(
            "window.said.some(text => text.startsWith('The last vote was taken back. Pair 2 of 3'))"
        )
        assert tab.page.inner_text(".queue-place") == "2 of 3"
        focused(tab, "#queue-undo")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_function("document.querySelector('.queue-place').textContent === '1 of 3'")
        focused(tab, ".queue-question")  # there is nothing more to take back
        for place in ("2 of 3", "3 of 3"):
            press(tab, "3", place)
        tab.page.keyboard.press("3")
        tab.page.wait_for_selector("html[data-phase=end] #queue-reveal")
        assert violations(tab) == []
        assert skipped_to(tab) == "H2"
        tab.page.focus("#queue-reveal")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector(".lines .line")
        focused(tab, ".queue-end h2")
        assert tab.page.get_attribute(".queue-end .table", "aria-label") == "How the models fared"
        tab.page.focus(".line >> nth=1")
        tab.page.keyboard.press("Enter")
        focused(tab, "#queue-results")
        assert violations(tab) == []
        tab.page.keyboard.press("Enter")
        focused(tab, "li:nth-child(2) > .line")
        tab.page.click("#tab-board")
        tab.page.wait_for_selector(".board-title")
        assert skipped_to(tab) == "board-title"


def test_what_becomes_of_a_batch_is_announced_and_keeps_the_focus(
    browser: Browser, hall: Served, tmp_path: Path
) -> None:
    with browser.tab(hall) as tab:
        desk(tab)
        tab.page.evaluate(SAID)
        asked = ("Told slowly", "Slowly, too", "And so is this")
        card = batch(tab, tmp_path, *asked, models=("parrot", "unhurried"))
        tab.page.focus(f"{card} [data-act=halt]")
        tab.page.keyboard.press("Enter")
        focused(tab, ".batch-title, [data-act=go_on]")  # while it stops there is nothing to press
        tab.page.wait_for_function("window.said.some(text => text.includes('Nobody is working on the rest'))")
        assert violations(tab) == []
        tab.page.click(f"{card} [data-act=go_on]")
        tab.page.wait_for_selector(f"{card} [data-act=halt]")
        assert violations(tab) == []
        tab.page.wait_for_function(
            "window.said.some(text => text.includes('Told slowly') && text.includes('All answers are there'))"
        )
