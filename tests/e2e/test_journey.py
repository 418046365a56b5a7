"""A conversation as people have it in a real browser, from the first question to a server that is killed meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.served import Served, serve
from tests.ui.browser import Browser, Tab

pytestmark = pytest.mark.browser

ENGLISH = "Tell me slowly, word by word, what a playground is for. " * 5
VIETNAMESE = "Hãy kể cho tôi nghe thật chậm rãi, từng chữ một, về sân chơi này. " * 5
ABUSE = "kill yourself you worthless piece of shit"
FIRST_ANSWER = "document.querySelector('#chat .bot-row .md')?.innerText ?? ''"


def see_it_grow(tab: Tab, times: int = 3) -> None:
    """Wait until the answer on display has become longer this many times."""
    length = 0
    for _ in range(times):
        tab.page.wait_for_function(f"length => ({FIRST_ANSWER}).length > length", arg=length)
        length = len(tab.texts("bot")[-1])


def has_versions(tab: Tab, at: int, of: int) -> None:
    tab.page.wait_for_selector(f".extras-assistant .versions-count:text-is('{at} / {of}')")
    tab.idle()


@pytest.mark.parametrize(("language", "question"), [("en", ENGLISH), ("vi", VIETNAMESE)])
def test_ask_watch_stop_and_retry(browser: Browser, slow_app: Served, language: str, question: str) -> None:
    with browser.tab(slow_app) as tab:
        tab.open(f"/{language}/").write(question)
        see_it_grow(tab)
        assert question.startswith(tab.texts("bot")[0])
        tab.page.click("#composer-send")
        tab.idle()
        stopped = tab.texts("bot")[0]
        assert question.startswith(stopped)
        assert stopped != question.strip()
        assert tab.page.locator(".notice-stopped").count() == 1
        tab.page.click(".notice-stopped .btn")
        has_versions(tab, 2, 2)
        assert tab.texts("bot") == [question.strip()]
        assert tab.page.locator(".extras-assistant .stats").count() == 1
        tab.page.click(".extras-assistant .versions .icon-btn >> nth=0")
        has_versions(tab, 1, 2)
        assert tab.texts("bot") == [stopped]


def test_edit_and_resend(tab: Tab) -> None:
    tab.ask("First question")
    tab.ask("Second question")
    tab.page.hover("#chat .user-row >> nth=0")
    tab.page.click("#chat .user-row >> nth=0 >> .tools .icon-btn >> nth=1")
    assert tab.page.input_value("#composer-text") == "First question"
    assert tab.page.is_visible(".composer-banner")
    tab.page.keyboard.press("Escape")
    assert not tab.page.is_visible(".composer-banner")
    assert tab.page.input_value("#composer-text") == ""
    tab.page.click("#chat .user-row >> nth=0 >> .tools .icon-btn >> nth=1")
    tab.write("Another question")
    tab.page.wait_for_function("document.querySelectorAll('#chat .user-row').length === 1")
    tab.idle()
    assert tab.texts("user") == tab.texts("bot") == ["Another question"]
    tab.page.click(".extras-user .versions .icon-btn >> nth=0")
    tab.page.wait_for_function("document.querySelectorAll('#chat .user-row').length === 2")
    assert tab.texts("user") == ["First question", "Second question"]


def test_switch_model_and_language(tab: Tab) -> None:
    tab.ask("Xin chào")
    tab.page.fill("#composer-text", "một bản nháp")
    tab.page.click("#picker-button")
    tab.page.click("#picker-dialog .card[data-id=echo]")
    tab.page.wait_for_selector("#picker-button:has-text('Echo')")
    assert tab.texts("user") == ["Xin chào"]
    assert tab.page.input_value("#composer-text") == "một bản nháp"
    place = tab.page.url
    tab.page.click("#language-vi")
    tab.page.wait_for_url("**/vi/**")
    tab.ready()
    assert tab.page.url == place.replace("/en/", "/vi/")
    assert tab.texts("user") == tab.texts("bot") == ["Xin chào"]
    assert tab.page.input_value("#composer-text") == "một bản nháp"
    assert tab.page.inner_text("#picker-button").strip() == "Echo"
    tab.page.press("#composer-text", "Enter")
    tab.page.wait_for_function("document.querySelectorAll('#chat .bot-row').length === 2")
    tab.idle()
    assert tab.texts("bot")[1] == "một bản nháp"
    assert tab.page.input_value("#composer-text") == ""


def test_new_rename_delete_undo_and_search(tab: Tab) -> None:
    for subject in ("apples", "pears"):
        tab.ask(f"About {subject}")
        tab.page.click("#new-chat")
        tab.page.wait_for_selector(".hero-title", state="visible")
    apples = tab.page.locator(".conversation", has_text="apples")
    apples.hover()
    apples.locator(".icon-btn").nth(0).click()
    tab.page.fill(".rename", "Fruit 🍎 quả")
    tab.page.press(".rename", "Enter")
    fruit = tab.page.locator(".conversation", has_text="Fruit 🍎 quả")
    fruit.wait_for()
    fruit.hover()
    fruit.locator(".icon-btn").nth(1).click()
    fruit.wait_for(state="detached")
    tab.reload()
    assert fruit.count() == 0
    pears = tab.page.locator(".conversation", has_text="pears")
    pears.hover()
    pears.locator(".icon-btn").nth(1).click()
    pears.wait_for(state="detached")
    tab.page.click(".toast-action")
    pears.wait_for()
    tab.page.fill(".search-input", "PEÁRS")
    pears.wait_for()
    tab.page.fill(".search-input", "quinces")
    pears.wait_for(state="detached")
    assert tab.page.is_visible(".conversations-empty")


def test_a_reload_goes_on_and_the_end_is_there(tab: Tab) -> None:
    tab.write(ENGLISH)
    see_it_grow(tab, 2)
    tab.reload()
    assert tab.texts("user") == [ENGLISH.strip()]
    see_it_grow(tab, 2)
    tab.idle()
    assert tab.texts("bot") == [ENGLISH.strip()]
    tab.reload()
    assert tab.texts("bot") == [ENGLISH.strip()]


def test_a_blocked_message_comes_back_and_can_be_changed(tab: Tab) -> None:
    tab.write(ABUSE)
    notice = tab.page.locator("#notice .notice-blocked")
    notice.wait_for()
    assert "Your message was not sent." in notice.inner_text()
    assert "Your words are still in the message box" in notice.inner_text()
    assert tab.page.input_value("#composer-text") == ABUSE
    assert tab.texts("user") == []
    tab.ask("Something kinder")
    assert notice.count() == 0
    assert tab.texts("bot") == ["Something kinder"]


def test_killed_mid_answer_and_started_again(browser: Browser, slow_models: Path, tmp_path: Path) -> None:
    options = ("--default-model", "unhurried", "--models-file", str(slow_models))
    with serve(*options, data_dir=tmp_path / "data") as app, browser.tab(app) as tab:
        tab.open().write(ENGLISH)
        see_it_grow(tab)
        app.process.kill()
        app.process.wait(30)
        tab.write("Written while the server was away")
        port = app.address.rsplit(":", 1)[1]
        with serve(*options, "--port", port, data_dir=tmp_path / "data"):
            # Nobody reloads: the page finds the server again by itself.
            tab.page.wait_for_selector(".extras-assistant .notice-error", timeout=60_000)
            part = tab.texts("bot")[0]
            assert ENGLISH.startswith(part)
            assert part
            assert "This answer was interrupted." in tab.page.inner_text(".extras-assistant .notice-error")
            tab.page.click(".notice-error .btn")
            has_versions(tab, 2, 2)
            assert tab.texts("bot") == [ENGLISH.strip()]
            assert tab.page.input_value("#composer-text") == "Written while the server was away"
            tab.ask("Written while the server was away")
            assert len(tab.texts("user")) == 2
            tab.troubles = [trouble for trouble in tab.troubles if "net::ERR_" not in trouble]
