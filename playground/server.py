"""From settings to a served page: take the address, build the services, answer until a signal ends the process."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from playground.config import Settings, Space, read_space
from playground.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from playground.engines.lease import Lease
    from playground.services import Services

log = logging.getLogger(__name__)


def bind(settings: Settings) -> socket.socket:
    """Take the address before anything heavy is loaded; raises ConfigError when somebody else has it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ConfigError(
            f"Cannot listen on {settings.host}:{settings.port} ({reason}). Try another --port."
        ) from error
    return listener


# They write down whole addresses and frames, in which people's words stand: what was searched for, what was asked.
_TALKATIVE = ("httpx", "httpcore", "urllib3", "huggingface_hub")


def keep_log(settings: Settings) -> None:
    """Write a log, at the level of the settings."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def build_app(services: Services, space: Space | None = None) -> FastAPI:
    """The pages, and the API beside them, as one ASGI application. Must be called where no event loop runs."""
    from playground.api.doors import Doors  # noqa: PLC0415
    from playground.api.routes import PREFIX  # noqa: PLC0415
    from playground.ui.app import create_app  # noqa: PLC0415
    from playground.ui.endpoints import mount_endpoints  # noqa: PLC0415

    app = create_app(services, space)
    doors = Doors(services)
    app.mount(PREFIX, doors.api)
    asyncio.run(mount_endpoints(app, doors.run_tool, doors.guard, doors.routes))  # a loop, as in `create_app`
    return app


def _leave(number: int, frame: object) -> None:
    """End the process by an exception, so that what has to be done at the end is done.

    uvicorn answers what is going on, and then sends the signal once more: without this it would end the process there.
    """
    del number, frame
    raise SystemExit(0)


def fetch_models(services: Services) -> None:
    """Begin to download the models that the operator wants to be here. Raises UnknownModel."""
    from playground.library.library import ModelState  # noqa: PLC0415

    names = [name.strip() for name in services.settings.fetch_at_start.split(",") if name.strip()]
    for spec in [services.catalog.get(name) for name in names]:
        if services.library.state(spec) in {ModelState.ABSENT, ModelState.PARTLY}:
            services.library.pull(spec)


def trusted_proxies(space: Space | None) -> list[str]:
    """Whose word is taken for where a request comes from, and that it came by https.

    A Space can be reached through the Hub's proxies only, which ask from private addresses; the last address before
    them is the visitor's. Elsewhere a proxy on this machine is believed, as uvicorn does by itself.
    """
    here = ["127.0.0.1", "::1"]
    return here if space is None else [*here, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]


def serve(
    settings: Settings,
    listener: socket.socket,
    lease: Lease | None = None,
    prepare: Callable[[Services], None] | None = None,
) -> None:
    """Build everything and answer requests until a signal ends the process; running answers are then marked.

    `lease` is a graphics card that is lent for each answer; `prepare` is done before anything is answered.
    """
    from playground.services import build  # noqa: PLC0415  what takes longer comes later: mistakes are told at once

    signal.signal(signal.SIGTERM, _leave)
    services = build(settings, lease)
    try:
        if services.snapshots is not None:
            services.snapshots.start()
        fetch_models(services)
        if prepare is not None:
            prepare(services)
        import uvicorn  # noqa: PLC0415

        space = read_space()
        server = uvicorn.Config(
            build_app(services, space),
            log_level="warning",
            timeout_graceful_shutdown=3,
            forwarded_allow_ips=trusted_proxies(space),
        )
        host, port = listener.getsockname()[:2]
        log.info("serving at %s", f"https://{space.host}" if space and space.host else f"http://{host}:{port}")
        uvicorn.Server(server).run(sockets=[listener])
    finally:
        services.close()
