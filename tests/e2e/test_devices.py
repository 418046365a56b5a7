"""The page with a keyboard alone, on a phone, and in the dark."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.served import Served
from tests.ui.browser import PHONE, Browser, Tab

pytestmark = pytest.mark.browser

RICH = """# A heading that is rather long, so that it has to be broken somewhere on a small screen

Some **bold** words, `code`, and a_word_that_is_much_too_long_for_any_telephone_and_cannot_be_broken_anywhere_at_all.

```python
def something_rather_long(argument_one, argument_two, argument_three): return argument_one + argument_two
```

| A column | Another column | A third column | A fourth column | A fifth column |
|----------|----------------|----------------|-----------------|----------------|
| one      | two            | three          | four            | five           |

$$\\sum_{i=1}^{n} x_i^2 + \\sum_{i=1}^{n} y_i^2 + \\sum_{i=1}^{n} z_i^2 = \\int_0^1 f(x)\\,dx + \\int_0^1 g(x)\\,dx$$
"""
# What Tab can stop at, and whether a person sees that it has: an outline, a shadow or a border that changed.
STOPS = """() => [...document.querySelectorAll('a[href], button, input, textarea, select, summary, [tabindex]')].filter(
  node => node.tabIndex >= 0 && !node.disabled && node.checkVisibility({visibilityProperty: true})
    && !node.closest('dialog:not([open])') && node.getBoundingClientRect().width > 0
).length"""
STOPS_OF_DIALOG = STOPS.replace("document.query", "document.querySelector('dialog[open]').query")
FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  if (!node.dataset.stop) node.dataset.stop = String(Math.random());
  const frame = node.closest('.composer-row, .dialog-head') ?? node;
  const style = getComputedStyle(node), around = getComputedStyle(frame);
  const box = node.getBoundingClientRect();
  const visible = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || around.boxShadow !== 'none';
  const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {stop: node.dataset.stop, name: node.outerHTML.slice(0, 160), visible, inside};
}"""


def walk(tab: Tab) -> list[dict[str, Any]]:
    """Press Tab until the focus has been everywhere; what it stopped at."""
    stops: list[dict[str, Any]] = []
    for _ in range(200):
        tab.page.keyboard.press("Tab")
        now = tab.page.evaluate(FOCUSED)
        if now and stops and now["stop"] == stops[0]["stop"]:
            return stops
        if now and now["stop"] not in [stop["stop"] for stop in stops]:
            stops.append(now)
    raise AssertionError(f"Tab does not come round: {stops[-3:]}")


def test_tab_reaches_everything_and_shows_where_it_is(tab: Tab) -> None:
    tab.ask(RICH)
    expected = tab.page.evaluate(STOPS)
    stops = walk(tab)
    assert [stop["name"] for stop in stops if not stop["visible"]] == []
    assert [stop["name"] for stop in stops if not stop["inside"]] == []
    assert len(stops) >= expected
    names = " ".join(stop["name"] for stop in stops)
    for part in ("skip-link", "new-chat", "search-input", "conversation-open", "language-vi", "theme-toggle"):
        assert part in names
    for part in ("burger", "picker-button", "settings-button", "composer-text", "Edit and resend", "Try again"):
        assert part in names


@pytest.mark.parametrize(
    ("opener", "shown"),
    [("#picker-button", "#picker-dialog[open] .card"), ("#settings-button", "#settings-dialog[open]")],
)
def test_tab_stays_in_a_dialog_and_comes_back_to_what_opened_it(tab: Tab, opener: str, shown: str) -> None:
    tab.page.focus(opener)
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(shown)
    expected = tab.page.evaluate(STOPS_OF_DIALOG)
    stops = walk(tab)
    assert [stop["name"] for stop in stops if not stop["visible"]] == []
    assert len(stops) >= expected > 3
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_selector("dialog[open]", state="detached")
    assert tab.page.evaluate("'#' + document.activeElement.id") == opener


def test_the_keyboard_picks_a_model_asks_and_stops(tab: Tab) -> None:
    press = tab.page.keyboard.press
    press("Control+k")
    tab.page.wait_for_selector("#picker-dialog[open] .card")
    assert tab.page.evaluate("document.activeElement.type") == "search"
    press("ArrowDown")
    press("ArrowDown")
    assert tab.page.evaluate("document.activeElement.dataset.id") == "fable"
    press("ArrowUp")
    press("ArrowUp")
    assert tab.page.evaluate("document.activeElement.type") == "search"
    press("Escape")
    tab.page.wait_for_selector("#picker-dialog", state="hidden")
    for words in ("full precision", "unhurried"):
        press("Control+k")
        tab.page.keyboard.type(words)
        tab.page.wait_for_function("document.querySelectorAll('#picker-dialog .card').length === 1")
        press("Enter")
        tab.page.wait_for_selector("#picker-dialog", state="hidden")
        tab.page.wait_for_selector(f"#picker-button:has-text('{words}')")
    tab.page.evaluate("document.activeElement.blur()")
    press("/")
    assert tab.page.evaluate("document.activeElement.id") == "composer-text"
    tab.page.keyboard.type("first line")
    press("Shift+Enter")
    tab.page.keyboard.type("second line / with a slash. " * 20)
    press("Enter")
    tab.page.wait_for_function("document.querySelector('#chat .bot-row .md')?.innerText.length > 10")
    press("Escape")
    tab.idle()
    assert tab.page.locator(".notice-stopped").count() == 1
    assert tab.texts("user")[0].startswith("first line\nsecond line / with a slash")
    assert tab.page.evaluate("document.activeElement.id") == "composer-text"


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_phone(browser: Browser, slow_app: Served, language: str) -> None:
    with browser.tab(slow_app, PHONE) as tab:
        tab.open(f"/{language}/")
        assert tab.overflow() == 0
        tab.page.tap("#composer-text")
        tab.page.fill("#composer-text", RICH)
        tab.page.tap("#composer-send")
        tab.page.wait_for_function("document.querySelector('#chat .bot-row .md')")
        assert tab.overflow() == 0
        tab.idle()
        assert tab.overflow() == 0
        for opener, shown in (("#picker-button", "#picker-dialog"), ("#settings-button", "#settings-dialog")):
            tab.page.tap(opener)
            tab.page.wait_for_selector(f"{shown}[open]")
            assert tab.overflow() == 0
            box = tab.page.locator(shown).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            tab.page.tap(f"{shown} .dialog-head .icon-btn")
            tab.page.wait_for_selector(shown, state="hidden")
        tab.page.tap("#burger")
        tab.page.wait_for_selector(".conversation-open", state="visible")
        assert tab.overflow() == 0
        tab.page.tap("#new-chat")
        tab.page.wait_for_selector(".hero-title", state="visible")


def test_the_dark_stays(tab: Tab) -> None:
    dark = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(dark)
    tab.page.click("#theme-toggle")
    tab.page.wait_for_function(f"{dark} !== '{light}'")
    tab.reload()
    assert tab.page.evaluate(dark) != light
    tab.open("/vi/")
    assert tab.page.evaluate(dark) != light
    tab.page.click("#theme-toggle")
    tab.page.wait_for_function(f"{dark} === '{light}'")
    tab.reload()
    assert tab.page.evaluate(dark) == light
