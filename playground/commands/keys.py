"""`keys create | list | revoke`: who may use the HTTP API from elsewhere."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from playground.config import load_settings

if TYPE_CHECKING:
    from playground.storage.keys import ApiKey, KeyStore

_LIMITS = {
    "requests_per_minute": "requests per minute",
    "tokens_per_day": "tokens per day (UTC), read and written",
    "concurrent": "requests at the same time",
}


def add_to(parsers: Any) -> None:
    """The sub-commands and their options."""
    create = parsers.add_parser("create", help="make a key and print it, once", allow_abbrev=False)
    create.add_argument("name", help="whose key it is, for your own lists")
    for name, meaning in _LIMITS.items():
        create.add_argument(f"--{name.replace('_', '-')}", type=_count, help=f"{meaning} [as set for everybody]")
    create.set_defaults(run=_create)
    listing = parsers.add_parser("list", help="list the keys, without the keys", allow_abbrev=False)
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    revoke = parsers.add_parser("revoke", help="end a key, at once", allow_abbrev=False)
    revoke.add_argument("name", help="name, id or first characters of the key")
    revoke.set_defaults(run=_revoke)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10**12:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return number


@contextmanager
def _opened() -> Iterator[KeyStore]:
    from playground.services import open_database  # noqa: PLC0415  `--help` must stay quick
    from playground.storage.keys import KeyStore  # noqa: PLC0415

    database = open_database(load_settings([]))
    try:
        yield KeyStore(database)
    finally:
        database.close()


def _create(options: argparse.Namespace) -> int:
    with _opened() as keys:
        _, secret = keys.create(options.name, **{name: getattr(options, name) for name in _LIMITS})
    sys.stderr.write("Keep this key: it is not shown again.\n")
    sys.stdout.write(f"{secret}\n")
    return 0


def _list(options: argparse.Namespace) -> int:
    with _opened() as keys:
        rows = [_facts(key) for key in keys.listed()]
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    for row in rows:
        state = "revoked" if row["revoked_at"] else "in force"
        limits = ", ".join(f"{row[name]:,} {words}" for name, words in _LIMITS.items() if row[name]) or "no own limits"
        sys.stdout.write(f"{row['start']}…  {state:<8}  {row['name']}  ({limits}; {row['used_tokens']:,} tokens on ")
        sys.stdout.write(f"{row['used_on'] or 'no day'})\n")
    if not rows:
        sys.stdout.write("There are no keys. `keys create NAME` makes one.\n")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    with _opened() as keys:
        key = keys.revoke(options.name)
    sys.stdout.write(f"{key.start}… ({key.name}) is revoked.\n")
    return 0


def _facts(key: ApiKey) -> dict[str, Any]:
    values = {name: getattr(key, name) for name in key.__slots__}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
