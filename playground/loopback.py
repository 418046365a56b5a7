"""Whether a request comes from the person at this machine, with nothing in between.

That can be told only if the request comes from a loopback address, names one, and carries no trace of a proxy or of
another site. A proxy on the same machine that leaves no trace cannot be told from a local program.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_TRACES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "x-client-ip", "via", "cf-connecting-ip")


def is_loopback(host: str) -> bool:
    """Whether this names the machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(connection: HTTPConnection) -> str:
    """The name in the Host header, in lower case and without a port; "" when there is none that can be read."""
    try:
        return urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def comes_from_here(connection: HTTPConnection, origins: Collection[str] = ()) -> bool:
    """Whether nobody but a program or a page of this machine can have sent this; `origins` are trusted sites."""
    client = connection.client
    if client is None or not is_loopback(client.host) or not is_loopback(host_of(connection)):
        return False
    if any(name in connection.headers for name in _TRACES):
        return False
    origin = connection.headers.get("origin")
    return origin is None or origin in origins or origin.partition("://")[2] == connection.headers.get("host")
