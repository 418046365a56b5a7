"""Where a model has its chat template, and what it tells: which tags part thoughts from an answer."""

from __future__ import annotations

from collections.abc import Callable

from playground.catalog.strict_json import parse_object

TEMPLATE_FILES = ("chat_template.jinja", "tokenizer_config.json")
"""Where a folder has its chat template: the first that is there counts, as in `transformers`."""
_TAGS = (
    ("<think>", "</think>"),  # DeepSeek R1, Qwen 3, SmolLM 3 and most others
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
)


def thinking_tags(read: Callable[[str], bytes | None]) -> tuple[str, str] | None:
    """The opening and the closing tag; None for a model whose template knows of no thoughts.

    `read` gives one of `TEMPLATE_FILES`, or None where it is not there or too large. Templates take the thoughts of
    earlier turns out by the closing tag, so all that think have it. What is damaged tells nothing here: whoever loads
    the model says so.
    """
    for name in TEMPLATE_FILES:
        raw = read(name)
        if raw is not None:
            template = _template(name, raw)
            if template:
                return next((tags for tags in _TAGS if tags[1] in template), None)
    return None


def configured_template(value: object) -> str | None:
    """The template in a tokenizer's configuration: a text, or the one named "default" of several; None if neither."""
    if isinstance(value, list):
        named = {str(item.get("name")): item.get("template") for item in value if isinstance(item, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def _template(name: str, raw: bytes) -> str | None:
    if not name.endswith(".json"):
        return raw.decode("utf-8", errors="replace")
    try:
        return configured_template(parse_object(raw).get("chat_template"))
    except ValueError:
        return None
