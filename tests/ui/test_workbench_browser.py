"""From a notice to a regression case, in a real browser: report, queue, label by keyboard, export; and the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.served import Served, serve
from tests.ui.browser import PHONE, Browser, Tab, launched

pytestmark = pytest.mark.browser

ABUSE = "Hello there, kill yourself you worthless piece of shit"
POLICY = """extends = "standard"
shadow = true
[detectors]
input = ["words"]
output = ["words", "detoxify-original"]
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def app() -> Iterator[Served]:
    with serve("--default-model", "echo", "--keep-flagged-text", "true") as served:
        yield served


def enter(tab: Tab, name: str = "") -> None:
    """Open the workbench, and a tab of it by its name."""
    tab.page.goto(f"{tab.url}/workbench", wait_until="domcontentloaded")
    tab.page.wait_for_selector(".policy-name")
    if name:
        tab.page.click(f"button[role=tab]:has-text('{name}'):visible")


def test_from_a_notice_to_a_regression_case(browser: Browser, app: Served, tmp_path: Path) -> None:
    with browser.tab(app) as tab:
        tab.open().write(ABUSE)
        tab.page.wait_for_selector("#notice .notice-blocked")
        assert "kill yourself" in tab.page.locator("#notice mark").first.inner_text()
        assert tab.page.input_value("#composer-text") == ABUSE
        tab.page.click("#notice summary")
        assert "Time of the check" in tab.page.locator("#notice .notice-facts").inner_text()
        tab.page.click("#notice button:has-text('Report a mistake')")
        tab.page.wait_for_selector("#notice button:has-text('Reported. Thank you.')[disabled]")

        enter(tab, "Reports")
        report = tab.page.locator(".report")
        report.wait_for()
        assert report.count() == 1
        assert "kill yourself" in "".join(report.locator("mark").all_text_contents())
        report.focus()
        tab.page.keyboard.press("2")
        tab.page.wait_for_selector("text=No report waits for you.")
        tab.page.click("label:has-text('Labelled')")
        tab.page.wait_for_selector(".report [aria-pressed=true]:has-text('Wrong')")
        assert "must pass" in tab.page.locator(".report").inner_text()
        with tab.page.expect_download() as download:
            tab.page.click("#export")
        download.value.save_as(tmp_path / "cases.jsonl")
    (case,) = map(json.loads, (tmp_path / "cases.jsonl").read_text(encoding="utf-8").splitlines())
    assert (case["label"], case["text"], case["action"]) == (0, ABUSE, "block")
    assert "abuse" in {score["category"] for score in case["scores"]}


def test_an_answer_is_flagged_and_numbers_and_replay_know_it(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().ask("This is shit, honestly.")
        assert "shit" in tab.page.locator(".extras-user mark").first.inner_text()
        tab.page.click("#chat .extras-assistant .tools .icon-btn:nth-child(3)")
        tab.page.wait_for_selector("#chat .tools .flagged[aria-disabled]")
        reported = "#chat .extras-user button:has-text('Reported. Thank you.')[disabled]"
        tab.page.click("#chat .extras-user button:has-text('Report a mistake')")
        tab.page.wait_for_selector(reported)
        tab.reload()
        tab.page.wait_for_selector("#chat .tools .flagged[aria-disabled]")
        tab.page.wait_for_selector(reported)
        tab.page.click(".workbench-link")
        tab.page.wait_for_selector(".policy-name")
        tab.page.wait_for_selector("#counts td")
        tab.page.wait_for_selector(".plots canvas, .plots svg.marks")
        assert "Coarse language" in tab.page.locator("#counts").inner_text()
        tab.page.click("label:has-text('Model')")
        tab.page.wait_for_selector("#counts th:has-text('echo')")
        tab.page.click("button[role=tab]:has-text('Replay')")
        tab.page.wait_for_selector("#replayed .summary")
        tab.page.fill("input[type=number]:visible", "0.95")
        tab.page.keyboard.press("Tab")
        tab.page.wait_for_selector("#replayed pre:has-text('0.95')")
        assert "would change" in tab.page.locator("#replayed .summary").inner_text()
        assert tab.overflow() == 0


def test_a_text_is_tried_on_a_dark_phone_in_vietnamese(browser: Browser, app: Served) -> None:
    with browser.tab(app, PHONE, color_scheme="dark", locale="vi") as tab:
        enter(tab)
        assert tab.page.locator("html").get_attribute("lang") == "vi"
        tab.page.click(".overflow-menu > button")
        tab.page.click(".overflow-dropdown button:has-text('Thử văn bản')")
        tab.page.fill("#testbox-text textarea", "Đồ khốn, gọi cho tôi 0912 345 678. <img src=x onerror=alert(1)>")
        tab.page.click("#testbox-run")
        tab.page.wait_for_selector(".verdict")
        assert tab.page.locator("#examined img").count() == 0
        marks = tab.page.locator(".pieces mark").all_inner_texts()
        assert any("0912 345 678" in mark for mark in marks)
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 18, 21)"
        assert tab.overflow() == 0


def test_the_page_says_when_nothing_is_stopped(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(POLICY, encoding="utf-8")
    for policy, words in (("off", "Safety checks are off"), (str(tmp_path / "trial.toml"), "only measure")):
        with serve("--default-model", "echo", "--policy", policy) as served, browser.tab(served) as tab:
            tab.open()
            tab.page.wait_for_selector(f".checks:has-text('{words}')")
            assert "screened" not in tab.page.locator(".island-hero").inner_text()
            tab.ask(ABUSE)
            assert ABUSE in tab.texts("bot")[-1]
            enter(tab)
            tab.page.wait_for_selector(".policy-warning")
            if policy != "off":
                assert "not installed" in tab.page.locator(".detector-broken").inner_text()
