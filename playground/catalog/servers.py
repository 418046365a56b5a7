"""The servers of a remote model: `[[models.servers]]` tables, read so that only what was meant leaves this machine."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from typing import Any
from urllib.parse import SplitResult, urlsplit

from playground.catalog.addresses import is_address, is_loopback, is_private

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "PLAYGROUND_"  # those names are settings, and an unknown setting is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """One server that runs a model: a replica.

    `url` is the address up to and with `/v1`. `model` is what the model is called there (empty: the row's id).
    `key_env` names the environment variable that holds the server's key (empty: it wants none); the key itself is in no
    file. `plain_http` allows http to another machine of the own network.
    """

    url: str
    model: str = ""
    key_env: str = ""
    plain_http: bool = False

    @property
    def host(self) -> str:
        """The machine's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def label(self) -> str:
        """Host and port: how people tell servers apart."""
        return urlsplit(self.url).netloc

    @property
    def here(self) -> bool:
        """Whether what is sent there stays on this machine."""
        return is_loopback(self.host)


def parse_servers(value: object) -> tuple[ModelServer, ...]:
    """The `servers` of a row. Raises ValueError or TypeError with a sentence that follows the word `servers`."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise TypeError("must be tables [[models.servers]], one for each server.")
    servers = tuple(_server(item, number) for number, item in enumerate(value, 1))
    places = [(server.url, server.model) for server in servers]
    for number, place in enumerate(places, 1):
        if place in places[: number - 1]:
            raise ValueError(f"names {place[0]} twice (number {number}); one is enough.")
    return servers


def _server(table: dict[str, Any], number: int) -> ModelServer:
    kinds = {item.name: bool if item.type == "bool" else str for item in fields(ModelServer)}
    for key, value in table.items():
        if key not in kinds:
            raise ValueError(f"number {number} has an unknown key {key}. There are: {', '.join(kinds)}.")
        if type(value) is not kinds[key]:
            meant = "true or false" if kinds[key] is bool else "text"
            raise TypeError(f"number {number} has {value!r} for {key}; it must be {meant}.")
    required = [item.name for item in fields(ModelServer) if item.default is MISSING]
    for name in required:
        if name not in table:
            raise ValueError(f"number {number} has no {name}.")
    server = ModelServer(**table | {"url": table["url"].rstrip("/")})
    for problem in (_wrong_url(server), _wrong_key(server.key_env)):
        if problem:
            raise ValueError(f"number {number} {problem}")
    return server


def _wrong_url(server: ModelServer) -> str:
    try:
        parts = urlsplit(server.url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or server.url != server.url.strip():
        return f"has the url {server.url!r}; it must be a whole address, such as https://host/v1."
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return "has a url with a name, a password, ? or #; keys belong into the environment, see key_env."
    return _wrong_scheme(server, parts)


def _wrong_scheme(server: ModelServer, parts: SplitResult) -> str:
    if parts.scheme == "https" or server.here:
        return ""
    if not server.plain_http:
        return (
            f"sends over http to {server.host}, where anybody on the way can read it: use https, or, for a machine of "
            "your own network, set plain_http = true."
        )
    if is_address(server.host) and not is_private(server.host):
        return f"sends over http to {server.host}, which is no address of a private network: use https."
    return ""


def _wrong_key(name: str) -> str:
    if not name:
        return ""
    if not _ENVIRONMENT_NAME.fullmatch(name) or name.upper().startswith(_OURS):
        return (
            f"has the key_env {name!r}; it must be the name of an environment variable that does not begin with {_OURS}"
            " (letters, digits and _), never the key itself."
        )
    return ""
