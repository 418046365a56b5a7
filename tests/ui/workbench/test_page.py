"""The wiring of the workbench: handlers get what they ask for, nothing is public, a round trip works."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, get_type_hints

import gradio as gr
import pytest
from fastapi.testclient import TestClient

from playground.domain import Blocked, ChatRequest
from playground.services import Services
from playground.ui.app import create_app
from playground.ui.workbench.page import build_workbench

ABUSE = "Hello, kill yourself you worthless thing"


@pytest.fixture
def demo(services: Services) -> gr.Blocks:
    async def build() -> gr.Blocks:
        return build_workbench(services.workbench, "en", signed_in=False)

    return asyncio.run(build())


def test_every_handler_takes_exactly_its_inputs_and_is_private(demo: gr.Blocks) -> None:
    handlers = [function for function in demo.fns.values() if function.fn is not None]
    assert len(handlers) >= 12
    for function in handlers:
        hints = get_type_hints(function.fn)
        taken = [
            name
            for name in inspect.signature(function.fn).parameters
            if not (isinstance(hints.get(name), type) and issubclass(hints[name], gr.EventData))
        ]
        assert len(taken) == len(function.inputs), function.fn
    assert {function.api_visibility for function in demo.fns.values()} == {"private"}
    assert demo.get_api_info()["named_endpoints"] == {}
    assert not any(function.queue for function in demo.fns.values())


def test_templates_never_contain_data(demo: gr.Blocks) -> None:
    islands = [block for block in demo.blocks.values() if isinstance(block, gr.HTML)]
    assert {island.elem_id for island in islands} == {"masthead", "policy", "counts", "queue", "replayed", "examined"}
    for island in islands:
        assert island.html_template == f'<div class="island-{island.elem_id}"></div>'


class Bench:
    """The workbench, as far as the server can tell."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.config = client.get("/workbench/en/config").json()
        self.ids = {part["props"].get("elem_id"): part["id"] for part in self.config["components"]}
        self.defaults = {part["id"]: part["props"].get("value") for part in self.config["components"]}

    def fire(self, element: str, event: str, output: str, data: object = None) -> Any:
        """What a component shows after an event (of an element, or the "load" of the page)."""
        for function in self.config["dependencies"]:
            hits = any(on[1] == event and (not element or on[0] == self.ids[element]) for on in function["targets"])
            if hits and self.ids[output] in function["outputs"]:
                body = {
                    "data": [self.defaults[part] for part in function["inputs"]],
                    "event_data": data,
                    "fn_index": function["id"],
                    "session_hash": "bench",
                    "trigger_id": None,
                }
                answer = self.client.post("/workbench/en/gradio_api/run/predict", json=body)
                assert answer.status_code == 200, answer.text
                return answer.json()["data"][function["outputs"].index(self.ids[output])]
        raise AssertionError(f"nothing listens to {event} of {element}")


def test_a_report_is_seen_labelled_and_exported(services: Services) -> None:
    run = services.chat.start(ChatRequest("anna", "echo", ABUSE))
    end = run.snapshot().end
    assert isinstance(end, Blocked)
    report = services.reports.report_decision("anna", end.verdict.id)
    with TestClient(create_app(services), base_url="http://localhost:7860", client=("127.0.0.1", 1)) as client:
        bench = Bench(client)
        assert bench.fire("", "load", "policy")["name"] == "standard"
        assert "1 decisions" in bench.fire("", "load", "counts")["summary"]
        queue = bench.fire("", "load", "queue")
        assert [card["id"] for card in queue["cards"]] == [report.id]
        queue = bench.fire("queue", "mark", "queue", {"id": report.id, "label": "wrong"})
        assert (queue["cards"], queue["waiting"]) == ([], 0)
        lines = client.get("/workbench/cases.jsonl").text.splitlines()
        assert len(lines) == 1
        assert '"label": 0' in lines[0]
        assert "worthless" not in lines[0]
        assert bench.fire("", "load", "replayed")["rule"].startswith("[output]\nprofanity = ")
        assert bench.fire("testbox-run", "click", "examined") == {"error": "Paste a text first."}
