"""Settings: every one of them from every source, in the order of strength, and refused by name when wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from playground.config import PREFIX, Settings, load_settings
from playground.errors import ConfigError

SAMPLES: dict[str, tuple[str, object]] = {
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("8001", 8001),
    "allowed_hosts": ("a.example", "a.example"),
    "allowed_origins": ("https://a.example", "https://a.example"),
    "trusted_proxies": ("10.0.0.0/8", "10.0.0.0/8"),
    "max_body_kb": ("16", 16),
    "data_dir": ("elsewhere", Path("elsewhere")),
    "database_url": ("sqlite:///x.db", "sqlite:///x.db"),
    "process_lease_seconds": ("3", 3),
    "fingerprint_key": ("k" * 16, "k" * 16),
    "models_file": ("more.toml", Path("more.toml")),
    "hub_endpoint": ("https://hub.example", "https://hub.example"),
    "offline": ("true", True),
    "fetch_on_ask": ("never", "never"),
    "fetch_at_start": ("a, b", "a, b"),
    "snapshot_dir": ("copies", Path("copies")),
    "snapshot_seconds": ("7", 7),
    "default_model": ("echo", "echo"),
    "policy": ("strict", "strict"),
    "moderation_url": ("http://h/v1/moderations", "http://h/v1/moderations"),
    "moderation_model": ("m", "m"),
    "moderation_key": ("k", "k"),
    "keep_flagged_text": ("true", True),
    "operator_token": ("t", "t"),
    "api_keys": ("required", "required"),
    "api_requests_per_minute": ("7", 7),
    "api_tokens_per_day": ("70", 70),
    "api_concurrent": ("4", 4),
    "max_message_chars": ("10", 10),
    "max_runs": ("3", 3),
    "max_models": ("5", 5),
    "model_idle_seconds": ("0", 0),
    "model_start_seconds": ("9", 9),
    "model_stall_seconds": ("8", 8),
    "device": ("cpu", "cpu"),
    "engine_threads": ("1", 1),
    "max_batch": ("2", 2),
    "kv_cache_mb": ("64", 64),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
    "metrics_token": ("m", "m"),
    "shutdown_seconds": ("5", 5),
}


SECRETS = {item.name for item in fields(Settings) if item.metadata.get("secret")}


def test_every_setting_has_a_sample() -> None:
    assert set(SAMPLES) == {item.name for item in fields(Settings)}


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - SECRETS))
def test_each_source_sets_it(name: str, isolated: Path) -> None:
    text, value = SAMPLES[name]
    option = "--" + name.replace("_", "-")
    assert getattr(load_settings([option, text], {}), name) == value
    assert getattr(load_settings([], {PREFIX + name.upper(): text}), name) == value
    shown = text if isinstance(value, int) else f'"{text}"'
    (isolated / "own.toml").write_text(f"{name} = {shown}\n", encoding="utf-8")
    assert getattr(load_settings(["--config", "own.toml"], {}), name) == value
    assert getattr(load_settings([], {PREFIX + "CONFIG": "own.toml"}), name) == value


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_comes_from_the_environment_only_and_is_not_shown(name: str, isolated: Path) -> None:
    settings = load_settings([], {PREFIX + name.upper(): "quite-secret"})
    assert getattr(settings, name) == "quite-secret"
    assert "quite-secret" not in repr(settings)
    with pytest.raises(SystemExit):
        load_settings(["--" + name.replace("_", "-"), "quite-secret"], {})
    (isolated / "own.toml").write_text(f'{name} = "quite-secret"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{name}.*environment only.*{PREFIX}{name.upper()}"):
        load_settings(["--config", "own.toml"], {})


def test_option_beats_environment_beats_file_beats_default(isolated: Path) -> None:
    (isolated / "playground.toml").write_text("port = 1001\nmax_runs = 11\nmax_batch = 12\n", encoding="utf-8")
    settings = load_settings(["--port", "1003"], {"PLAYGROUND_PORT": "1002", "PLAYGROUND_MAX_RUNS": "22"})
    assert (settings.port, settings.max_runs, settings.max_batch) == (1003, 22, 12)
    assert settings.max_models == Settings().max_models


@pytest.mark.parametrize(
    ("environment", "file", "words"),
    [
        ({"PLAYGROUND_PROT": "1"}, "", ["prot", "PLAYGROUND_PROT", "port"]),
        ({"PLAYGROUND_PORT": "many"}, "", ["PLAYGROUND_PORT", "'many'", "0 to 65535"]),
        ({"PLAYGROUND_PORT": "70000"}, "", ["PLAYGROUND_PORT", "70000"]),
        ({"PLAYGROUND_LOG_LEVEL": "loud"}, "", ["log_level", "debug, info"]),
        ({}, "prot = 1", ["prot", "playground.toml", "port"]),
        ({}, "port = true", ["port", "True", "playground.toml"]),
        ({}, "port = 1.5", ["port", "1.5"]),
        ({"PLAYGROUND_KEEP_FLAGGED_TEXT": "yes"}, "", ["keep_flagged_text", "'yes'", "true or false"]),
        ({}, "keep_flagged_text = 1", ["keep_flagged_text", "true or false"]),
        ({}, "host = 1", ["host", "text"]),
        ({}, "host = [broken", ["playground.toml", "cannot be read"]),
        ({}, "quite_unlike_anything = 1", ["quite_unlike_anything", "There are: host"]),
    ],
)
def test_bad_settings_are_refused_by_name(
    isolated: Path, environment: dict[str, str], file: str, words: list[str]
) -> None:
    (isolated / "playground.toml").write_text(file, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings([], environment)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_bad_option_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="--port"):
        load_settings(["--port", "x"], {})


def test_a_missing_or_binary_file_is_named(isolated: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_settings(["--config", "nowhere.toml"], {})
    (isolated / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml"):
        load_settings(["--config", "binary.toml"], {})


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_settings(["--help"], {})
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for item in fields(Settings):
        assert ("--" + item.name.replace("_", "-") in shown) is (item.name not in SECRETS)
        assert PREFIX + item.name.upper() in shown


def test_the_database_lies_in_the_data_folder_unless_said_otherwise(isolated: Path) -> None:
    assert Settings(data_dir=Path("d")).resolved_database_url == f"sqlite:///{isolated / 'd' / 'playground.db'}"
    assert Settings(database_url="sqlite://").resolved_database_url == "sqlite://"
