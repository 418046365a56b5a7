"""Where downloads may be sent, and where not."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from playground.catalog.addresses import check_endpoint, check_target
from playground.errors import HubError

HUB = "https://huggingface.co"


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"cdn.example": "93.184.216.34", "inside.example": "10.0.0.7", "fake.example": "198.18.0.9"}

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        number = known.get(host, host)
        if not number[0].isdigit() and ":" not in number:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize(
    ("target", "hub"),
    [
        (f"{HUB}/x", HUB),
        ("https://cdn.example/x", HUB),
        ("https://fake.example/x", HUB),
        ("https://unresolved.example/x", HUB),
        ("https://hub.local:8443/cdn", "https://hub.local"),
        ("http://localhost:9000/cdn", "http://127.0.0.1:8000"),
        ("https://cdn.example/x", "http://127.0.0.1:8000"),
    ],
)
def test_public_hosts_and_the_hub_itself(target: str, hub: str) -> None:
    check_target(target, hub)


@pytest.mark.parametrize(
    "target",
    [
        "http://cdn.example/x",
        "https://inside.example/x",
        "https://127.0.0.1/x",
        "http://localhost:7860/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://100.64.0.1/x",
        "https://intranet/x",
        "file:///etc/passwd",
        "https://host:notaport/x",
    ],
)
def test_everything_else_is_refused(target: str) -> None:
    with pytest.raises(HubError):
        check_target(target, HUB)


def test_an_endpoint_is_kept_without_its_slash() -> None:
    assert check_endpoint(" https://huggingface.co/ ") == HUB
    assert check_endpoint("http://localhost:8000") == "http://localhost:8000"
