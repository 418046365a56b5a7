"""The words of the interface, from `locales/*.toml`: English and Vietnamese, key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playground.domain import Language

LOCALES = Path(__file__).with_name("locales")
LANGUAGES: Mapping[Language, str] = {"en": "English", "vi": "Tiếng Việt"}
_GRADIO = "gradio"


@dataclass(frozen=True, slots=True)
class Words:
    """All words in one language. `gradio` replaces words that Gradio's own components show."""

    language: Language
    table: Mapping[str, str]
    gradio: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The words for a key such as `composer.send`, with `{name}` replaced by `values["name"]`.

        Raises KeyError naming the key and the language when there are none.
        """
        if key not in self.table:
            raise KeyError(f"no words for {key!r} in {self.language}.toml")
        return self.table[key].format_map(values) if values else self.table[key]

    def find(self, key: str) -> str | None:
        """The words for a key that may be unknown (a category or an error code from another room)."""
        return self.table.get(key)

    def number(self, value: float, digits: int = 0) -> str:
        """A number as people write it in this language: 1,234.5 or 1.234,5."""
        text = f"{value:,.{digits}f}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))


@cache
def load_words(language: Language) -> Words:
    """Read a locale file; sections and keys are joined by a dot."""
    sections = tomllib.loads((LOCALES / f"{language}.toml").read_text(encoding="utf-8"))
    gradio = sections.pop(_GRADIO)
    table = {f"{section}.{key}": text for section, words in sections.items() for key, text in words.items()}
    return Words(language, table, gradio)
