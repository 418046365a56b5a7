"""The arena in a real browser, on the real app: columns, battles by keyboard, several people, phones, reloads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.page_client import PageClient
from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.ui.browser import PHONE, Browser, Tab, launched

pytestmark = pytest.mark.browser

TOO_SMALL = """[...document.querySelectorAll('button, a:not(.skip-link), select, summary')].filter(node => {
  const { height } = node.getBoundingClientRect();
  return node.checkVisibility() && height > 0 && height < 37;
}).map(node => node.outerHTML.slice(0, 90))"""
SLOW = "Tell me slowly, word by word. " * 12


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The embedded models, and an echo that takes its time."""
    rows = {"unhurried": {"engine_options": {"piece_chars": 3, "delay_seconds": 0.03}}}
    models = write_models(tmp_path_factory.mktemp("models") / "models.toml", rows)
    with serve("--models-file", str(models), "--max-models", "4") as served:
        yield served
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


def enter(tab: Tab, path: str = "/arena/en/") -> Tab:
    tab.page.goto(tab.url + path, wait_until="domcontentloaded")
    tab.page.wait_for_selector(".side-head:visible, .island-board h2")
    return tab


def finished(tab: Tab, places: int = 2) -> None:
    tab.page.wait_for_function(
        """n => !playground.busy && [...document.querySelectorAll('.column[aria-busy=false]')]
          .filter(node => node.querySelector('.bot-row .md')).length >= n""",
        arg=places,
    )


def answer(tab: Tab, position: int) -> str:
    return tab.page.locator(f"#chat-{position} .bot-row .message-content").last.inner_text().strip()


