"""`models …`: the models on this machine and on the Hub, without a browser."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from playground.commands.progress import ProgressLine
from playground.config import load_settings
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.catalog.catalog import Catalog
    from playground.catalog.spec import ModelSpec
    from playground.library.library import Library

Command = Callable[["Library", "Catalog", argparse.Namespace], tuple[Any, list[str]]]
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}
_VERDICTS = {
    "fits": "{name} fits into this machine's memory.",
    "fits_with_less_context": "{name} fits with a context of {context:,} tokens.",
    "one_after_the_other": "{name} fits once idle models are unloaded.",
    "too_big": "{name} is too big for this machine's memory. Choose a smaller model or precision.",
}


def add_to(parsers: Any) -> None:
    """The sub-commands and their options."""
    for name, (command, purpose, options) in COMMANDS.items():
        parser = parsers.add_parser(name, help=purpose, allow_abbrev=False)
        for option, details in options.items():
            parser.add_argument(option, **details)
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.set_defaults(run=_runner(command))


def _runner(command: Command) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        with _opened() as (library, catalog):
            content, lines = command(library, catalog, options)
        shown = json.dumps(content, indent=2, ensure_ascii=False) if options.json else "\n".join(lines)
        sys.stdout.write(f"{shown}\n")
        return 0

    return run


@contextmanager
def _opened() -> Iterator[tuple[Library, Catalog]]:
    from playground.services import build_library, load_catalog  # noqa: PLC0415  `--help` must stay quick

    settings = load_settings([])
    catalog = load_catalog(settings)
    library = build_library(settings, catalog)
    try:
        yield library, catalog
    finally:
        library.close()


def _list(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    del options
    disk = library.disk()
    rows = [_facts(library, spec) for spec in catalog]
    lines = [
        f"{row['id']:<40} {row['state']:<8} {_size(row['bytes'] or row['size_bytes']):>10}  {row['name']}"
        for row in rows
    ]
    lines.append(f"{_size(disk.used)} used by downloaded models, {_size(disk.free)} free")
    return {"models": rows, "disk": {"used": disk.used, "free": disk.free, "models": disk.models}}, lines


def _search(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    del catalog
    found = library.hub.search(
        options.query,
        task=options.task,
        size=(_number(options.min_size), _number(options.max_size)),
        licence=options.licence,
        sort=options.sort,
        limit=options.limit,
    )
    rows = [
        {
            "repo": row.repo,
            "parameters": row.parameters,
            "licence": row.licence,
            "downloads": row.downloads,
            "likes": row.likes,
            "gated": row.gated,
            "task": row.task,
            "formats": list(row.formats),
            "updated": row.updated.isoformat() if row.updated else None,
        }
        for row in found
    ]
    lines = [
        f"{row.repo:<56} {_count(row.parameters):>7} {row.downloads:>11,}  {row.licence or '?'}"
        f"{'  gated' if row.gated else ''}  {', '.join(row.formats)}"
        for row in found
    ]
    return rows, lines or ["Nothing was found. Try other words."]


def _show(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    facts = _facts(library, catalog.get(options.model))
    return facts, [f"{name:<16} {_shown(value)}" for name, value in facts.items() if value not in ("", [], None)]


def _pull(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    known = options.model in catalog and not options.variant
    spec = catalog.get(options.model) if known else library.add(options.model, variant=options.variant)
    return _prepared(library, spec, renew=True)


def _convert(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    return _prepared(library, catalog.get(options.model), renew=False)


def _remove(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    spec = catalog.get(options.model)
    freed = library.remove(spec)
    return {"id": spec.id, "freed": freed}, [f"{spec.name} is removed; {_size(freed)} are free again."]


def _plan(library: Library, catalog: Catalog, options: argparse.Namespace) -> tuple[Any, list[str]]:
    spec = catalog.get(options.model)
    made = library.plan(spec)
    if made is None:
        return {"id": spec.id, "verdict": None}, [
            f"How much memory {spec.name} takes cannot be told before it is here."
        ]
    facts = {"id": spec.id, **asdict(made), "total_bytes": made.total_bytes}
    parts = (
        ("weights", made.weights_bytes),
        ("keys and values", made.kv_bytes),
        ("everything else", made.overhead_bytes),
        ("together", made.total_bytes),
        ("free", made.free_bytes),
    )
    lines = [f"{_VERDICTS[made.verdict].format(name=spec.name, context=made.context_length)}"]
    return facts, [*lines, *(f"  {name:<16}{count / 2**30:>8.2f} GiB" for name, count in parts)]


def _prepared(library: Library, spec: ModelSpec, *, renew: bool) -> tuple[Any, list[str]]:
    with ProgressLine(sys.stderr, spec.name) as line:
        ready = library.make_ready(spec, line.show, lambda: False, renew=renew)
    facts = {"id": ready.id, "engine": ready.engine, "precision": ready.precision, "path": str(ready.path or "")}
    how = ", ".join(filter(None, (ready.precision, ready.engine)))
    return facts, [f"{ready.name} is ready ({how}). Its id is {ready.id}."]


def _facts(library: Library, spec: ModelSpec) -> dict[str, Any]:
    source = spec.source
    return {
        "id": spec.id,
        "name": spec.name,
        "state": library.state(spec).value,
        "description": spec.description["en"],
        "family": spec.family,
        "parameters": spec.parameters,
        "context_length": spec.context_length,
        "licence": spec.licence,
        "languages": list(spec.languages),
        "tasks": list(spec.tasks),
        "engine": spec.engine,
        "engines": list(spec.engines),
        "precision": spec.precision,
        "gated": spec.gated,
        "repo": source.repo if source else "",
        "revision": source.revision if source else "",
        "format": source.format if source else "",
        "variant": source.variant if source else "",
        "size_bytes": spec.size_bytes,
        "bytes": library.size(spec),
        "link": spec.link,
    }


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _count(parameters: int) -> str:
    if not parameters:
        return "?"
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"


def _number(text: str) -> float | None:
    """`1.5B`, `350M` or a plain number of parameters; empty for no limit."""
    if not text:
        return None
    unit = _UNITS.get(text[-1].upper(), 1.0)
    try:
        return float(text[:-1] if text[-1].isalpha() else text) * unit
    except ValueError as error:
        raise InvalidRequest(f"{text} is no number of parameters; write it like 350M or 1.5B.") from error


_MODEL: dict[str, dict[str, Any]] = {"model": {"help": "id of a model of the catalogue"}}
_SORTS = ["trending_score", "downloads", "likes", "last_modified", "created_at"]
COMMANDS: dict[str, tuple[Command, str, dict[str, dict[str, Any]]]] = {
    "list": (_list, "the models of the catalogue, and which are here", {}),
    "search": (
        _search,
        "look for models on the Hub",
        {
            "query": {"nargs": "?", "default": "", "help": "words in the model's name"},
            "--task": {"default": "text-generation", "help": "a task of the Hub; empty for any [text-generation]"},
            "--min-size": {"default": "", "metavar": "N", "help": "least number of parameters, like 350M"},
            "--max-size": {"default": "", "metavar": "N", "help": "largest number of parameters, like 4B"},
            "--licence": {"default": "", "help": "the Hub's name of a licence, like apache-2.0"},
            "--sort": {"default": "downloads", "choices": _SORTS, "help": "[downloads]"},
            "--limit": {"type": int, "default": 20, "help": "how many, at most 100 [20]"},
        },
    ),
    "show": (_show, "everything that is known of a model", _MODEL),
    "pull": (
        _pull,
        "download a model and make it ready",
        {
            "model": {"help": "id of the catalogue, id or address of the Hub, or a folder"},
            "--variant": {"default": "", "help": "which of the repository's variants"},
        },
    ),
    "convert": (_convert, "make a model ready that is here or can be fetched", _MODEL),
    "remove": (_remove, "delete a model's files", _MODEL),
    "plan": (_plan, "whether a model fits into this machine's memory", _MODEL),
}
