"""Keys of the HTTP API: made, found by their hash, revoked; and how many tokens each has used today.

A key is 256 random bits, so a plain SHA-256 is enough to keep it by: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from sqlalchemy import RowMapping, case, insert, or_, select, update

from playground.domain import new_id, utc_now
from playground.errors import InvalidRequest
from playground.storage.database import Database
from playground.storage.schema import api_keys

PREFIX = "pk-"
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without the key. `start` are its first characters, to recognise it by; `name` is the operator's.

    Limits are None where those of the settings count. `used_tokens` are those of the day `used_on` (UTC).
    """

    name: str
    start: str
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    concurrent: int | None = None
    used_on: str = ""
    used_tokens: int = 0
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From its row."""
        return cls(**{name: row[name] for name in cls.__slots__})


class KeyStore:
    """Every method raises StorageError when the database cannot do its work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        concurrent: int | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key, and the only time it can be read: it is kept as a hash.

        Raises InvalidRequest for a name that is empty, longer than 64 characters, or that of a key in force.
        """
        if not 0 < len(name.strip()) <= 64 or not name.isprintable():
            raise InvalidRequest("The name of a key has 1 to 64 characters. Choose another one.")
        secret = PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            name=name,
            start=secret[: len(PREFIX) + _SHOWN],
            requests_per_minute=requests_per_minute,
            tokens_per_day=tokens_per_day,
            concurrent=concurrent,
        )
        values = {slot: getattr(key, slot) for slot in ApiKey.__slots__} | {"hash": _digest(secret)}
        taken = select(api_keys.c.id).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
        with self._database.write(alone="names of keys") as connection:
            if connection.scalar(taken) is not None:
                raise InvalidRequest(f"There is a key named {name!r} already. Revoke it first, or choose another name.")
            connection.execute(insert(api_keys).values(values))
        return key, secret

    def find(self, secret: str) -> ApiKey | None:
        """The key in force with this secret, if there is one."""
        wanted = select(api_keys).where(api_keys.c.hash == _digest(secret), api_keys.c.revoked_at.is_(None))
        with self._database.read() as connection:
            row = connection.execute(wanted).mappings().first()
        return None if row is None else ApiKey.of(row)

    def listed(self) -> list[ApiKey]:
        """Every key, revoked ones included, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)).mappings()
            return [ApiKey.of(row) for row in rows]

    def revoke(self, name: str) -> ApiKey:
        """End the key in force with this name, this id or these first characters; it counts at once.

        Raises InvalidRequest when there is none.
        """
        named = or_(api_keys.c.name == name, api_keys.c.id == name, api_keys.c.start == name)
        wanted = select(api_keys).where(named, api_keys.c.revoked_at.is_(None)).order_by(api_keys.c.created_at)
        with self._database.write() as connection:
            row = connection.execute(wanted).mappings().first()
            if row is None:
                raise InvalidRequest(f"There is no key {name[:64]!r} in force. `keys list` shows which there are.")
            connection.execute(update(api_keys).where(api_keys.c.id == row["id"]).values(revoked_at=utc_now()))
        return ApiKey.of(row)

    def count(self, key_id: str, tokens: int) -> None:
        """Add to what a key has used today; survives the end of the process, and never waits long."""
        now = utc_now()
        today = now.date().isoformat()
        used = case((api_keys.c.used_on == today, api_keys.c.used_tokens), else_=0) + tokens
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id)
                .values(used_tokens=used, used_on=today, last_used_at=now)
            )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