def walk(tab: Tab, selector: str) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    for _ in range(60):
        if tab.page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
        tab.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_four_sides_answer_and_each_is_announced_once(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=pip,pip-fp32,echo,unhurried&prompt=What+is+a+token%3F&send=1")
        finished(tab, 4)
        assert "prompt" not in tab.page.url
        assert "c=" in tab.page.url
        assert answer(tab, 2) == answer(tab, 3) == "What is a token?"
        assert tab.page.locator(".column[aria-busy=true]").count() == 0
        said = tab.page.locator("#sayings p").all_text_contents()
        assert sorted(line[:17] for line in said) == [f"Answer {letter} finished" for letter in "ABCD"]
        assert "tokens" in tab.page.locator("#foot-0 .stats").inner_text()
        assert tab.overflow() == 0


def test_a_prompt_in_the_address_waits_to_be_sent(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=echo,unhurried&prompt=Not+yet")
        tab.page.wait_for_function("document.getElementById('composer-text').value === 'Not yet'")
        assert tab.page.locator(".side-chat .bot-row").count() == 0
        enter(tab, "/arena/en/?models=echo,nothing-like-it")
        tab.page.wait_for_selector("#notice .notice-error")


def test_a_reload_goes_on_and_one_side_is_stopped_alone(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=unhurried,unhurried")
        tab.write(SLOW)
        tab.page.wait_for_function("document.querySelector('#chat-1 .bot-row .md')?.innerText.length > 20")
        tab.page.reload(wait_until="domcontentloaded")
        tab.page.wait_for_selector("#column-0.running")
        tab.page.click("#foot-0 .stop")
        tab.page.wait_for_selector("#foot-0 .notice-stopped")
        finished(tab)
        assert len(answer(tab, 0)) < len(answer(tab, 1)) == len(SLOW.strip())
        assert tab.page.locator("#foot-1 .notice").count() == 0
        tab.page.click("#foot-0 [aria-label='Let A answer again']")
        tab.page.wait_for_selector("#column-0.running")
        finished(tab)
        assert answer(tab, 0) == answer(tab, 1)


def test_a_battle_by_keyboard_alone(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab)
        walk(tab, "#tab-battle")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector(".mystery")
        walk(tab, "#composer-text")
        tab.page.keyboard.type("1 What is your name?")
        assert tab.page.locator(".vote").count() == 0
        tab.page.keyboard.press("Enter")
        finished(tab)
        tab.page.wait_for_selector(".vote-a:not([disabled])")
        assert [name.strip() for name in tab.page.locator(".side-name").all_text_contents()] == ["Model A", "Model B"]
        assert not tab.page.locator(".side-foot :is(.stats span, .stop)").count()
        tab.page.keyboard.press("Shift+Tab")
        assert "vote" in (tab.page.evaluate("document.activeElement.className"))
        tab.page.keyboard.press("1")
        tab.page.wait_for_selector(".vote-a[aria-pressed=true]")
        tab.page.wait_for_selector(".outcome")
        assert "Model A" not in tab.page.locator("#head-0 .side-name").inner_text()
        tab.page.keyboard.press("3")
        tab.page.wait_for_selector(".vote-tie[aria-pressed=true]")
        tab.page.reload(wait_until="domcontentloaded")
        tab.page.wait_for_selector(".vote-tie[aria-pressed=true]")
        walk(tab, "#next-battle")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector(".mystery")
        assert tab.page.locator(".side-chat .bot-row").count() == 0


def test_nothing_on_the_wire_tells_who_answers_before_the_vote(app: Served) -> None:
    with PageClient(app.address, root="/arena", query="tab=battle") as person:
        person.ask("What is your name?")
        while person.value("stage")["busy"]:
            person.fire("stage", "follow")
        wire = person.received.decode().casefold() + json.dumps(person.config).casefold()
        assert "what is your name" in wire
        for telling in ("pip", "fable", "echo", "unhurried", "fp32", "tokens/s", "model_id"):
            assert telling not in wire, telling
        person.fire("stage", "vote", data={"winner": "tie"})
        assert all(card["model"] for card in person.value("stage")["cards"])


def test_two_people_vote_at_the_same_time_and_the_table_counts_both(
    browser: Browser, app: Served, tmp_path: Path
) -> None:
    with browser.tab(app) as first, browser.tab(app) as second:
        for tab in (first, second):
            enter(tab, "/arena/en/?models=pip,echo")
            tab.write("Hello")
        for tab, vote in ((first, "a"), (second, "b")):
            finished(tab)
            tab.page.click(f".vote-{vote}")
        for tab in (first, second):
            tab.page.wait_for_selector(".outcome")
        assert first.page.locator("#next-battle").count() == 0
        first.page.click("#tab-board")
        first.page.click("[data-choice=kind-named]")
        first.page.wait_for_selector(".island-board tbody th:has-text('Echo')")
        assert "2 votes on 2 models" in first.page.locator(".board-head").inner_text()
        assert first.page.locator(".plot circle").count() == 2
        with first.page.expect_download() as download:
            first.page.click("#votes-csv")
        download.value.save_as(tmp_path / "votes.csv")
        rows = (tmp_path / "votes.csv").read_text(encoding="utf-8").splitlines()
        assert (rows[0].split(",")[:3], len(rows)) == (["model_a", "model_b", "winner"], 3)
        first.page.go_back()
        first.page.wait_for_selector(".vote-a[aria-pressed=true]")


def test_sides_are_changed_aimed_at_compared_kept_and_taken_along(
    browser: Browser, app: Served, tmp_path: Path
) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=echo,unhurried")
        tab.page.click("#head-1 .gear")
        tab.page.fill("#setting-max_tokens", "64")
        tab.page.click("#settings-save")
        tab.page.wait_for_selector("#head-1 .changed-dot")
        tab.page.click("button:has-text('Add a model')")
        tab.page.click("#chooser .card[data-id=echo] .card-main")
        tab.page.wait_for_selector("#head-2 .side-name")
        tab.write("One fish <img src=x onerror=alert(1)>")
        finished(tab, 3)
        tab.page.click("#head-0 [aria-label='Ask only A next']")
        tab.page.wait_for_selector(".aimed")
        tab.write("Two birds")
        tab.page.wait_for_function("document.querySelectorAll('#chat-0 .bot-row').length === 2")
        finished(tab, 3)
        assert "One fish" in answer(tab, 1)
        tab.page.click("#head-2 [aria-label^='Take C']")
        tab.page.wait_for_function("document.documentElement.dataset.places === '2'")
        tab.page.click("button:has-text('Differences')")
        tab.page.wait_for_selector("#difference[open] mark:has-text('Two birds')")
        assert tab.page.locator("#difference img").count() == 0
        tab.page.keyboard.press("Escape")
        tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=tab.url)
        tab.page.click(".menu summary")
        tab.page.click("text=Copy all answers")
        copied = tab.page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("A: Echo\n\nTwo birds")
        assert "One fish" in copied.split("B: ")[1]
        with tab.page.expect_download() as download:
            tab.page.click("text=Save as JSON")
        download.value.save_as(tmp_path / "comparison.json")
        told = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
        assert [len(side["messages"]) for side in told["sides"]] == [4, 2]
        tab.page.click("#foot-0 [aria-label='Go on with A as a chat']")
        tab.page.wait_for_url("**/en/?c=*")
        tab.page.wait_for_function("document.querySelectorAll('#chat .bot-row').length === 2")
        assert tab.texts("bot")[-1] == "Two birds"
        tab.page.click(".compare-link")
        tab.page.wait_for_selector(".side-head")


def test_a_changed_side_says_whose_answer_it_shows_until_it_has_its_own(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=echo,unhurried&prompt=Hello&send=1")
        finished(tab)
        tab.page.click("#head-1 .side-pick")
        tab.page.click("#chooser .card[data-id=pip] .card-main")
        tab.page.wait_for_selector("#chat-1 .turn-author")
        assert tab.page.locator("#chat-0 .turn-author").count() == 0
        assert tab.page.locator(".vote-a[disabled]").count() == 1
        assert "changed" in tab.page.inner_text(".vote-hint")
        tab.page.click("#foot-1 [aria-label='Let B answer again']")
        tab.page.wait_for_selector(".vote-a:not([disabled])")
        assert tab.page.locator(".turn-author, .vote-hint").count() == 0


def test_each_answer_as_the_other_models_read_it(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=pip,pip-fp32,echo&prompt=What+is+a+token%3F&send=1")
        finished(tab, 3)
        tab.page.click("button:has-text('Surprise')")
        tab.page.wait_for_selector("#surprise[open] .lens")
        sections = tab.page.locator("#surprise section")
        assert sections.count() == 3
        first = sections.nth(0)
        assert first.locator("[aria-pressed=true]").inner_text().endswith("Pip, full precision")
        assert "".join(first.locator(".lens .token").all_text_contents()) == answer(tab, 0)
        assert first.locator(".inside-figures dd").count() == 3
        first.locator(".lens .token").nth(0).focus()
        tab.page.keyboard.press("ArrowRight")
        card = first.locator(".surprise-card").inner_text()
        assert "Pip, full precision: " in card
        assert "bits" in card
        first.locator(".surprise-reader:has-text('Echo')").click()
        assert "shows no" in first.locator(".inside-status").inner_text() or "does not show" in first.inner_text()
        rows = tab.page.locator(".surprise-costs tbody tr").all_inner_texts()
        assert len(rows) == 3
        assert "does not show" in rows[2]
        tab.page.keyboard.press("Escape")
        tab.page.wait_for_selector("#surprise", state="hidden")


def test_notices_of_earlier_turns_stay_and_mistakes_are_reported(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab, "/arena/en/?models=echo,echo")
        tab.write("Write to zoe.quinn@zq.example, please.")
        finished(tab)
        tab.page.wait_for_selector("#foot-0 .notice-redacted")
        assert "the same model" in tab.page.inner_text(".no-votes")
        assert tab.page.locator(".vote").count() == 0
        tab.write("Thank you.")
        tab.page.wait_for_function("document.querySelectorAll('#chat-1 .bot-row').length === 2")
        finished(tab)
        tab.page.wait_for_selector("#chat-0 .bot-row .notice-redacted")
        assert tab.page.locator("#foot-0 .notice").count() == 0
        tab.page.click("#chat-0 .bot-row .notice-redacted button:has-text('mistake')")
        tab.page.wait_for_selector("#chat-0 .bot-row .notice-redacted button[disabled]")
        assert tab.page.locator("#chat-1 .bot-row .notice-redacted button[disabled]").count() == 0
        tab.page.click("#foot-1 [aria-label^='Report: this should']")
        tab.page.wait_for_selector("#foot-1 .flagged")
        tab.page.reload(wait_until="domcontentloaded")
        tab.page.wait_for_selector("#foot-1 .flagged")
        tab.page.wait_for_selector("#chat-0 .bot-row .notice-redacted button[disabled]")


def test_a_blocked_question_is_given_back(browser: Browser, app: Served) -> None:
    with browser.tab(app) as tab:
        enter(tab)
        tab.write("kill yourself you worthless piece of shit")
        tab.page.wait_for_selector("#notice .notice-blocked")
        assert "kill yourself" in tab.page.input_value("#composer-text")
        assert tab.page.locator(".side-chat .bot-row").count() == 0


def test_a_dark_phone_in_vietnamese(browser: Browser, app: Served) -> None:
    with browser.tab(app, PHONE, color_scheme="dark", locale="vi") as tab:
        enter(tab, "/arena/?models=pip,pip-fp32,echo,unhurried")
        assert tab.page.locator("html").get_attribute("lang") == "vi"
        assert tab.overflow() == 0
        tab.write("Thủ đô của Pháp là gì?")
        finished(tab, 4)
        assert tab.overflow() == 0
        tab.page.click(".segment >> nth=1")
        tab.page.wait_for_selector(".segment:nth-child(2)[aria-pressed=true]")
        box = tab.page.locator("#column-1").bounding_box()
        assert box is not None
        assert 0 <= box["x"] < 60
        tab.page.click("#tab-board")
        tab.page.wait_for_selector(".island-board h2")
        assert tab.overflow() == 0
        assert not tab.page.evaluate(TOO_SMALL)
