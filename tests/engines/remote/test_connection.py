"""What leaves the machine, and over what: TLS with a valid certificate, or plain http within the own network."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.engines.contract import Engine
from playground.engines.remote.connection import trust
from playground.errors import ServerRefused, ServerUnreachable
from tests.engines.remote.conftest import ask
from tests.engines.remote.scripted_server import ScriptedServer, answer

Serve = Callable[..., ScriptedServer]
Connect = Callable[..., Engine]
# A certificate for 127.0.0.1 that nobody vouches for, and its key: for this test and worth nothing.
PEM = Path(__file__).with_name("loopback.pem")


@pytest.fixture
def secure(serve: Serve) -> ScriptedServer:
    """A server behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return serve(answer("sealed"), tls=context)


@pytest.fixture
def fresh_trust() -> Iterator[None]:
    """Certificates are read anew for this test and after it."""
    trust.cache_clear()
    yield
    trust.cache_clear()


@pytest.mark.usefixtures("fresh_trust")
def test_a_certificate_nobody_vouches_for_is_refused(secure: ScriptedServer, connect: Connect) -> None:
    with pytest.raises(ServerUnreachable, match="its certificate is not valid"):
        ask(connect(secure, rounds=1))


@pytest.mark.usefixtures("fresh_trust")
def test_an_authority_of_one_s_own_is_trusted(
    secure: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    assert ask(connect(secure, rounds=1)).text == "sealed"


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def resolve(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_plain_http_to_a_name_needs_private_addresses_only(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer("never asked"))
    port = server.label.rsplit(":", 1)[1]
    for addresses in (["93.184.216.34"], ["127.0.0.1", "93.184.216.34"], []):
        _resolving(monkeypatch, *addresses)
        engine = connect({"url": f"http://gpu.lan:{port}/v1", "plain_http": True})
        with pytest.raises(ServerRefused, match=r"gpu.lan is not an address of a private network"):
            ask(engine)
    assert not server.requests


def test_plain_http_to_a_name_goes_to_the_address_that_was_checked(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer("near"))
    port = server.label.rsplit(":", 1)[1]
    _resolving(monkeypatch, "127.0.0.1")
    assert ask(connect({"url": f"http://gpu.lan:{port}/v1", "plain_http": True})).text == "near"
    assert server.posts[0].headers["host"] == f"gpu.lan:{port}"


def test_a_name_that_is_not_known(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **more: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for row in ({"url": "https://nowhere.example/v1"}, {"url": "http://nowhere.lan/v1", "plain_http": True}):
        with pytest.raises(ServerUnreachable, match="its name is not known"):
            ask(connect(row, rounds=1))
