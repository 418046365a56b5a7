"""Whether the Hub can be reached. Only looked at when somebody asks for it: else nothing leaves the machine."""

from __future__ import annotations

import time

from playground.catalog.hub import Hub
from playground.catalog.hub_client import HubClient, Patience
from playground.config import Settings
from playground.doctor.findings import Finding, note, ok
from playground.errors import PlaygroundError
from playground.operation.disclosure import without_secrets

_PATIENCE = Patience(attempts=1, answer=15.0, silence=10.0)


def examine_hub(settings: Settings) -> Finding:
    """Search the Hub for a well-known word."""
    place = without_secrets(settings.hub_endpoint)
    if settings.offline:
        return note("Hub", "not asked: offline is set", "Set offline to false to fetch models.")
    began = time.monotonic()
    try:
        Hub(HubClient(settings.hub_endpoint, patience=_PATIENCE)).search("smollm", limit=1)
    except PlaygroundError as error:
        return note("Hub", f"{place}: {error}", "The models that are here keep working.")
    return ok("Hub", f"{place} answered after {time.monotonic() - began:.1f} s")
