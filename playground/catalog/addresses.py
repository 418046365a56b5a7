"""Which addresses may be asked: the Hub, the public hosts it names for large files, and servers that run models."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from playground.errors import ConfigError, HubError

_FAKE = ipaddress.ip_network("198.18.0.0/15")
"""Names resolve to this range where a local proxy answers for the whole network; nothing else lives there."""

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
    at_home = host == own.hostname or (is_loopback(host) and is_loopback(own.hostname or ""))
    if not _is_safe(parts.scheme, host) or not (at_home or _is_public(host)):
        raise _not_there(host)


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
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (number.version == 6 and number.ipv4_mapped) or number


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
