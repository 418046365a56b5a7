"""The panel that looks inside an answer, in a real browser, on the model that ships."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Route

from benchmarks.served import Served, serve
from tests.chat.conftest import REMOTE_ROW
from tests.e2e.test_accessibility import violations
from tests.engines.remote.scripted_server import HEAD, ScriptedServer, piece, scored
from tests.ui.browser import DESKTOP, PHONE, Browser, Tab, launched

pytestmark = pytest.mark.browser

TOKENS, CARD = "#inside-tokens .lens .token", "#inside-tokens .inside-card"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The playground on the model that ships, with one on a server that tells its tokens, and one that says nothing."""
    told = [HEAD, scored("Good", -0.02), scored(" day", -1.2, others=(" morning", -0.9, " motherfucker", -3.0))]
    server = ScriptedServer([[*told, piece(finish="stop")]])
    models = tmp_path_factory.mktemp("far") / "models.toml"
    silent = ScriptedServer([[HEAD, piece(finish="stop")]])
    mute = REMOTE_ROW.replace("far", "mute").replace("Far", "Mute")
    rows = [f'{row}servers = [{{ url = "{url}" }}]\n' for row, url in ((REMOTE_ROW, server.url), (mute, silent.url))]
    models.write_text("".join(rows), encoding="utf-8")
    with serve("--default-model", "pip-fp32", "--models-file", str(models)) as served:
        yield served
    server.stop()
    silent.stop()


def choose(tab: Tab, name: str) -> None:
    tab.page.keyboard.press("Control+k")
    tab.page.wait_for_selector("#picker-dialog[open] .card")
    tab.page.keyboard.type(name)
    tab.page.wait_for_function("document.querySelectorAll('#picker-dialog .card').length === 1")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(f"#picker-button:has-text('{name}')")


def look_inside(tab: Tab, question: str = "Who are you?", path: str = "/en/") -> Tab:
    tab.open(path).ask(question)
    tab.page.locator(".look-inside").last.click()
    tab.page.wait_for_selector(f"{CARD} .candidate")
    return tab


def candidates(tab: Tab, part: str) -> list[str]:
    return [row.inner_text() for row in tab.page.query_selector_all(f"#inside-{part} .candidate-text")]


