"""What the arena promises, in a real browser: four sides at once, a killed server, and people voting together."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.served import Served, serve
from tests.ui.arena.test_arena_browser import answer, enter, finished
from tests.ui.browser import DESKTOP, PHONE, Browser, Tab

pytestmark = pytest.mark.browser

EMBEDDED = "/arena/en/?models=pip,pip-fp32,pip,pip-fp32"


def battled(tab: Tab, question: str = "Good night!") -> None:
    """A blind battle up to its vote. No model that ships answers this with a name, which would keep the vote apart."""
    enter(tab, "/arena/en/?tab=battle")
    tab.write(question)
    finished(tab)
    tab.page.wait_for_selector(".vote-a:not([disabled])")


def votes(tab: Tab) -> int:
    """How many blind votes are counted."""
    return len(tab.page.request.get(f"{tab.url}/arena/votes/blind.csv").text().splitlines()) - 1


@pytest.mark.parametrize(
    "device", [pytest.param(DESKTOP, id="1280", marks=pytest.mark.extended), pytest.param(PHONE, id="390")]
)
def test_four_sides_of_the_embedded_models_at_once(browser: Browser, hall: Served, device: dict[str, object]) -> None:
    with browser.tab(hall, device) as tab:
        enter(tab, EMBEDDED)
        # Nothing that starts or ends between two looks is missed.
        tab.page.evaluate("""() => {
            const row = document.getElementById('columns');
            window.most = 0;
            const count = () => (window.most = Math.max(window.most, row.querySelectorAll('.column.running').length));
            new MutationObserver(count).observe(row, { subtree: true, attributes: true });
        }""")
        tab.write("What is a token? Tell me more about it.")
        finished(tab, 4)
        assert tab.page.evaluate("window.most") == 4
        assert "answer together" in tab.page.inner_text(".plan")
        assert answer(tab, 0) == answer(tab, 2) != ""
        assert answer(tab, 1) == answer(tab, 3) != ""
        said = tab.page.locator("#sayings p").all_text_contents()
        assert sorted(line[:17] for line in said) == [f"Answer {letter} finished" for letter in "ABCD"]
        assert tab.overflow() == 0
        for at in range(4):
            if device is PHONE:
                tab.page.click(f".segment >> nth={at}")
                tab.page.wait_for_selector(f".segment:nth-child({at + 1})[aria-pressed=true]")
            box = tab.page.locator(f"#chat-{at} .bot-row").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= tab.page.evaluate("innerWidth")
        tab.page.click("#foot-3 [aria-label='Let D answer again']")
        tab.page.wait_for_function("document.querySelectorAll('#sayings p').length === 5")
        assert tab.page.locator("#sayings p").last.inner_text().startswith("Answer D finished")


def test_a_battle_outlives_the_server_and_is_voted_on_once(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve(data_dir=data) as app, browser.tab(app) as tab:
        battled(tab)
        before = [answer(tab, 0), answer(tab, 1)]
        workers = app.process.children(recursive=True)
        app.process.kill()
        app.process.wait(30)
        for worker in workers:  # a worker ends by itself when nobody reads what it says
            worker.wait(30)
        port = app.address.rsplit(":", 1)[1]
        with serve("--port", port, data_dir=data):
            tab.page.reload(wait_until="domcontentloaded")
            tab.page.wait_for_selector(".vote-a:not([disabled])")
            assert [answer(tab, 0), answer(tab, 1)] == before
            assert tab.page.inner_text("#head-0 .side-name") == "Model A"
            tab.page.keyboard.press("1")
            tab.page.wait_for_selector(".vote-a[aria-pressed=true]")
            assert tab.page.inner_text("#head-0 .side-name") != "Model A"
            tab.page.keyboard.press("2")
            tab.page.wait_for_selector(".vote-b[aria-pressed=true]")
            assert votes(tab) == 1
            tab.page.click("#history-toggle")
            tab.page.click(".history .conversation-open")
            tab.page.wait_for_selector(".vote-b[aria-pressed=true]")
            assert [answer(tab, 0), answer(tab, 1)] == before
            tab.troubles = [trouble for trouble in tab.troubles if "net::ERR_" not in trouble]


def test_two_browsers_and_two_tabs_vote_blind_at_the_same_time(browser: Browser, hall: Served) -> None:
    with browser.tab(hall) as first, browser.tab(hall) as second:
        before = votes(second)
        for tab in (first, second):
            battled(tab)
        other = Tab(first.page.context.new_page(), hall.address)
        other.page.goto(first.page.url, wait_until="domcontentloaded")
        other.page.wait_for_selector(".vote-a:not([disabled])")
        for tab, key in ((first, "1"), (second, "2"), (other, "3")):
            tab.page.evaluate("document.activeElement.blur()")  # a figure that is typed is no vote
            tab.page.keyboard.press(key)
        for tab in (first, second, other):
            tab.page.wait_for_selector(".outcome")
        for tab in (first, other):
            tab.page.reload(wait_until="domcontentloaded")
            tab.page.wait_for_selector(".outcome")
        chosen = "document.querySelector('.vote[aria-pressed=true]').className"
        assert first.page.evaluate(chosen) == other.page.evaluate(chosen)  # one battle has one vote
        assert votes(second) == before + 2
