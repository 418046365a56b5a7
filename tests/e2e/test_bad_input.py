"""Bad input over the real wire: each kind gets one clear sentence, and the server goes on answering."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor

WORDS = "zebrafish"
"""In everything that is sent here; never in the log."""
MISSING = "a" * 32


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with an echo, and with models that cannot be loaded; its log is looked through at the end."""
    folder = tmp_path_factory.mktemp("bad")
    damaged = folder / "damaged"
    damaged.mkdir()
    for name in ("genai_config.json", "tokenizer.json", "tokenizer_config.json", "model.onnx"):
        (damaged / name).write_bytes(b"\x00not what it says")
    rows = {
        "gone": {"engine": "onnx", "path": str(folder / "nowhere")},
        "damaged": {"engine": "onnx", "path": str(damaged)},
        "homeless": {"engine": "onnx"},
        "impossible": {"engine_options": {"piece_chars": 0}},
    }
    models = write_models(folder / "models.toml", rows)
    with serve("--default-model", "echo", "--models-file", str(models), "--log-level", "debug") as served:
        yield served
        assert WORDS not in served.log.read_text(encoding="utf-8", errors="replace").casefold()


@pytest.fixture
def visitor(app: Served) -> Iterator[Visitor]:
    """A visitor, who at the end of each test is still answered."""
    before = app.log.stat().st_size
    with Visitor(app.address) as visitor:
        yield visitor
        assert b"Traceback" not in app.log.read_bytes()[before:]
        visitor.start_anew()
        assert visitor.talk("Are you there?")[-1] == "Are you there?"
        assert visitor.notice == ""


REFUSED = {
    "empty": ("", "Write a message first."),
    "blank": (" \n\t\u00a0", "Write a message first."),
    "invisible": ("\u200b\ufeff\u2060", "The message is empty. Write something first."),
    "10,000 newlines": ("\n" * 10_000, "Write a message first."),
    "1 MB": (
        WORDS * 111_112,
        "The message has 1,000,008 characters; at most 32,000 can be sent. Shorten it, or send it",
    ),
    "an image": ("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01" + WORDS, "looks like binary data, not text."),
    "zeros": ("\x00" * 100, "The message looks like binary data, not text. Paste it as plain text."),
    "halves of pairs": ("\ud800" * 200 + WORDS, "looks like binary data, not text. Paste it as plain text."),
}
MENDED = {
    "half a pair": (f"half a pair \ud83d {WORDS}", f"half a pair \ufffd {WORDS}"),
    "control characters": (f"bell\x07 zero\x00 escape\x1b[31m {WORDS}", f"bell zero escape[31m {WORDS}"),
    "right to left": (f"invoice\u202egpj.exe {WORDS}", f"invoicegpj.exe {WORDS}"),
    "newlines within": (f"{WORDS}{chr(10) * 10_000}{WORDS}",) * 2,
    "a script": (f"<img src=x onerror=alert(1)> {WORDS}", f"&lt;img src=x onerror=alert(1)> {WORDS}"),
    "other alphabets": (f"مرحبا 🇻🇳 e\u0301 {WORDS}",) * 2,
}


