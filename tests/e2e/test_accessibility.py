"""axe-core looks at the page in the states that people meet, light and dark, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files

import pytest

from benchmarks.served import Served
from tests.ui.browser import DESKTOP, PHONE, Browser, Tab

pytestmark = pytest.mark.browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = f"axe.run(document, {{runOnly: {json.dumps(RULES)}, resultTypes: ['violations']}})"
# Colours are looked at when nothing fades any more; what goes on for ever (the dots of a waiting line) may go on.
SETTLED = """document.getAnimations().every(
  one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"""
ABUSE = "kill yourself you worthless piece of shit"
RICH = """## Heading

Some **bold** and `code`, a [link](https://example.org) and a list:

- one
- two

```python
def f(): return 1
```

| a | b |
|---|---|
| 1 | 2 |

$$E = mc^2$$
"""
LONG = "Tell me slowly, word by word. " * 20


def violations(tab: Tab) -> list[str]:
    """What axe finds, one line for each place."""
    tab.page.wait_for_function(SETTLED)
    if not tab.page.evaluate("'axe' in window"):
        tab.page.evaluate(AXE)
    found = tab.page.evaluate(RUN)["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}" for rule in found for node in rule["nodes"]
    ]


def greeting(tab: Tab) -> None:
    tab.page.wait_for_selector(".hero-title", state="visible")


def answered(tab: Tab) -> None:
    tab.ask(RICH)
    tab.ask("And again")
    tab.page.click(".extras-assistant >> nth=-1 >> .tools .icon-btn >> nth=1")
    tab.page.wait_for_selector(".extras-assistant .versions-count")
    tab.idle()


def being_written(tab: Tab) -> None:
    tab.write(LONG)
    tab.page.wait_for_function("document.querySelector('#chat .bot-row .md')?.innerText.length > 40")


def stopped(tab: Tab) -> None:
    being_written(tab)
    tab.page.click("#composer-send")
    tab.idle()
    tab.page.wait_for_selector(".notice-stopped")


def refused(tab: Tab) -> None:
    tab.write(ABUSE)
    tab.page.click("#notice .notice-blocked summary")


def picking(tab: Tab) -> None:
    tab.page.keyboard.press("Control+k")
    tab.page.wait_for_selector("#picker-dialog[open] .card")


def setting(tab: Tab) -> None:
    tab.page.click("#settings-button")
    tab.page.wait_for_selector("#settings-dialog[open]")


def editing_and_renaming(tab: Tab) -> None:
    tab.ask("A question")
    tab.page.hover("#chat .user-row")
    tab.page.click("#chat .extras-user .tools .icon-btn >> nth=1")
    tab.page.hover(".conversation")
    tab.page.click(".conversation .icon-btn >> nth=0")
    tab.page.wait_for_selector(".rename")


STATES: dict[str, Callable[[Tab], None]] = {
    "greeting": greeting,
    "answered": answered,
    "being written": being_written,
    "stopped": stopped,
    "refused": refused,
    "picking a model": picking,
    "settings": setting,
    "editing and renaming": editing_and_renaming,
}


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("vi", "dark")])
def test_nothing_is_in_anybodys_way(browser: Browser, slow_app: Served, language: str, scheme: str) -> None:
    found: list[str] = []
    with browser.tab(slow_app, DESKTOP, color_scheme=scheme) as tab:
        for state, reach in STATES.items():
            tab.open(f"/{language}/")
            reach(tab)
            found += [f"{state}: {line}" for line in violations(tab)]
    assert "\n".join(found) == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_in_the_way_on_a_phone(browser: Browser, slow_app: Served, scheme: str) -> None:
    with browser.tab(slow_app, PHONE, color_scheme=scheme) as tab:
        tab.open("/vi/").ask(RICH)
        assert violations(tab) == []
        tab.page.tap("#burger")
        tab.page.wait_for_selector("#new-chat", state="visible")
        assert violations(tab) == []
