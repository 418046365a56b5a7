"""axe-core looks at the arena in the states that people meet, light and dark, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from playwright.sync_api import FilePayload

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.e2e.test_accessibility import violations
from tests.ui.arena.test_arena_browser import enter, finished
from tests.ui.arena.test_duels_browser import desk
from tests.ui.browser import DESKTOP, PHONE, Browser, Tab, launched

pytestmark = [pytest.mark.browser, pytest.mark.extended]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


ROWS = {"unhurried": {"engine_options": {"piece_chars": 1, "delay_seconds": 0.3}}}
NOWHERE = "http://127.0.0.1:9/v1/moderations"
_BATCHES = count(1)


@pytest.fixture(scope="module")
def app(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With one vote in the table, and a model that takes its time."""
    models = write_models(tmp_path_factory.mktemp("models") / "models.toml", ROWS)
    with serve("--default-model", "echo", "--models-file", str(models)) as served, browser.tab(served) as tab:
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


def begun(tab: Tab, *models: str, questions: int = 2) -> str:
    """A batch of its own: a selector for its card."""
    beginning(tab)
    name = f"Batch number {next(_BATCHES)}"
    asked = "\n".join(f"{name}, question {at}" for at in range(questions))
    file = FilePayload(name="questions.txt", mimeType="text/plain", buffer=asked.encode())
    tab.page.set_input_files("#duel-file", file)
    for model in models:
        tab.page.click(f".model-chips [data-id={model}]")
    tab.page.click("#duel-begin")
    return f".batch:has-text('{name},')"


def grading(tab: Tab, questions: int = 2) -> None:
    card = begun(tab, "pip", "echo", questions=questions)
    tab.page.click(f"{card} [data-act=grade]")
    tab.page.wait_for_selector("html[data-phase=grading] .vote-tie:not([disabled])")


def skipping_the_only_one(tab: Tab) -> None:
    grading(tab, questions=1)
    tab.page.keyboard.press("s")
    tab.page.wait_for_selector("#notice .notice")


def ended(tab: Tab) -> None:
    grading(tab, questions=1)
    tab.page.keyboard.press("3")
    tab.page.wait_for_selector("html[data-phase=end] #queue-reveal")


def nothing_left(tab: Tab) -> None:
    ended(tab)
    address = tab.page.url
    tab.page.context.clear_cookies()  # somebody else
    tab.page.goto(address)
    tab.page.wait_for_selector("html[data-phase=end] .queue-end h2")
    assert tab.page.locator("#queue-reveal").count() == 0


def looking(tab: Tab) -> None:
    graded(tab)
    tab.page.click(".line")
    tab.page.wait_for_selector("html[data-phase=looking] #queue-results")


def working(tab: Tab) -> None:
    tab.page.wait_for_selector(f"{begun(tab, 'echo', 'unhurried', questions=20)} [data-act=halt]")


def halted(tab: Tab) -> None:
    tab.page.click("#tab-duels")
    tab.page.click("[data-act=halt]")  # the one that the state before left
    tab.page.wait_for_selector("[data-act=go_on]")


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
    "skipping the only one": skipping_the_only_one,
    "ended": ended,
    "graded": graded,
    "looking": looking,
    "working": working,
    "halted": halted,
    "remembered": remembered,
    "nothing left": nothing_left,
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


@pytest.mark.parametrize(("language", "scheme", "device"), [("en", "dark", PHONE), ("vi", "light", DESKTOP)])
def test_a_visitor_is_told_that_there_is_no_batch(
    browser: Browser, language: str, scheme: str, device: dict[str, object]
) -> None:
    settings = {"PLAYGROUND_OPERATOR_TOKEN": "only-the-operator-has-this"}
    with (
        serve("--default-model", "echo", environment=settings) as served,
        browser.tab(served, device, color_scheme=scheme) as tab,
    ):
        desk(tab, f"/arena/{language}/?tab=duels")
        tab.page.wait_for_selector(".desk-list .board-empty")
        assert tab.page.locator(".desk-form").count() == 0
        assert violations(tab) == []
        assert tab.overflow() == 0


@pytest.mark.parametrize(("language", "scheme", "device"), [("en", "dark", PHONE), ("vi", "light", DESKTOP)])
def test_the_operator_is_told_why_a_batch_ended_early(
    browser: Browser, language: str, scheme: str, device: dict[str, object]
) -> None:
    with (
        serve("--default-model", "echo", "--moderation-url", NOWHERE) as served,
        browser.tab(served, device, color_scheme=scheme) as tab,
    ):
        enter(tab, f"/arena/{language}/")
        begun(tab, "pip", "echo")
        tab.page.wait_for_selector(".batch .batch-problem")
        assert violations(tab) == []
        assert tab.overflow() == 0
