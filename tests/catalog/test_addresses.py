"""Where downloads may be sent, and where not."""

from __future__ import annotations

import contextlib
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
        with contextlib.suppress(OSError):
            number = socket.inet_ntoa(socket.inet_aton(number))  # also 127.1, 0x7f000001 and 2130706433
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


@pytest.mark.parametrize(
    "target",
    [
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://017700000001/x",
        "https://127.1/x",
        "https://0.0.0.0/x",
        "https://[::]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[64:ff9b::10.0.0.1]/x",
        "https://[2002:a00:1::]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[fd00::1]/x",
        "https://cdn.example@inside.example/x",
        "https://user:secret@cdn.example/x",
        "https://user@cdn.example/x",
        "https://inside.example#@cdn.example/x",
        "https://inside.example\\@cdn.example/x",
        "//inside.example/x",
        "gopher://cdn.example/x",
    ],
)
def test_numbers_in_disguise_and_names_before_an_at_are_refused(target: str) -> None:
    with pytest.raises(HubError) as caught:
        check_target(target, HUB)
    assert "secret" not in str(caught.value)
