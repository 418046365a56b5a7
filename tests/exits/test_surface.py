"""Nobody can add a way out and forget to guard it: what there is in the code, against what the registry knows.

When one of these fails, a detector, a listener, a route, a column, an event, a service or a command is new. Say in
`canaries.py` what its canary is, or in `exits.py` which exit it belongs to, and let `Scene.play` use it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.config import Settings
from playground.server import build_app
from playground.services import build, choose_detectors
from tests.exits import surface
from tests.exits.canaries import CANARIES
from tests.exits.exits import EXITS, KEPT, WORDLESS, WORDLESS_COLUMNS, claimed, matched


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Everything in the code by which words could leave."""
    services = build(Settings(data_dir=Path(tmp_path_factory.mktemp("surface")), default_model="echo"))
    try:
        app = build_app(services)
    finally:
        services.close()
    pages = surface.routes(app) | set(surface.listeners(app).values())
    return pages | surface.events() | surface.services() | surface.commands() | {"log"}


def test_every_detector_has_a_canary() -> None:
    assert set(CANARIES) == set(choose_detectors(Settings()))


def test_every_part_belongs_to_an_exit_or_is_said_to_have_no_words(parts: set[str]) -> None:
    assert not {part for part in parts if not claimed(part)}
    assert len(parts) > 80


def test_the_registry_names_nothing_that_is_not_there(parts: set[str]) -> None:
    patterns = [*WORDLESS, *(pattern for one in EXITS for pattern in one.stands_for)]
    assert not [pattern for pattern in patterns if not matched(pattern, parts)]


def test_every_column_that_could_hold_text_is_known() -> None:
    wordless = {f"{table}.{column}" for table, columns in WORDLESS_COLUMNS.items() for column in columns.split()}
    assert wordless | KEPT == surface.text_columns()
    assert not wordless & KEPT


def test_something_new_is_noticed() -> None:
    for part in (
        "route:GET /v1/chat/completions",
        "route:GET /{language}/gradio_api/info",
        "event:TokenView",
        "service:lens",
        "command:chats export",
    ):
        assert not claimed(part)
