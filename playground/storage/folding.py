"""`text.fold` as a function of PostgreSQL, so that a search finds the same in both databases. SQLite calls Python's."""

from __future__ import annotations

from sqlalchemy import Connection, text

from playground.text import FOLDED_LETTERS, fold

_ICU = text("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'")


def make_fold(connection: Connection) -> None:
    """Make the function, or replace it; a change of `text.fold` needs a migration that calls this again.

    Letters beyond Latin become small ones by Unicode where the server knows it (ICU), else as its locale says.
    """
    collation = ' COLLATE "und-x-icu"' if connection.scalar(_ICU) else ""
    single, several, dropped = _tables()
    folded = f"lower(translate(value, '{''.join(single)}{dropped}', '{''.join(single.values())}'){collation})"
    for letter, replacement in (several | {"ς": "σ"}).items():
        folded = f"replace({folded}, '{letter}', '{replacement}')"
    connection.exec_driver_sql(
        "CREATE OR REPLACE FUNCTION fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
        f"AS $fold$ SELECT {folded} $fold$"
    )


def _tables() -> tuple[dict[str, str], dict[str, str], str]:
    """Letters that become one other, those that become several, and those that go."""
    single, several, dropped = {}, {}, ""
    for code in FOLDED_LETTERS:
        letter = chr(code)
        became = fold(letter)
        if not became:
            dropped += letter
        elif len(became) == 1:
            single[letter] = became
        else:
            several[letter] = became
    return single, several, dropped
