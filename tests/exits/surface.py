"""The parts of the code by which words could leave, listed from the code: nothing here is kept by hand."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, get_args

from sqlalchemy import JSON, String
from starlette.routing import Mount

from playground.commands.program import build_parser
from playground.domain import ChatEvent
from playground.services import Services
from playground.storage.schema import Words, metadata
from playground.ui.endpoints import Named
from playground.ui.page import ARENAS, MOUNTS, OPEN, WORKBENCHES

_FILLED = {"api_name": "predict"}


def events() -> set[str]:
    """The kinds of events that watchers of a run are told."""
    return {f"event:{kind.__name__}" for kind in get_args(ChatEvent)}


def services() -> set[str]:
    """What the faces of the house are given."""
    return {f"service:{item.name}" for item in fields(Services)}


def commands() -> set[str]:
    """The sub-commands of `python -m playground`."""
    return {f"command:{' '.join(path)}" for path in _leaves(build_parser())}


def _leaves(parser: argparse.ArgumentParser, *path: str) -> Iterator[tuple[str, ...]]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for name, part in action.choices.items():
            yield from _leaves(part, *path, name)
    if not below:
        yield path


def text_columns() -> set[str]:
    """Columns of the database that could hold text."""
    return {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, String | JSON | Words)
    }


def routes(app: Any) -> set[str]:
    """Method and path of everything that answers; what `SecurityHeaders` closes does not."""
    found = {f"route:{method} {path}" for method, path in _walk(app.routes, "") if _open(path)}
    return {re.sub(r"(?<=/)(en|vi)(?=/|$)", "{language}", part) for part in found}


def _walk(routes: Iterable[Any], before: str) -> Iterator[tuple[str, str]]:
    for route in routes:
        path = before + getattr(route, "path", "")
        if isinstance(getattr(route, "app", None), Named):
            yield from (
                (method, below) for method, below in _walk(route.app.routes, path) if Named.opens(_filled(below))
            )
            continue
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        below = getattr(inner, "routes", None)
        if below:
            yield from _walk(below, path)
        elif isinstance(route, Mount):
            yield "GET", f"{path}/"
        else:
            yield from ((method, path) for method in getattr(route, "methods", None) or () if method != "HEAD")


def _open(path: str) -> bool:
    filled = _filled(path)
    return not filled.startswith((*MOUNTS, *WORKBENCHES, *ARENAS)) or OPEN.fullmatch(filled) is not None


def _filled(path: str) -> str:
    called = "chat" if path.startswith("/gradio_api/call") else _FILLED["api_name"]
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: called if part[1] == "api_name" else "x", path)


def pages_of(app: Any) -> dict[str, Any]:
    """Every page that Gradio serves, by its path."""
    mounts = [route for route in app.routes if isinstance(route, Mount)]
    return {mount.path: mount.app.get_blocks() for mount in mounts if hasattr(mount.app, "get_blocks")}


def listeners(app: Any) -> dict[tuple[str, int], str]:
    """The listeners of all pages that reach the server: (page, number) -> name."""
    found = {}
    for path, blocks in pages_of(app).items():
        page = {"/en": "page", "/workbench/en": "workbench", "/arena/en": "arena"}.get(path)
        if page is None:
            continue
        config = blocks.config
        names = {part["id"]: part["props"].get("elem_id") or str(part["id"]) for part in config["components"]}
        for dependency in config["dependencies"]:
            if dependency["backend_fn"]:
                on = ", ".join(f"{names.get(target, target)}.{event}" for target, event in dependency["targets"])
                found[page, dependency["id"]] = f"listener:{page} {on}"
    return found