def test_tokens_are_looked_at_by_mouse_and_by_keyboard(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        look_inside(tab)
        answer = tab.texts("bot")[0]
        texts = [node.text_content() or "" for node in tab.page.query_selector_all(TOKENS)]
        assert "".join(texts[:-1]).strip() == answer
        tab.page.locator(TOKENS).nth(3).hover()
        tab.page.wait_for_function("document.querySelectorAll('.lens .token')[3].hasAttribute('aria-current')")
        tab.page.locator(TOKENS).nth(3).focus()
        tab.page.keyboard.press("ArrowRight")
        tab.page.keyboard.press("ArrowRight")
        current = tab.page.wait_for_selector(f"{TOKENS}[aria-current]:focus")
        assert current is not None
        label = current.get_attribute("aria-label") or ""
        assert label.startswith("“")
        assert label.endswith("%")
        tab.page.wait_for_function(
            f"document.querySelector('{CARD} h3').getAttribute('aria-label') === {label.split(', ')[0]!r}"
        )
        assert tab.page.locator(f"{TOKENS}[tabindex='0']").count() == 1
        tab.page.locator(TOKENS).nth(2).click()
        tab.page.locator(TOKENS).nth(4).hover()  # after a key and a click, too
        tab.page.wait_for_function("document.querySelectorAll('.lens .token')[4].hasAttribute('aria-current')")
        tab.page.locator(TOKENS).nth(3).focus()
        tab.page.keyboard.press("End")
        tab.page.wait_for_selector(f"{TOKENS}.token-end:focus")
        tab.page.keyboard.press("Escape")
        tab.page.wait_for_selector("#inside-dialog", state="hidden")


def test_another_token_begins_a_new_version(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        look_inside(tab)
        before = tab.texts("bot")[0]
        tab.page.locator(TOKENS).nth(2).click()
        tab.page.wait_for_function("document.querySelectorAll('.lens .token')[2].hasAttribute('aria-current')")
        kept = "".join(node.text_content() or "" for node in tab.page.query_selector_all(TOKENS)[:2])
        tab.page.wait_for_selector(f"{CARD} .candidate-note")
        chosen = tab.page.locator(f"{CARD} button.candidate").first
        said = (chosen.locator(".candidate-text").text_content() or "").replace("␣", " ")
        chosen.click()
        tab.page.wait_for_selector("#inside-dialog", state="hidden")
        tab.page.wait_for_selector("text='2 / 2'")
        tab.idle()
        assert tab.texts("bot")[0].startswith((kept + said).strip())
        tab.page.click("#chat .extras-assistant .versions .icon-btn:first-child")
        tab.page.wait_for_selector("text='1 / 2'")
        assert tab.texts("bot")[0] == before


def step_with(tab: Tab, question: str, **settings: str) -> None:
    """Ask with these settings, and open the step by step view of the answer."""
    tab.open()
    tab.page.click("#settings-button")
    for name, value in settings.items():
        tab.page.fill(f"#setting-{name}", value)
    tab.page.click("#settings-save")
    tab.page.wait_for_selector(".changed-dot", state="visible")
    tab.ask(question)
    tab.page.locator(".look-inside").last.click()
    tab.page.wait_for_selector(f"{CARD} .candidate")
    tab.page.click("#inside-tab-next")
    tab.page.wait_for_selector("#inside-next .candidate-drawn")


def test_stepping_with_the_seed_of_an_answer_writes_it_again(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        step_with(tab, "Tell me a story", seed="5", max_tokens="6", temperature="1.4", top_p="1")
        assert tab.page.input_value("#inside-seed") == "5"
        for step in range(1, 7):
            tab.page.click("#inside-draw:not([disabled])")
            tab.page.wait_for_selector(f".so-far[data-tokens='{step}']")
        assert (tab.page.text_content("#inside-next .so-far") or "").strip() == tab.texts("bot")[0]
        tab.page.click("#inside-undo")
        tab.page.wait_for_selector(".so-far[data-tokens='5']")
        kept = tab.page.text_content("#inside-next .so-far") or ""
        tab.page.click("#inside-branch")
        tab.page.wait_for_selector("text='2 / 2'")
        tab.idle()
        assert tab.texts("bot")[0].startswith(kept.strip())


def test_settings_reshape_the_distribution_in_sight(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        look_inside(tab)
        tab.page.click("#inside-tab-next")
        tab.page.wait_for_selector("#inside-next .candidate-drawn")
        before = candidates(tab, "next")
        for name, value in (("temperature", "2"), ("top_p", "1"), ("top_k", "2")):
            tab.page.locator(f"#inside-{name}").fill(value)
        tab.page.wait_for_selector("#inside-next :text('left to draw from: 2')")
        assert candidates(tab, "next") == before
        assert tab.page.locator("#inside-next .candidate-out").count() == len(before) - 2


def looks(tab: Tab, change: Callable[[str], str] = str) -> list[str]:
    """What the panel asks from now on, as it is sent after a `change`."""
    asked: list[str] = []

    def handle(route: Route) -> None:
        data = route.request.post_data or ""
        if '"ticket"' not in data:
            return route.continue_()
        asked.append(change(data))
        return route.continue_(post_data=asked[-1])

    tab.page.route("**/gradio_api/**", handle)
    return asked


def test_what_a_slider_cannot_show_stays_as_it_is(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        step_with(tab, "Who are you?", seed="123456789", top_k="500", temperature="2.5", repetition_penalty="1.3")
        assert tab.page.inner_text(".step-top_k output") == "500"
        assert tab.page.inner_text(".step-temperature output") == "2.5"
        assert "repetition penalty of this conversation (1.30)" in tab.page.inner_text("#inside-next")
        asked = looks(tab)
        tab.page.fill("#inside-seed", "")  # is skipped, and nothing else with it
        tab.page.locator("#inside-top_p").fill("0.02")
        tab.page.wait_for_function("document.querySelectorAll('#inside-next .candidate-out').length > 0")
        assert all(
            part in asked[-1] for part in ('"top_k":500', '"temperature":2.5', '"top_p":0.02', '"seed":123456789')
        )
        assert tab.page.input_value("#inside-seed") == "123456789"
        assert tab.page.inner_text(".step-top_k output") == "500"


def test_a_double_press_takes_one_token(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        look_inside(tab)
        tab.page.click("#inside-tab-next")
        tab.page.wait_for_selector("#inside-next .candidate-drawn")
        asked = looks(tab)
        tab.page.focus("#inside-draw")
        tab.page.evaluate("['draw', 'draw', 'undo'].forEach(name => document.getElementById(`inside-${name}`).click())")
        tab.page.wait_for_selector(".so-far[data-tokens='1']")
        tab.page.wait_for_function(
            "document.getElementById('announcer')?.textContent.startsWith('The answer now ends')"
        )
        assert len(asked) == 1
        assert tab.page.evaluate("document.activeElement.id") == "inside-draw"
        tab.page.locator("#inside-next button.candidate").nth(1).focus()
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector(".so-far[data-tokens='2']")
        assert tab.page.evaluate("document.activeElement.matches('button.candidate, #inside-undo')")


def test_an_error_in_a_step_loses_nothing(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        look_inside(tab)
        tab.page.click("#inside-tab-next")
        tab.page.click("#inside-draw")
        tab.page.wait_for_selector(".so-far[data-tokens='1']")
        looks(tab, lambda data: re.sub(r'"chosen":\[\d+,\d+\]', '"chosen":[2147483647]', data))
        tab.page.click("#inside-draw")
        tab.page.wait_for_selector("#inside-next .inside-error:has-text('no such token')")
        assert tab.page.locator(".so-far[data-tokens='1']").count() == 1
        assert tab.page.locator("#inside-next .candidate-drawn").count() == 1
        tab.page.click("#inside-undo")
        tab.page.wait_for_selector(".so-far[data-tokens='0']")
        assert not tab.page.is_visible("#inside-next .inside-error")


def test_no_answer_is_told_and_can_be_asked_for_again(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        tab.page.clock.install()
        tab.open().ask("Who are you?")
        tab.page.route(
            "**/gradio_api/**",
            lambda route: None if '"ticket"' in (route.request.post_data or "") else route.continue_(),
        )
        tab.page.locator(".look-inside").last.click()
        tab.page.wait_for_selector("#inside-tokens:has-text('Computing')")
        tab.page.clock.fast_forward(61_000)
        tab.page.wait_for_selector("#inside-tokens .inside-error:has-text('No answer came')")
        tab.page.unroute_all()
        tab.page.click("#inside-tokens .inside-again")
        tab.page.wait_for_selector(f"{CARD} .candidate")


@pytest.mark.parametrize(
    ("language", "you", "template"),
    [("en", "your message", "chat template"), ("vi", "tin nhắn của bạn", "khuôn mẫu trò chuyện")],
)
def test_the_prompt_says_whose_each_part_is(
    browser: Browser, app: Served, language: str, you: str, template: str
) -> None:
    with browser.tab(app) as tab:
        look_inside(tab, "Bạn là ai?", f"/{language}/")
        tab.page.keyboard.press("Tab")
        tab.page.focus("#inside-tab-tokens")
        tab.page.keyboard.press("ArrowLeft")
        mine = tab.page.wait_for_selector("#inside-prompt .piece.source-you")
        assert mine is not None
        assert you in mine.inner_text()
        assert (mine.query_selector(".piece-tokens") or mine).text_content() == "Bạn là ai?"
        assert template in tab.page.inner_text("#inside-prompt .prompt-counts")
        assert "512" in tab.page.inner_text("#inside-prompt .prompt-total")


def test_a_model_that_shows_nothing_says_so(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        choose(tab.open(), "Echo")
        tab.ask("Hello")
        tab.page.locator(".look-inside").last.click()
        error = tab.page.wait_for_selector("#inside-tokens .inside-error")
        assert error is not None
        assert "Choose a model that runs here" in error.inner_text()


def test_of_a_model_on_a_server_what_it_told_is_shown_and_nothing_else_offered(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        choose(tab.open(), "Far")
        tab.ask("Hello")
        tab.page.locator(".look-inside").last.click()
        tab.page.wait_for_selector(f"{CARD} .candidate")
        assert [node.text_content() for node in tab.page.query_selector_all(TOKENS)] == ["Good", " day"]
        tab.page.locator(TOKENS).nth(1).click()
        tab.page.wait_for_selector(f"{CARD} .candidate-masked")
        assert candidates(tab, "tokens") == ["␣morning", "␣day", "hidden by the safety check"]
        card = tab.page.inner_text(CARD)
        assert "cannot go on from another token" in card
        assert "bits" not in card
        assert tab.page.locator("#inside-tokens button.candidate, #inside-step-here").count() == 0
        assert violations(tab) == []
        for name, sentence in (("next", "or be stepped through"), ("prompt", "what exactly it received is not known")):
            tab.page.click(f"#inside-tab-{name}")
            tab.page.wait_for_selector(f"#inside-{name} .inside-status:not(.inside-error):has-text('{sentence}')")


def test_what_a_server_told_and_is_not_kept_is_calmly_said(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        choose(tab.open(), "Far")
        tab.ask("Hello")
        tab.page.hover(".conversation")
        tab.page.click(".conversation .icon-btn >> nth=1")  # put away and taken back: its tokens are gone
        tab.page.click(".toast-action")
        tab.page.wait_for_selector("#chat .bot-row .extras .look-inside")
        tab.page.locator(".look-inside").last.click()
        tab.page.wait_for_selector("#inside-tokens .inside-told:has-text('Press “Try again”')")
        for name, sentence in (("next", "or be stepped through"), ("prompt", "what exactly it received is not known")):
            tab.page.click(f"#inside-tab-{name}")
            tab.page.wait_for_selector(f"#inside-{name} .inside-status:not(.inside-error):has-text('{sentence}')")


def test_an_answer_without_text_is_looked_into_at_its_prompt(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        choose(tab.open(), "Mute")
        tab.ask("Hello")
        assert tab.texts("bot") in ([], [""])
        tab.page.locator(".look-inside").last.click()
        tab.page.wait_for_selector("#inside-prompt .inside-told:has-text('what exactly it received is not known')")
        assert tab.page.get_attribute("#inside-tab-prompt", "aria-selected") == "true"


@pytest.mark.parametrize(("device", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_the_panel_is_accessible_and_fits(
    browser: Browser, app: Served, device: dict[str, object], scheme: str
) -> None:
    with browser.tab(app, device, color_scheme=scheme, reduced_motion="reduce") as tab:
        look_inside(tab, path="/vi/")
        for name, ready in (("tokens", ".candidate"), ("next", ".candidate-drawn"), ("prompt", ".piece")):
            tab.page.click(f"#inside-tab-{name}")
            tab.page.wait_for_selector(f"#inside-{name} {ready}")
            assert violations(tab) == []
            assert tab.overflow() == 0
            inner = f"document.getElementById('inside-{name}')"
            assert tab.page.evaluate(f"{inner}.scrollWidth - {inner}.clientWidth") <= 0