@pytest.mark.parametrize(("message", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_message_that_cannot_be_sent_comes_back(visitor: Visitor, message: str, sentence: str) -> None:
    visitor.ask(message)
    assert sentence in visitor.notice
    assert visitor.value("composer")["outcome"] == "refused"
    assert visitor.conversation is None
    assert visitor.titles == []


@pytest.mark.parametrize(("message", "answer"), MENDED.values(), ids=MENDED)
def test_what_can_be_mended_is_answered(visitor: Visitor, message: str, answer: str) -> None:
    visitor.fire("settings", "save", data={"system_prompt": "", "params": {"max_tokens": 8192}})
    assert visitor.talk(message) == [answer, answer]
    assert visitor.notice == ""


MISSENT: list[tuple[str, str, Any, str]] = [
    ("composer", "send", {"text": 3, "ticket": "t", "edit": ""}, "text must be text of at most"),
    ("composer", "send", {"text": [WORDS], "ticket": "t", "edit": ""}, "text must be text of at most"),
    ("composer", "send", {"text": WORDS, "ticket": "t"}, "edit must be text of at most 64"),
    ("composer", "send", {"text": WORDS, "ticket": "t" * 100, "edit": ""}, "ticket must be text of at most 64"),
    ("composer", "send", {"text": WORDS, "ticket": "t", "edit": MISSING}, "not on display any more. Reload"),
    ("composer", "send", {"text": WORDS, "ticket": "t", "edit": "' OR 1=1"}, "not on display any more. Reload"),
    ("composer", "send", WORDS, "ticket must be text"),
    ("composer", "send", None, "ticket must be text"),
    ("composer", "send", [WORDS] * 3, "ticket must be text"),
    ("thread", "retry", {"id": MISSING}, "not on display any more. Reload"),
    ("thread", "retry", {"id": {"$ne": WORDS}}, "id must be text"),
    ("thread", "version", {"id": MISSING}, "There is no conversation yet. Write a message first."),
    ("conversations", "choose", {"id": MISSING}, "This conversation does not exist"),
    ("conversations", "choose", {"id": f"../{WORDS}"}, "This conversation does not exist"),
    ("conversations", "choose", {"id": "\ud800"}, "This conversation does not exist"),
    ("conversations", "rename", {"id": MISSING, "title": WORDS}, "This conversation does not exist"),
    ("conversations", "rename", {"id": MISSING, "title": ""}, "The title is empty. Write a few words."),
    ("conversations", "remove", {"id": MISSING}, "This conversation does not exist"),
    ("conversations", "restore", {"id": MISSING}, "This conversation does not exist"),
    ("conversations", "restore", {}, "id must be text"),
    ("picker", "choose", {"id": "ekho"}, "There is no model 'ekho'. Did you mean echo?"),
    ("picker", "choose", {"id": ""}, "There is no model ''. There are: pip, "),
    ("picker", "choose", {"id": 7}, "id must be text"),
    ("settings", "save", {"system_prompt": WORDS}, "params must be a table of values"),
    ("settings", "save", {"system_prompt": None, "params": {}}, "system_prompt must be text"),
    ("settings", "save", {"system_prompt": "", "params": {"temprature": 1}}, "temprature is not a setting. There are"),
    ("settings", "save", {"system_prompt": "", "params": {"temperature": "hot"}}, "'hot'; it must be a number"),
    ("settings", "save", {"system_prompt": "", "params": {"temperature": 99}}, "99.0; it must be a number from 0 to"),
    ("settings", "save", {"system_prompt": "", "params": {"top_k": 1.5}}, "1.5; it must be a whole number"),
    ("settings", "save", {"system_prompt": "", "params": {"seed": -1}}, "seed is -1; it must be a number from 0"),
]


def test_what_no_page_of_ours_would_send(visitor: Visitor) -> None:
    for component, event, data, sentence in MISSENT:
        visitor.fire(component, event, data=data)
        assert sentence in visitor.notice, (component, event, data)
        assert WORDS not in visitor.notice


def test_half_a_character_in_what_the_page_sends_back(visitor: Visitor) -> None:
    assert visitor.search("\ud83d") == []
    visitor.ask(WORDS)
    visitor.fire("composer", "send", data={"text": WORDS, "ticket": "\ud83d", "edit": ""})


NO_EVENTS = (
    b"",
    b"not JSON",
    b"[]",
    b'{"data": 3, "fn_index": 0, "session_hash": "x"}',
    b'{"data": [], "fn_index": 99999, "session_hash": "x"}',
    b'{"data": [], "fn_index": -1, "session_hash": "x"}',
    b'{"data": ["zebrafish"], "fn_index": "1; DROP TABLE messages", "session_hash": "x"}',
    b'{"data": [[[[[]]]]], "fn_index": 2, "session_hash": {"a": 1}}',
    b"[" * 100_000,
    json.dumps({"data": [WORDS] * 100, "fn_index": 2, "session_hash": "x", "event_data": WORDS}).encode(),
)


@pytest.mark.parametrize("path", ["run/predict", "queue/join"])
def test_requests_that_are_no_event(app: Served, path: str) -> None:
    """Gradio answers these by itself; they reach nothing of ours, and tell nothing."""
    for body in NO_EVENTS:
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(f"{app.address}/en/gradio_api/{path}", content=body, headers=headers, timeout=20)
        for secret in ("Traceback", "/playground/", WORDS):
            assert secret not in answer.text, body[:100]
    with Visitor(app.address) as visitor:
        assert visitor.talk("Are you there?")[-1] == "Are you there?"


def test_nobody_reaches_a_conversation_of_somebody_else(app: Served, visitor: Visitor) -> None:
    visitor.talk(f"A secret: {WORDS}")
    theirs = visitor.conversation
    with Visitor(app.address, query=f"c={theirs}") as stranger:
        assert "This conversation does not exist" in stranger.notice
        assert stranger.conversation is None
        for event in ("choose", "rename", "remove", "restore"):
            stranger.fire("conversations", event, data={"id": theirs, "title": "mine"})
            assert "This conversation does not exist" in stranger.notice
        for message in [row["id"] for row in visitor.rows]:
            stranger.fire("thread", "retry", data={"id": message})
            assert "not on display" in stranger.notice
        assert stranger.titles == []
        assert WORDS.encode() not in stranger.received
    visitor.fire("conversations", "choose", data={"id": theirs})
    assert visitor.titles == [f"A secret: {WORDS}"]
    assert len(visitor.shown) == 2


@pytest.mark.parametrize("model", ["gone", "damaged", "homeless", "impossible"])
def test_a_model_that_cannot_be_loaded(visitor: Visitor, model: str) -> None:
    visitor.use(model)
    assert visitor.talk(f"Hello, {WORDS}")[-1] == ""
    (notice,) = visitor.rows[-1]["notices"]
    assert notice["title"] == "No answer came."
    assert notice["text"] == "The model cannot be loaded. Pick another one."
    assert notice["next"] == "Your message is kept. Try again, or pick another model."
    visitor.use("echo")
    assert visitor.retry()[-1] == f"Hello, {WORDS}"
