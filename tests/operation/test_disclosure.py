"""Settings that may be printed."""

from __future__ import annotations

from dataclasses import fields

import pytest

from playground.config import Settings
from playground.operation.disclosure import changed_settings, shown_settings, without_secrets

SECRETS = {item.name: "quite-secret" for item in fields(Settings) if item.metadata.get("secret")}


def test_secrets_are_hidden_wherever_they_stand() -> None:
    settings = Settings(
        database_url="postgresql+psycopg://me:quite-secret@db:5432/play?sslpassword=quite-secret&options=x",
        moderation_url="https://user:quite-secret@guard.example/v1?key=quite-secret",
        hub_endpoint="https://quite-secret@hub.example",
        **SECRETS,  # type: ignore[arg-type]
    )
    for shown in (shown_settings(settings), changed_settings(settings)):
        assert "quite-secret" not in repr(shown)
        assert shown["database_url"] == "postgresql+psycopg://me:***@db:5432/play?sslpassword=***&options=***"
        assert shown["moderation_url"] == "https://user:***@guard.example/v1?key=***"
        assert {shown[name] for name in SECRETS} == {"***"}


def test_only_what_was_changed_is_told_at_the_start() -> None:
    assert changed_settings(Settings()) == {}
    assert changed_settings(Settings(port=8000, offline=True)) == {"port": "8000", "offline": "true"}


def test_everything_is_there() -> None:
    assert set(shown_settings(Settings())) == {item.name for item in fields(Settings)}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/path", "https://host/path"),
        ("https://a:b@c@host/x", "https://a:***@host/x"),
        ("sqlite:////data/play.db?mode=ro", "sqlite:////data/play.db?mode=***"),
        ("standard", "standard"),
        ("some text? with=marks", "some text? with=marks"),
        ("http://host/?a=1;b=2#c=3", "http://host/?a=***;b=***#c=3"),
    ],
)
def test_addresses(address: str, shown: str) -> None:
    assert without_secrets(address) == shown
