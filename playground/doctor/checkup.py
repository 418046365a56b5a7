"""The whole examination, from the interpreter to the Hub."""

from __future__ import annotations

from collections.abc import Iterator

from playground.config import Settings, load_settings
from playground.doctor import machine, models, network, packages, place, safety
from playground.doctor.findings import Finding, fix, note, ok
from playground.errors import ConfigError, ModelLoadError
from playground.operation.disclosure import changed_settings
from playground.operation.readiness import start_process


def examine(*, ask_network: bool = False) -> Iterator[Finding]:
    """Look at everything, one thing after the other. Nothing leaves the machine without `ask_network`."""
    yield machine.examine_python()
    yield from packages.examine_packages()
    yield machine.examine_processor()
    yield machine.examine_memory()
    yield from machine.examine_files()
    try:
        settings = load_settings([])
    except ConfigError as error:
        yield fix("Settings", str(error), "Correct it there, then look again; what follows is as by default.")
        settings = Settings()
    else:
        changed = ", ".join(f"{name}={value or '(empty)'}" for name, value in changed_settings(settings).items())
        yield ok("Settings", changed or "all by default")
    yield from _examine_place(settings)
    yield models.examine_files()
    yield models.examine_catalog(settings)
    yield from models.examine_engines()
    yield models.examine_card(settings)
    yield from safety.examine_moderation(settings, network=ask_network)
    yield network.examine_hub(settings) if ask_network else note("Hub", "not asked", "Examine it with --network.")


def _examine_place(settings: Settings) -> Iterator[Finding]:
    yield place.examine_folder(settings.data_dir)
    yield machine.examine_disk(settings.data_dir)
    yield place.examine_database(settings)
    if settings.snapshot_dir is not None:
        yield place.examine_copies(settings.snapshot_dir)
    yield place.examine_address(settings)
    yield from place.examine_openness(settings)
    yield processes()


def processes() -> Finding:
    """Whether workers can be started at all."""
    try:
        start_process()
    except ModelLoadError as error:
        return fix("Processes", str(error), "Raise the limits (ulimit -u, the container's), then look again.")
    return ok("Processes", "workers can be started")
