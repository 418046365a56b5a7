"""Thinking tags, told by the chat templates that models come with."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from playground.catalog.templates import thinking_tags

THINK = ("<think>", "</think>")
# How the templates of these families treat a thought, shortened.
R1 = "{% set content = message['content'].split('</think>')[-1] %}{{ '<｜Assistant｜><think>\\n' }}"
QWEN3 = "{%- if '</think>' in content %}…{%- endif %}{{- '<think>\\n\\n</think>\\n\\n' }}"
MAGISTRAL = "{{- '[THINK]' + block['thinking'] + '[/THINK]' }}"
PLAIN = "{% for message in messages %}{{ '<|im_start|>' + message['role'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "tags"), [(R1, THINK), (QWEN3, THINK), (MAGISTRAL, ("[THINK]", "[/THINK]")), (PLAIN, None), ("", None)]
)
@pytest.mark.parametrize("form", ["file", "configured", "named"])
def test_a_template_tells(template: str, tags: tuple[str, str] | None, form: str) -> None:
    files = {
        "file": {"chat_template.jinja": template.encode()},
        "configured": {"tokenizer_config.json": json.dumps({"chat_template": template}).encode()},
        "named": {
            "tokenizer_config.json": json.dumps({"chat_template": [{"name": "default", "template": template}]}).encode()
        },
    }[form]
    assert thinking_tags(files.get) == tags


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"tokenizer_config.json": b"{"},
        {"tokenizer_config.json": b"\xff\xfe"},
        {"tokenizer_config.json": b'{"chat_template": 7}'},
        {"tokenizer_config.json": b'{"chat_template": [7, {"template": null}]}'},
        {"tokenizer_config.json": b"{}"},
    ],
)
def test_what_is_damaged_or_missing_tells_nothing(files: Mapping[str, bytes]) -> None:
    assert thinking_tags(files.get) is None


def test_a_file_of_its_own_comes_first() -> None:
    configured = json.dumps({"chat_template": R1}).encode()
    files = {"chat_template.jinja": PLAIN.encode(), "tokenizer_config.json": configured}
    assert thinking_tags(files.get) is None
