"""Twenty JSON schemas, of every kind that clients send, and what they are of."""

from __future__ import annotations

from typing import Any

WORD: dict[str, Any] = {"type": "string"}


def record(optional: dict[str, Any] | None = None, **required: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    properties = {**required, **(optional or {})}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    "text": WORD,
    "short text": {"type": "string", "minLength": 3, "maxLength": 12},
    "integer": {"type": "integer", "minimum": -5, "maximum": 120},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "nothing": {"type": "null"},
    "choice": {"enum": ["red", "green", 3, None, {"blue": [1]}]},
    "constant": {"const": {"đúng": True}},
    "list": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 5},
    "free list": {"type": "array"},
    "pair": {"type": "array", "prefixItems": [WORD, {"type": "boolean"}], "items": False, "minItems": 2},
    "record": record(name=WORD, age={"type": "integer"}, tags={"type": "array", "items": WORD}),
    "optional": record({"note": WORD}, title=WORD),
    "nested": record(person=record(name=WORD, home=record(city=WORD, zip={"type": "string", "pattern": "^[0-9]{5}$"}))),
    "either": {
        "anyOf": [record(kind={"const": "a"}, left=WORD), record(kind={"const": "b"}, right={"type": "number"})]
    },
    "nullable": record(maybe={"type": ["string", "null"]}),
    "recursive": {
        "$defs": {"node": record({"next": {"$ref": "#/$defs/node"}}, value={"type": "integer"})},
        "$ref": "#/$defs/node",
    },
    "formats": record(day={"type": "string", "format": "date"}, at={"type": "string", "format": "ipv4"}),
    "any object": {"type": "object"},
    "words by name": {"type": "object", "additionalProperties": {"type": "integer"}, "required": ["một", "two"]},
}
