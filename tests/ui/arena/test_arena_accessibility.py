"""axe-core looks at the arena in the states that people meet, light and dark, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import FilePayload

from benchmarks.served import Served, serve
from tests.e2e.test_accessibility import violations
from tests.ui.arena.test_arena_browser import enter, finished
from tests.ui.browser import DESKTOP, PHONE, Browser, Tab, launched

pytestmark = [pytest.mark.browser, pytest.mark.extended]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def app(browser: Browser) -> Iterator[Served]:
    """With one vote in the table."""
    with serve("--default-model", "echo") as served, browser.tab(served) as tab:
        enter(tab, "/arena/en/?models=pip,echo&prompt=Hello&send=1")
        finished(tab)
        tab.page.click(".vote-b")
        tab.page.wait_for_selector(".outcome")
        yield served


def choosing(tab: Tab) -> None:
    tab.page.click("#head-0 .side-pick")
    tab.page.wait_for_selector("#chooser .card")


def answered(tab: Tab) -> None:
    tab.write("# Title\n\n- a **list**\n\n```python\nx = 1\n```")
    finished(tab)
    tab.page.click(".menu summary")


def differing(tab: Tab) -> None:
    answered(tab)
    tab.page.keyboard.press("Escape")
    tab.page.click(".bar-actions .btn >> nth=1")
    tab.page.wait_for_selector("#difference[open]")


def surprised(tab: Tab) -> None:
    tab.write("Hello")
    finished(tab)
    tab.page.click(".bar-actions .btn >> nth=2")
    tab.page.wait_for_selector("#surprise .lens")


def battling(tab: Tab) -> None:
    tab.page.click("#tab-battle")
    tab.page.wait_for_selector(".mystery")


def voted(tab: Tab) -> None:
    battling(tab)
    tab.write("Hello")
    finished(tab)
    tab.page.click(".vote-tie")
    tab.page.wait_for_selector(".outcome")


def counted(tab: Tab) -> None:
    tab.page.click("#tab-board")
    tab.page.click("[data-choice=kind-named]")
    tab.page.wait_for_selector(".matrix")
    tab.page.click(".method summary")


def beginning(tab: Tab) -> None:
    tab.page.click("#tab-duels")
    tab.page.wait_for_selector(".desk-form")
    tab.page.click(".models-more summary")


def grading(tab: Tab) -> None:
    beginning(tab)
    asked = f"What is a token?\nIn {tab.page.locator('html').get_attribute('lang')}?\n"  # a batch for each visitor
    questions = FilePayload(name="questions.txt", mimeType="text/plain", buffer=asked.encode())
    tab.page.set_input_files("#duel-file", questions)
    for model in ("pip", "echo"):
        tab.page.click(f".model-chips [data-id={model}]")
    tab.page.click("#duel-begin")
    tab.page.click(".batch [data-act=grade]")
    tab.page.wait_for_selector("html[data-phase=grading] .vote-tie:not([disabled])")


def graded(tab: Tab) -> None:
    grading(tab)
    tab.page.keyboard.press("3")
    tab.page.click("#queue-reveal")
    tab.page.wait_for_selector(".lines .line")


def remembered(tab: Tab) -> None:
    tab.page.click("#history-toggle")
    tab.page.wait_for_selector(".history .conversation")


STATES: dict[str, Callable[[Tab], None]] = {
    "empty": lambda _: None,
    "choosing": choosing,
    "answered": answered,
    "differing": differing,
    "surprised": surprised,
    "battling": battling,
    "voted": voted,
    "counted": counted,
    "beginning": beginning,
    "grading": grading,
    "graded": graded,
    "remembered": remembered,
}


@pytest.mark.parametrize(("language", "scheme", "device"), [("en", "light", DESKTOP), ("vi", "dark", PHONE)])
def test_nothing_is_in_anybodys_way(
    browser: Browser, app: Served, language: str, scheme: str, device: dict[str, object]
) -> None:
    found: list[str] = []
    with browser.tab(app, device, color_scheme=scheme) as tab:
        for state, reach in STATES.items():
            enter(tab, f"/arena/{language}/?models=pip,echo")
            reach(tab)
            found += [f"{state}: {violation}" for violation in violations(tab)]
            assert tab.overflow() == 0, state
    assert not found, "\n".join(found)
