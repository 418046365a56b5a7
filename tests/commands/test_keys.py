"""`keys create | list | revoke`."""

from __future__ import annotations

import json

import pytest

from playground.commands.program import main
from playground.config import load_settings
from playground.services import open_database
from playground.storage.keys import KeyStore


def keys(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["keys", *arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_key_from_its_making_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no keys" in keys(capsys, "list")[1]
    status, secret, warning = keys(capsys, "create", "course 101", "--tokens-per-day", "2000", "--concurrent", "2")
    assert (status, secret[:3]) == (0, "pk-")
    assert "not shown again" in warning
    database = open_database(load_settings([]))
    assert KeyStore(database).find(secret.strip()) is not None
    database.close()
    listed = keys(capsys, "list")[1]
    assert "course 101" in listed
    assert "2,000 tokens per day" in listed
    assert secret.strip() not in listed
    (row,) = json.loads(keys(capsys, "list", "--json")[1])
    assert (row["concurrent"], row["requests_per_minute"]) == (2, None)
    assert keys(capsys, "revoke", "course 101")[0] == 0
    assert "revoked" in keys(capsys, "list")[1]


def test_mistakes_end_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert keys(capsys, "revoke", "nobody")[0] == 2
    keys(capsys, "create", "anna")
    assert keys(capsys, "create", "anna")[0] == 2
    with pytest.raises(SystemExit):
        main(["keys", "create", "bert", "--concurrent", "0"])
