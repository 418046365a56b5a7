"""The settings as they may be printed: whatever opens something is hidden."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from playground.config import Settings

HIDDEN = "***"
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")
_USER = re.compile(r"(?<=://)(?:[^/?#@]*@)+")
_QUERY = re.compile(r"(?<=[?&;])([^=&;#]+)=[^&;#]*")


def shown_settings(settings: Settings) -> dict[str, str]:
    """Every setting by name. Of secrets only whether they are set; of addresses no passwords, nor values behind `?`."""
    return {
        item.name: _secret(getattr(settings, item.name))
        if item.metadata.get("secret")
        else _shown(getattr(settings, item.name))
        for item in fields(Settings)
    }


def changed_settings(settings: Settings) -> dict[str, str]:
    """Those of `shown_settings` that are not as they are by default."""
    plain = shown_settings(Settings())
    return {name: text for name, text in shown_settings(settings).items() if text != plain[name]}


def without_secrets(address: str) -> str:
    """A URL without the password in it, and without the values of its query; other texts as they are."""
    if not _ADDRESS.match(address):
        return address
    return _QUERY.sub(rf"\1={HIDDEN}", _USER.sub(_user, address))


def _user(found: re.Match[str]) -> str:
    name, colon, _ = found[0].partition(":")
    return f"{name}:{HIDDEN}@" if colon else f"{HIDDEN}@"


def _secret(value: str) -> str:
    return HIDDEN if value else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else without_secrets(str(value)) if isinstance(value, str | Path) else str(value)
