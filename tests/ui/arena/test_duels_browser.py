"""Batches and earlier comparisons in a real browser: begun from a file, graded by keyboard alone, opened again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.served import Served
from tests.ui.arena.test_arena_browser import TOO_SMALL, answer, enter, finished
from tests.ui.browser import PHONE, Browser, Tab

pytestmark = pytest.mark.browser

QUESTIONS = '{"prompt": "What is a token?"}\n{"prompt": "<b>Bold</b> question"}\n{"prompt": "Third one"}\n'
DESK = "/arena/en/?tab=duels"


def desk(tab: Tab, path: str = DESK) -> Tab:
    tab.page.goto(tab.url + path, wait_until="domcontentloaded")
    tab.page.wait_for_selector(".desk-title")
    return tab


def begin(tab: Tab, file: Path, *models: str) -> None:
    """Choose a file and models, and start."""
    tab.page.set_input_files("#duel-file", file)
    for model in models:
        chip = tab.page.locator(f".model-chips [data-id={model}]")
        if chip.get_attribute("aria-pressed") != "true":
            chip.click()
    tab.page.click("#duel-begin")


def press(tab: Tab, key: str, place: str) -> None:
    """A key, and what the bar says afterwards."""
    tab.page.keyboard.press(key)
    tab.page.wait_for_function(
        "place => document.querySelector('.queue-place')?.textContent.includes(place)", arg=place
    )


def test_a_batch_from_a_file_is_graded_by_keyboard_alone(browser: Browser, hall: Served, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(QUESTIONS, encoding="utf-8")
    with browser.tab(hall) as tab:
        desk(tab)
        assert tab.page.is_disabled("#duel-begin")
        begin(tab, file, "parrot", "mirror")
        tab.page.wait_for_selector(".batch [data-act=grade]")
        assert "3 questions" in tab.page.inner_text(".batch-facts")
        tab.page.focus(".batch [data-act=grade]")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("html[data-phase=grading] .vote-a:not([disabled])")
        assert [name.strip() for name in tab.page.locator(".side-name:visible").all_text_contents()] == [
            "Model A",
            "Model B",
        ]
        assert not tab.page.is_visible("#composer-text")
        assert tab.page.inner_text(".queue-place") == "1 of 3"
        question = tab.page.inner_text(".queue-question p")
        assert answer(tab, 0).replace("**", "") in question or "Bold" in question
        tab.page.wait_for_function("document.querySelector('#announcer')?.textContent.startsWith('Pair 1 of 3.')")
        tab.page.keyboard.press("s")  # skipped: another question, the same place
        tab.page.wait_for_function(
            "text => document.querySelector('.queue-question p').textContent !== text", arg=question
        )
        press(tab, "1", "2 of 3")
        press(tab, "u", "1 of 3")
        press(tab, "2", "2 of 3")
        press(tab, "3", "3 of 3")
        assert tab.page.inner_text(".queue-question p") == question
        tab.page.reload(wait_until="domcontentloaded")
        tab.page.wait_for_selector("html[data-phase=grading] .vote-a:not([disabled])")
        tab.page.keyboard.press("4")
        tab.page.wait_for_selector("html[data-phase=end] .queue-end")
        assert "parrot" not in tab.page.inner_text("body")
        tab.page.keyboard.press("u")
        tab.page.wait_for_selector("html[data-phase=grading]")
        tab.page.keyboard.press("4")
        tab.page.wait_for_selector("#queue-reveal.btn-primary")
        tab.page.focus("#queue-reveal")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector(".lines .line")
        assert "parrot" in tab.page.inner_text(".queue-end tbody")
        assert tab.page.locator("#queue-undo").count() == 0
        tab.page.click(".line >> nth=0")
        tab.page.wait_for_selector("html[data-phase=looking]")
        assert tab.page.inner_text("#head-0 .side-name") in ("parrot", "mirror")
        assert "tokens" in tab.page.inner_text("#foot-0 .stats")
        assert tab.page.locator(".vote:not([disabled])").count() == 0
        tab.page.click("#queue-results")
        tab.page.click("#queue-board")
        tab.page.wait_for_selector(".island-board tbody th:has-text('parrot')")
        assert tab.overflow() == 0


@pytest.mark.extended
def test_a_batch_is_stopped_and_gone_on_with_and_bad_files_are_told(
    browser: Browser, hall: Served, tmp_path: Path
) -> None:
    files = {"a.csv": "id,question\n1,Hello", "b.jsonl": '{"prompt": "Hi"}\nnonsense', "c.pdf": "%PDF", "d.txt": ""}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with browser.tab(hall) as tab:
        desk(tab)
        for name, told in zip(files, ("column “prompt”", "Row 2", ".txt, .jsonl or .csv", "no question"), strict=True):
            begin(tab, tmp_path / name, "parrot", "unhurried")
            for _ in range(2):  # the same file once more is told the same
                tab.page.wait_for_selector(f"#duel-problem:has-text('{told}')")
                tab.page.click("#duel-begin")
            tab.page.wait_for_selector(f"#duel-problem:has-text('{told}')")
        good = tmp_path / "good.txt"
        good.write_text("\n".join(f"Question number {number}, told slowly" for number in range(6)), encoding="utf-8")
        begin(tab, good, "parrot", "unhurried")
        tab.page.wait_for_selector(".batch [data-act=halt]")
        assert not tab.page.is_visible("#duel-problem")
        tab.page.wait_for_selector(".batch-status:has-text('is answering')")
        tab.page.click(".batch [data-act=halt]")
        tab.page.wait_for_selector(".batch [data-act=go_on]")
        assert "of 12 answers are there" in tab.page.inner_text(".batch-status >> nth=0")
        tab.page.click(".batch [data-act=go_on]")
        tab.page.wait_for_selector(".batch [data-act=halt]")
        tab.page.click(".batch [data-act=halt]")
        tab.page.wait_for_selector(".batch [data-act=go_on]")


def test_earlier_comparisons_are_opened_again_and_deleted_with_undo(browser: Browser, hall: Served) -> None:
    with browser.tab(hall) as tab:
        enter(tab, "/arena/en/?models=parrot,mirror")
        for text in ("About apples", "About pears"):
            tab.write(text)
            finished(tab)
            tab.page.click("button:has-text('New comparison')")
            tab.page.wait_for_selector("html.empty")
        tab.page.click("#history-toggle")
        tab.page.wait_for_selector(".history .conversation-open >> nth=1")
        assert tab.page.inner_text(".history .conversation-group") == "Today"
        assert "parrot · mirror" in tab.page.inner_text(".history .past-note >> nth=0")
        tab.page.fill(".history .search-input", "ápples")
        assert tab.page.locator(".history .conversation").count() == 1
        tab.page.click(".history .conversation-open:has-text('About apples')")
        tab.page.wait_for_function("document.querySelector('#chat-0 .bot-row')?.innerText.includes('apples')")
        assert "c=" in tab.page.url
        tab.page.click("#history-toggle")
        apples = tab.page.locator(".history .conversation", has_text="About apples")
        apples.hover()
        apples.locator(".icon-btn").click()
        tab.page.wait_for_selector("html.empty")
        tab.page.click(".toast-action")
        tab.page.wait_for_function("document.querySelector('#chat-0 .bot-row')?.innerText.includes('apples')")


def test_an_unknown_tab_is_the_first_one_with_a_plain_notice(browser: Browser, hall: Served) -> None:
    with browser.tab(hall) as tab:
        enter(tab, "/arena/en/?tab=nothing&models=parrot,mirror")
        tab.page.wait_for_selector("#notice .notice-stopped:has-text('no such part')")
        assert tab.page.locator("#tab-sides[aria-current]").count() == 1
        tab.write("Hello")
        finished(tab)
        assert "tab=" not in tab.page.url


@pytest.mark.extended
def test_a_phone_in_the_dark_grades_in_vietnamese(browser: Browser, hall: Served, tmp_path: Path) -> None:
    file = tmp_path / "questions.txt"
    file.write_text("Thủ đô của Peru là gì?\nKể chuyện đi\n", encoding="utf-8")
    with browser.tab(hall, PHONE, color_scheme="dark", locale="vi") as tab:
        desk(tab, "/arena/vi/?tab=duels")
        assert tab.overflow() == 0
        begin(tab, file, "parrot", "mirror")
        card = tab.page.locator(".batch", has_text="Peru")
        card.locator("[data-act=grade]").click()
        tab.page.wait_for_selector("html[data-phase=grading] .vote-a:not([disabled])")
        assert tab.overflow() == 0
        assert not tab.page.evaluate(TOO_SMALL)
        for place in ("2 trên 2", ""):
            tab.page.click(".vote-tie")
            if place:
                tab.page.wait_for_selector(f".queue-place:has-text('{place}')")
        tab.page.click("#queue-reveal")
        tab.page.wait_for_selector(".lines .line")
        assert tab.overflow() == 0
        assert not tab.page.evaluate(TOO_SMALL)
