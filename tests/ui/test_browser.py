"""The page as people meet it, in a real browser: every test is one thing a person does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.ui.browser import PHONE, Browser, launched

pytestmark = pytest.mark.browser

ABUSE = "kill yourself you worthless piece of shit"
LONG = "The quick brown fox jumps over the lazy dog. " * 40
RICH = """Some **bold** and `code`.

```python
def f(): return 1
```

| a | b |
|---|---|
| 1 | 2 |

$$E = mc^2$$

![x](https://elsewhere.example/x.png) <img src="https://elsewhere.example/y.png" onerror="alert(1)">
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The playground on an echo that takes its time, so that an answer can be watched."""
    slow = {"echo": {"engine_options": {"delay_seconds": 0.02}}}
    models = write_models(tmp_path_factory.mktemp("models") / "models.toml", slow)
    with serve("--default-model", "echo", "--models-file", str(models)) as served:
        yield served


def test_ask_and_see_markdown_code_tables_and_maths(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().ask(RICH)
        answer = tab.page.locator("#chat .bot-row")
        for selector in ("strong", "pre code .token", "table td", ".katex", ".stats"):
            assert answer.locator(selector).count() >= 1, selector
        assert tab.page.locator("#chat img").count() == 0
        assert "?c=" in tab.page.url
        assert tab.page.locator(".conversation-open[aria-current]").count() == 1


def test_a_reload_goes_on_and_stop_keeps_what_was_written(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().write(LONG)
        tab.page.wait_for_function("document.querySelector('#chat .bot-row .md')?.innerText.length > 40")
        tab.reload()
        assert tab.texts("user") == [LONG.strip()]
        length = len(tab.texts("bot")[0])
        tab.page.wait_for_function("n => document.querySelector('#chat .bot-row .md').innerText.length > n", arg=length)
        tab.page.press("#composer-text", "Escape")
        tab.idle()
        assert tab.page.locator(".notice-stopped").count() == 1
        assert 0 < len(tab.texts("bot")[0]) < len(LONG)


def test_retry_edit_and_versions(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().ask("One")
        tab.page.click("#chat .extras-assistant .tools .icon-btn:nth-child(2)")
        tab.page.wait_for_selector("text='2 / 2'")
        tab.idle()
        tab.page.hover("#chat .user-row")
        tab.page.click("#chat .extras-user .tools .icon-btn:nth-child(2)")
        assert tab.page.input_value("#composer-text") == "One"
        tab.write("Uno")
        tab.page.wait_for_function("document.querySelector('#chat .user-row .md').innerText === 'Uno'")
        tab.idle()
        assert tab.texts("bot") == ["Uno"]
        tab.page.click("#chat .extras-user .versions .icon-btn:first-child")
        tab.page.wait_for_function("document.querySelector('#chat .user-row .md').innerText === 'One'")
        assert tab.texts("bot") == ["One"]


def test_a_blocked_message_stays_in_the_box_and_is_explained(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().write(ABUSE)
        notice = tab.page.wait_for_selector("#notice .notice-blocked")
        assert notice is not None
        assert "Your message was not sent." in notice.inner_text()
        assert tab.page.input_value("#composer-text") == ABUSE
        assert tab.texts("user") == []
        tab.ask("Something kinder")
        assert tab.page.locator("#notice .notice").count() == 0
        assert tab.page.input_value("#composer-text") == ""


def test_the_language_changes_and_conversation_and_draft_stay(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().ask("Xin chào các bạn")
        tab.page.fill("#composer-text", "một bản nháp")
        tab.page.click("#language-vi")
        tab.page.wait_for_url("**/vi/**")
        tab.ready()
        assert tab.page.evaluate("document.documentElement.lang") == "vi"
        assert tab.texts("user") == ["Xin chào các bạn"]
        assert tab.page.input_value("#composer-text") == "một bản nháp"
        assert tab.page.inner_text("#new-chat") == "Cuộc trò chuyện mới"
        tab.page.goto(tab.url + "/", wait_until="domcontentloaded")
        assert "/vi/" in tab.page.url


def test_conversations_are_renamed_deleted_restored_and_found(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open().ask("About apples")
        tab.page.click("#new-chat")
        tab.page.wait_for_selector(".hero-title", state="visible")
        tab.ask("About pears")
        tab.page.hover(".conversation:has-text('apples')")
        tab.page.click(".conversation:has-text('apples') .icon-btn:nth-child(2)")
        tab.page.fill(".rename", "Fruit")
        tab.page.press(".rename", "Enter")
        tab.page.wait_for_selector(".conversation:has-text('Fruit')")
        tab.page.hover(".conversation:has-text('Fruit')")
        tab.page.click(".conversation:has-text('Fruit') .icon-btn:nth-child(3)")
        tab.page.wait_for_selector(".conversation:has-text('Fruit')", state="detached")
        tab.page.click(".toast-action")
        tab.page.wait_for_selector(".conversation:has-text('Fruit')")
        tab.page.fill(".search-input", "apples")
        tab.page.wait_for_selector(".conversation:has-text('pears')", state="detached")
        tab.page.click(".conversation:has-text('Fruit') .conversation-open")
        tab.page.wait_for_function("document.querySelector('#chat .user-row .md').innerText === 'About apples'")
        tab.page.go_back()
        tab.page.wait_for_function("document.querySelector('#chat .user-row .md').innerText === 'About pears'")


def test_the_keyboard_is_enough(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open()
        tab.page.evaluate("document.activeElement.blur()")
        tab.page.keyboard.press("/")
        assert tab.page.evaluate("document.activeElement.id") == "composer-text"
        tab.page.keyboard.type("one")
        tab.page.keyboard.press("Shift+Enter")
        tab.page.keyboard.type("two")
        assert tab.page.input_value("#composer-text") == "one\ntwo"
        tab.page.keyboard.press("Control+k")
        tab.page.wait_for_selector("#picker-dialog[open] .card")
        tab.page.keyboard.type("full precision")
        tab.page.wait_for_function("document.querySelectorAll('#picker-dialog .card').length === 1")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("#picker-dialog", state="hidden")
        tab.page.wait_for_function("document.querySelector('#picker-button').innerText.includes('full precision')")
        tab.page.keyboard.press("Control+k")
        tab.page.keyboard.press("Escape")
        tab.page.wait_for_selector("#picker-dialog", state="hidden")


def test_settings_are_kept_and_reset(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.open()
        tab.page.click("#settings-button")
        tab.page.fill("#setting-max_tokens", "2")
        tab.page.fill("#setting-system", "Be brief.")
        tab.page.click("#settings-save")
        tab.page.wait_for_selector(".changed-dot", state="visible")
        tab.ask("12345678 and more")
        assert tab.texts("bot") == ["12345678"]
        tab.reload()
        tab.page.click("#settings-button")
        assert tab.page.input_value("#setting-max_tokens") == "2"
        assert tab.page.input_value("#setting-system") == "Be brief."
        tab.page.click("#settings-reset")
        tab.page.click("#settings-save")
        tab.page.wait_for_selector(".changed-dot", state="hidden")


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, app: Served, language: str) -> None:
    with browser.tab(app, PHONE, color_scheme="dark") as tab:
        tab.open(f"/{language}/")
        assert tab.overflow() == 0
        tab.ask(RICH + "long" * 60)
        assert tab.overflow() == 0
        tab.page.click("#burger")
        tab.page.wait_for_selector("#new-chat", state="visible")
        assert tab.overflow() == 0
        small = tab.page.evaluate(
            """[...document.querySelectorAll('button:not([disabled]), .language')].filter(node => {
                const box = node.getBoundingClientRect();
                return box.width && getComputedStyle(node).visibility === 'visible' && box.height < 40;
            }).map(node => node.outerHTML.slice(0, 120))"""
        )
        assert small == []


def test_dark_mode_is_there_before_anything_is_painted(browser: Browser, app: Served) -> None:
    with browser.tab(app, color_scheme="light") as tab:
        tab.open()
        tab.page.click("#theme-toggle")
        tab.page.goto(tab.url + "/en/", wait_until="commit")
        tab.page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        tab.ready()
        assert tab.page.evaluate("document.body.classList.contains('dark')")
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 18, 21)"
