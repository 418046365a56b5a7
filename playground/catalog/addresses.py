"""Which addresses may be asked: the Hub, the public hosts it names for large files, and servers that run models."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from playground.errors import ConfigError, HubError

_FAKE = ipaddress.ip_network("198.18.0.0/15")
"""Names resolve to this range where a local proxy answers for the whole network; nothing else lives there."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in the last four bytes, where a network translates between the two."""

_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""RFC 6598: what many private networks are built on."""


def check_endpoint(address: str) -> str:
    """The Hub's address without a slash at its end. Plain http is for this machine only.

    Raises ConfigError when it is not an address over https.
    """
    try:
        parts = urlsplit(address.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.username or parts.query or parts.fragment or not _is_safe(parts.scheme, host):
        raise ConfigError(
            f"hub_endpoint is {address!r}; it must be an address like https://huggingface.co (http only for localhost)."
        )
    return address.strip().rstrip("/")


def check_target(target: str, endpoint: str) -> None:
    """Raises HubError unless a file may be fetched from `target`, where the Hub at `endpoint` sent us.

    A redirect must not lead to the network behind this machine: only https, and only public addresses, or the Hub's own
    host; a Hub on this machine may name this machine.
    """
    try:
        parts, own = urlsplit(target), urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise HubError("The Hub named an address that cannot be understood. Try again later.") from error
    if origin(target) == origin(endpoint):
        return
    at_home = _is_at_home(host, own.hostname or "")
    if parts.username is not None or not _is_safe(parts.scheme, host) or not (at_home or _is_public(host)):
        raise _not_there(host)


class ConnectionWatch:
    """Sees the address that a connection to `host` is made to, before anything is sent: httpx's extension `trace`.

    A name may mean another address by then than when it was looked at. `refused` gives the error to raise for an
    address that is not `allowed`. A connection to something else (a proxy, which looks names up itself) is let be.
    """

    def __init__(self, host: str, allowed: Callable[[str], bool], refused: Callable[[str], Exception]) -> None:
        self._host = host
        self._allowed = allowed
        self._refused = refused
        self._asked = ""

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Told by httpx of every step."""
        if event == "connection.connect_tcp.started":
            self._asked = info["host"]
        elif event == "connection.connect_tcp.complete" and self._asked == self._host:
            stream = info["return_value"]
            address = str(stream.get_extra_info("server_addr")[0])
            if not self._allowed(address):
                stream.close()
                raise self._refused(address)


def watch_target(target: str, endpoint: str) -> ConnectionWatch | None:
    """A watch on the connection to where the Hub at `endpoint` sent us; None where any address is right.

    Raises HubError as `check_target` does, while the connection is made.
    """
    host = urlsplit(target).hostname or ""
    at_home = _is_at_home(host, urlsplit(endpoint).hostname or "")
    return None if at_home else ConnectionWatch(host, _is_public_number, lambda _: _not_there(host))


def origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port; access tokens never leave the Hub's own. Raises ValueError for a malformed port."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by name or number."""
    number = _number(host)
    return host == "localhost" if number is None else number.is_loopback


def is_private(host: str) -> bool:
    """Whether an IP address belongs to this machine or to a network that is nobody else's; False for names."""
    number = _number(host)
    if number is None or number.is_unspecified or number.is_multicast:
        return False
    return number.is_private or (number.version == 4 and number in _SHARED)


def is_address(host: str) -> bool:
    """Whether a host is an IP address and not a name."""
    return _number(host) is not None


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, an IPv4 one also where it is written inside an IPv6 one; None for a name."""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if number.version == 4:
        return number
    if number in _NAT64:
        return ipaddress.IPv4Address(number.packed[-4:])
    return number.ipv4_mapped or number.sixtofour or number


def _is_at_home(host: str, own: str) -> bool:
    return host == own or (is_loopback(host) and is_loopback(own))


def _is_safe(scheme: str, host: str) -> bool:
    return scheme == "https" or (scheme == "http" and is_loopback(host))


def _is_public(host: str) -> bool:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return "." in host and not host.replace(".", "").isdigit()  # a proxy may know the name; a number is no name
    return all(_is_public_number(str(number)) for number in found)


def _is_public_number(number: str) -> bool:
    address = _number(number)
    return address is not None and (address.is_global or address in _FAKE)


def _not_there(host: str) -> HubError:
    return HubError(
        f"The Hub sent this download to {host or 'nowhere'}, which is not a public address over https. "
        "It was not followed. Check the setting hub_endpoint."
    )
