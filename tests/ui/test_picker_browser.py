"""The way to more models, in a real browser: searched on a stand-in for the Hub, added, downloaded, asked, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route

from benchmarks.served import Served, serve
from tests.hub_stand_in import Fault, HubStandIn
from tests.ui.browser import Browser, launched

pytestmark = pytest.mark.browser

PIP = Path(__file__).parents[2] / "playground" / "embedded" / "pip" / "int8"
FAR = "#picker-dialog .card[data-id='o/pip']"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture
def app(hub: HubStandIn) -> Iterator[Served]:
    files = {path.name: path.read_bytes() for path in PIP.iterdir() if path.is_file()}
    facts = {"pipeline_tag": "text-generation", "tags": ["license:apache-2.0"], "downloads": 1234}
    hub.add("o/pip", files, large={"model.onnx"}, **facts)
    with serve("--hub-endpoint", hub.endpoint, "--default-model", "echo") as served:
        yield served


def test_a_model_is_found_added_downloaded_and_asked(browser: Browser, app: Served, hub: HubStandIn) -> None:
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.02))
    with browser.tab(app) as tab:
        tab.open()
        page = tab.page
        page.click("#picker-button")
        page.wait_for_selector("#picker-dialog[open] .more-query")
        page.fill(".more-query", "secret-words-of-a-person")
        page.press(".more-query", "Enter")
        page.wait_for_selector(".more-results .picker-empty")
        page.fill(".more-query", "pip")
        page.press(".more-query", "Enter")
        page.wait_for_selector(".found[data-id='o/pip']:has-text('1.2K downloads')")
        page.click(".found[data-id='o/pip'] .card-act")
        page.wait_for_selector(f"{FAR} [data-act=fetch]")
        page.click(f"{FAR} [data-act=fetch]")
        page.wait_for_selector(f"{FAR} [role=progressbar][aria-valuenow]")
        page.click(f"{FAR} [data-act=halt]")
        page.wait_for_selector(f"{FAR} [data-act=fetch]:has-text('Go on downloading')")
        hub.faults.clear()
        page.click(f"{FAR} [data-act=fetch]")
        page.wait_for_selector(f"{FAR} .badge-ready")
        page.click(f"{FAR} .card-main")
        page.wait_for_selector("#picker-button:has-text('pip')")
        tab.ask("What is a token?")
        assert tab.texts("bot")[-1]
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("#picker-button")
        page.click(f"{FAR} [data-act=remove]")
        page.wait_for_selector(FAR, state="detached")
    assert "secret-words-of-a-person" not in app.log.read_text(encoding="utf-8")


def test_what_cannot_be_added_says_why(browser: Browser, app: Served, hub: HubStandIn) -> None:
    with browser.tab(app) as tab:
        tab.open("/vi/")
        page = tab.page
        page.click("#picker-button")
        page.fill(".more-query", "o/gone")
        page.press(".more-query", "Enter")
        page.wait_for_selector(".more-problem:has-text('Kho không có mô hình này')")
        hub.faults.append(Fault("/api/models", None, status=503))
        page.fill(".more-query", "pip")
        page.press(".more-query", "Enter")
        page.wait_for_selector(".more-problem:has-text('Kho mô hình')")


def test_an_early_visitor_is_told_that_the_list_is_coming(browser: Browser, app: Served) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.post_data_json["data"]:
            route.continue_()
        else:
            held.append(route)

    with browser.tab(app) as tab:
        page = tab.page
        page.route("**/run/predict", hold)
        tab.open()
        page.click("#picker-button")
        page.wait_for_selector("#picker-dialog[open] .picker-empty:has-text('on its way')")
        assert page.locator("#picker-dialog .card").count() == 0
        while held:
            held.pop().continue_()
        page.wait_for_selector("#picker-dialog .card")
        assert page.locator("#picker-dialog .picker-empty").count() == 0
