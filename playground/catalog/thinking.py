"""Which tags part a model's thoughts from its answer, as its chat template tells."""

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


def _template(name: str, raw: bytes) -> str:
    if not name.endswith(".json"):
        return raw.decode("utf-8", errors="replace")
    try:
        found = parse_object(raw).get("chat_template")
    except ValueError:
        return ""
    named = found if isinstance(found, list) else [{"template": found}]
    return "\n".join(str(item["template"]) for item in named if isinstance(item, dict) and item.get("template"))
