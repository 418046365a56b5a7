"""Settings of the server, read once at start: option over environment over TOML file over default.

Every field of `Settings` is an option of `python app.py` (`--data-dir`), an environment variable
(`PLAYGROUND_DATA_DIR`) and a key of a TOML file (`data_dir`); secrets are environment variables only. This module is
the only reader of the environment.
"""

from __future__ import annotations

import argparse
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from playground.errors import ConfigError

PREFIX = "PLAYGROUND_"
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*@")
OnAsk = Literal["auto", "always", "never"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
Device = Literal["auto", "cpu", "cuda"]
ApiKeys = Literal["auto", "required", "off"]


def _setting(default: Any, help: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high})


def _address(default: str, help: str) -> Any:
    """A setting that may have a password in it: shown without, and with one read from the environment only."""
    return field(default=default, repr=False, metadata={"help": help, "low": None, "high": None, "address": True})


def _secret(help: str) -> Any:
    """A setting read from the environment only and shown nowhere: files and command lines are seen by others."""
    return field(default="", repr=False, metadata={"help": help, "secret": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator can set. Request parameters and model specs are other types, never mixed with this."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(7860, "port to listen on (0: any free one)", 0, 65535)
    allowed_hosts: str = _setting(
        "", "names that it answers under, by commas, *.site.example too (empty: any; on loopback, this machine's)"
    )
    allowed_origins: str = _setting(
        "", "other sites whose pages may call it, by commas, as https://site.example (empty: none)"
    )
    trusted_proxies: str = _setting(
        "127.0.0.1,::1", "addresses and networks whose X-Forwarded-* headers are believed, by commas (empty: none)"
    )
    max_body_kb: int = _setting(2048, "largest request, in KiB", 1, 1_000_000)
    data_dir: Path = _setting(Path("data"), "folder for the database")
    database_url: str = _address(
        "", "address of the database, as postgresql://name@server/database (empty: SQLite in the data folder)"
    )
    process_lease_seconds: int = _setting(
        10, "how long an app process may be silent before others on its database end its answers", 1, 3600
    )
    fingerprint_key: str = _secret("secret that stored hashes are keyed with (empty: a file in the data folder)")
    models_file: Path | None = _setting(None, "TOML file with further models for the catalogue")
    hub_endpoint: str = _setting("https://huggingface.co", "address of the hub that models are fetched from")
    offline: bool = _setting(False, "ask no hub; use the models that are here (true or false)")
    fetch_on_ask: OnAsk = _setting(
        "auto", "download a model when somebody asks it something: always, never, or auto (only on loopback)"
    )
    fetch_at_start: str = _setting("", "models to download when the server starts, by id, with commas between")
    snapshot_dir: Path | None = _setting(None, "folder for copies of the SQLite database (empty: none)")
    snapshot_seconds: int = _setting(60, "seconds between two copies of the database", 1, 86_400)
    default_model: str = _setting("pip", "model of a new conversation")
    policy: str = _setting("standard", "moderation policy: the name of a shipped one, or a TOML file")
    moderation_url: str = _setting("", "address of a /v1/moderations endpoint that every text is sent to (empty: none)")
    moderation_model: str = _setting("", "model that the moderation endpoint is asked for (empty: its own choice)")
    moderation_key: str = _secret("key for the moderation endpoint")
    keep_flagged_text: bool = _setting(False, "keep people's words with their reports of mistakes (true or false)")
    operator_token: str = _secret("token that opens the workbench (empty: the person at this machine only)")
    api_keys: ApiKeys = _setting(
        "auto", "who needs a key for /v1: auto (all but this machine), required (all), off (none)"
    )
    api_requests_per_minute: int = _setting(120, "requests to /v1 per key or visitor and minute (0: any)", 0, 1_000_000)
    api_tokens_per_day: int = _setting(0, "tokens per key or visitor and day, read and written (0: any)", 0, 10**12)
    api_concurrent: int = _setting(16, "requests to /v1 at the same time per key or visitor (0: any)", 0, 10_000)
    max_message_chars: int = _setting(32_000, "longest message accepted, in characters", 1, 10_000_000)
    max_runs: int = _setting(64, "answers written at the same time; further ones wait", 1, 10_000)
    max_models: int = _setting(2, "models kept loaded at the same time", 1, 64)
    model_idle_seconds: int = _setting(900, "unload a model after this many seconds without use (0: never)", 0, 604_800)
    model_start_seconds: int = _setting(120, "give up loading a model after this many seconds", 1, 86_400)
    model_stall_seconds: int = _setting(
        60, "give up on an answer after this many seconds without a sign of life", 1, 86_400
    )
    device: Device = _setting("auto", "where models compute: auto (on the graphics card where possible), cpu, cuda")
    engine_threads: int = _setting(0, "threads a model computes with (0: chosen for this machine)", 0, 1024)
    max_batch: int = _setting(8, "answers one model writes at the same time", 1, 256)
    kv_cache_mb: int = _setting(1024, "memory for keys and values per model, in MiB", 16, 1_000_000)
    log_level: LogLevel = _setting("info", "how much is logged")
    log_format: LogFormat = _setting("text", "how it is logged: lines of text, or one JSON object a line (json)")
    metrics_token: str = _secret("token that lets others than this machine read /metrics (empty: the operator's only)")
    shutdown_seconds: int = _setting(
        8, "how long running answers may go on after the signal to end, before they are interrupted", 0, 3600
    )

    @property
    def resolved_database_url(self) -> str:
        """`database_url`, or the SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'playground.db').absolute()}"


def load_settings(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from command line, environment and TOML file.

    The file is the one named by `--config` or PLAYGROUND_CONFIG, else `playground.toml` in the working directory if
    there is one. `arguments` and `environment` default to those of this process.

    Raises ConfigError for an unknown key or a bad value, naming it and its source. `--help` exits.
    """
    env = os.environ if environment is None else environment
    options = vars(_parser().parse_args(arguments))
    path = options.pop("config") or env.get(f"{PREFIX}CONFIG")
    values = _from_file(Path(path)) if path else _from_file(Path("playground.toml"), optional=True)
    values |= _from_environment(env)
    values |= {
        name: _public(name, _convert(name, value, f"--{name.replace('_', '-')}"), f"--{name.replace('_', '-')}")
        for name, value in options.items()
        if value is not None
    }
    return Settings(**values)


@dataclass(frozen=True, slots=True)
class Space:
    """The Hugging Face Space that this process runs in: `owner/name`, and the host that its page is served at."""

    id: str
    host: str


def read_space(environment: Mapping[str, str] | None = None) -> Space | None:
    """The Space that this process runs in, None elsewhere."""
    env = os.environ if environment is None else environment
    return Space(env["SPACE_ID"], env.get("SPACE_HOST", "")) if env.get("SPACE_ID") else None


def read_key(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The key in the environment variable that a catalogue row names, without white space around it.

    Raises ConfigError when there is none, naming the variable.
    """
    key = (os.environ if environment is None else environment).get(name, "").strip()
    if not key:
        raise ConfigError(f"The environment variable {name} is empty. Put the key into it, then start again.")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"The environment variable {name} holds characters that no key has. Set it again.")
    return key


def _parser() -> argparse.ArgumentParser:
    secrets = (f"{PREFIX}{name.upper()}: {text}" for name, text in _secrets().items())
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Serve the playground.",
        epilog=f"In the environment only: {'; '.join(secrets)}.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help=f"TOML file with settings ({PREFIX}CONFIG)")
    for item in fields(Settings):
        if item.metadata.get("secret"):
            continue
        option = "--" + item.name.replace("_", "-")
        text = f"{item.metadata['help']} [{_shown(item.default)}] ({PREFIX}{item.name.upper()})"
        parser.add_argument(option, metavar="VALUE", help=text.replace("%", "%%"))
    return parser


def _secrets() -> dict[str, str]:
    return {item.name: item.metadata["help"] for item in fields(Settings) if item.metadata.get("secret")}


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "none" if default is None or default == "" else str(default)


def _from_file(path: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"The settings file {path} cannot be read: {error}") from error
    for name in set(table) & set(_secrets()):
        raise ConfigError(f"{path}: {name} is a secret; it is read from the environment only, {PREFIX}{name.upper()}.")
    return {
        _known(name, str(path)): _public(name, _convert(name, value, str(path)), str(path))
        for name, value in table.items()
    }


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    found = {key[len(PREFIX) :].lower(): value for key, value in env.items() if key.startswith(PREFIX)}
    found.pop("config", None)
    return {
        _known(name, f"the environment ({PREFIX}{name.upper()})"): _convert(name, value, f"{PREFIX}{name.upper()}")
        for name, value in found.items()
    }


def _public(name: str, value: Any, source: str) -> Any:
    """The value, if others may see it, as they see command lines and files. Raises ConfigError for a password."""
    item = next(item for item in fields(Settings) if item.name == name)
    if item.metadata.get("address") and without_password(value) != value:
        raise ConfigError(
            f"{source}: {name} has a password in it. Put the address into {PREFIX}{name.upper()}, or the "
            "password alone into PGPASSWORD."
        )
    return value


def without_password(address: str) -> str:
    """An address as it may be shown."""
    return _PASSWORD.sub(r"\1:***@", address)


def _known(name: str, source: str) -> str:
    names = [item.name for item in fields(Settings)]
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(names)}."
        raise ConfigError(f"Unknown setting {name} in {source}.{hint}")
    return name


def _convert(name: str, value: object, source: str) -> Any:
    item = next(item for item in fields(Settings) if item.name == name)
    kind = get_type_hints(Settings)[name]
    if isinstance(kind, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
        if value == "":
            return None
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{source}: {name} is {value!r}; it must be one of {', '.join(get_args(kind))}.")
        return value
    if kind is bool:
        return _flag(name, value, source)
    if kind is int:
        return _integer(name, value, source, item.metadata["low"], item.metadata["high"])
    if not isinstance(value, str):
        raise ConfigError(f"{source}: {name} is {value!r}; it must be text.")
    return _path(name, value, source) if kind is Path else value


def _path(name: str, value: str, source: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{source}: {name} is {value!r}; there is no such home. Write the whole path.") from error


def _flag(name: str, value: object, source: str) -> bool:
    known: dict[object, bool] = {"true": True, "false": False, True: True, False: False}
    word = value.lower() if isinstance(value, str) else value
    if not isinstance(word, str | bool) or word not in known:
        raise ConfigError(f"{source}: {name} is {value!r}; it must be true or false.")
    return known[word]


def _integer(name: str, value: object, source: str, low: float, high: float) -> int:
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise ConfigError(f"{source}: {name} is {value!r}; it must be a whole number from {low:g} to {high:g}.")
    return number
