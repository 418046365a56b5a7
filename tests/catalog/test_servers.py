"""The servers of a row: what may leave this machine, and every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.catalog.addresses import is_loopback, is_private
from playground.catalog.catalog import Catalog
from playground.catalog.servers import ModelServer, parse_servers
from playground.errors import ConfigError

ROW = """
[[models]]
id = "big"
name = "Big"
family = "Big"
engine = "remote"
context_length = 8192
licence = "MIT"
languages = ["en"]
description = { en = "Big.", vi = "Lớn." }

[[models.servers]]
url = "https://one.example.org/v1/"
model = "org/big"
key_env = "ONE_KEY"

[[models.servers]]
url = "http://10.0.0.7:8000/v1"
plain_http = true

[[models.servers]]
url = "http://127.0.0.1:8000/v1"
"""


def test_a_row_names_its_servers(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(ROW, encoding="utf-8")
    spec = Catalog.load([file]).get("big")
    assert spec.servers == (
        ModelServer(url="https://one.example.org/v1", model="org/big", key_env="ONE_KEY"),
        ModelServer(url="http://10.0.0.7:8000/v1", plain_http=True),
        ModelServer(url="http://127.0.0.1:8000/v1"),
    )
    assert spec.hosts == ("one.example.org", "10.0.0.7")
    assert [server.label for server in spec.servers] == ["one.example.org", "10.0.0.7:8000", "127.0.0.1:8000"]
    assert [server.here for server in spec.servers] == [False, False, True]


def test_a_mistake_names_file_row_and_server(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(ROW.replace("plain_http = true", ""), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"models.toml, model 1 \(big\): servers number 2 sends over http to 10"):
        Catalog.load([file])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("https://x/v1", "must be tables"),
        ([], "must be tables"),
        (["https://x/v1"], "must be tables"),
        ([{"model": "m"}], "number 1 has no url"),
        ([{"url": "https://x/v1", "key": "sk-1"}], "number 1 has an unknown key key. There are: url, model, key_env"),
        ([{"url": 3}], "number 1 has 3 for url; it must be text"),
        ([{"url": "https://x/v1", "plain_http": "yes"}], "has 'yes' for plain_http; it must be true or false"),
        ([{"url": "x/v1"}], "has the url 'x/v1'; it must be a whole address"),
        ([{"url": "ftp://x/v1"}], "must be a whole address"),
        ([{"url": "https://x:port/v1"}], "must be a whole address"),
        ([{"url": "https:///v1"}], "must be a whole address"),
        ([{"url": " https://x/v1"}], "must be a whole address"),
        ([{"url": "https://me:secret@x/v1"}], "keys belong into the environment"),
        ([{"url": "https://x/v1?key=secret"}], "keys belong into the environment"),
        ([{"url": "http://x/v1"}], "sends over http to x, where anybody on the way can read it"),
        ([{"url": "http://8.8.8.8/v1", "plain_http": True}], "8.8.8.8, which is no address of a private network"),
        ([{"url": "http://0.0.0.0/v1", "plain_http": True}], "no address of a private network"),
        ([{"url": "https://x/v1", "key_env": "sk-secret"}], "must be the name of an environment variable"),
        ([{"url": "https://x/v1", "key_env": "PLAYGROUND_KEY"}], "does not begin with PLAYGROUND_"),
        ([{"url": "https://x/v1"}, {"url": "https://x/v1/"}], "names https://x/v1 twice"),
    ],
)
def test_mistakes_are_named(value: object, sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence) as caught:
        parse_servers(value)
    assert "secret@" not in str(caught.value)
    assert "key=secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback", "private"),
    [
        ("localhost", True, False),
        ("127.0.0.1", True, True),
        ("127.8.8.8", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("10.1.2.3", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("fd00::1", False, True),
        ("0.0.0.0", False, False),
        ("8.8.8.8", False, False),
        ("::ffff:8.8.8.8", False, False),
        ("2606:4700::1", False, False),
        ("example.org", False, False),
        ("localhost.example.org", False, False),
    ],
)
def test_which_addresses_stay_here(host: str, *, loopback: bool, private: bool) -> None:
    assert (is_loopback(host), is_private(host)) == (loopback, private)
