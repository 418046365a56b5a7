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
from playground.log import FACTS, begin_log
from playground.operation.disclosure import changed_settings, shown_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from playground.engines.lease import Lease
    from playground.operation.ending import Ending
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


def keep_log(settings: Settings) -> None:
    """Write a log as the settings say, beginning with the settings: secrets are not told."""
    begin_log(settings.log_level, settings.log_format)
    told = ", ".join(f"{name}={value or '(empty)'}" for name, value in changed_settings(settings).items())
    log.info("settings: %s", told or "all by default", extra={FACTS: {"settings": shown_settings(settings)}})


def build_app(services: Services, space: Space | None = None, ending: Ending | None = None) -> FastAPI:
    """The pages, the API and what watches over the process, as one ASGI application.

    `ending` says when requests are no longer taken. Must be called where no event loop runs.
    """
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415

    from playground.api.doors import Doors  # noqa: PLC0415
    from playground.api.routes import PREFIX  # noqa: PLC0415
    from playground.front_door import FrontDoor, allowed_origins, trusted_proxies  # noqa: PLC0415
    from playground.operation.access import Reader  # noqa: PLC0415
    from playground.operation.ending import Ending  # noqa: PLC0415
    from playground.operation.health import health_routes  # noqa: PLC0415
    from playground.operation.readiness import Readiness  # noqa: PLC0415
    from playground.operation.requests import Reception  # noqa: PLC0415
    from playground.ui.app import create_app  # noqa: PLC0415
    from playground.ui.endpoints import mount_endpoints  # noqa: PLC0415

    ending, settings = ending or Ending(), services.settings
    origins, proxies = allowed_origins(settings, space), trusted_proxies(settings, space)
    app = create_app(services, space)
    doors = Doors(services)
    app.mount(PREFIX, doors.api)
    asyncio.run(mount_endpoints(app, doors.run_tool, doors.guard, doors.routes))  # a loop, as in `create_app`
    # Before all others: nothing that is mounted at the root shall answer in their place.
    app.router.routes[:0] = health_routes(Readiness(services, ending), services.metrics, Reader(settings))
    # Without this one Gradio answers for itself, and lets pages of every site read it, credentials included.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=sorted(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
    app.add_middleware(Reception, metrics=services.metrics, ending=ending)
    app.add_middleware(FrontDoor, settings=settings, proxies=proxies, origins=origins)
    return app


def _leave(number: int, frame: object) -> None:
    """End the process by an exception, so that what has to be done at the end is done: before anything is served."""
    del number, frame
    raise SystemExit(0)


def fetch_models(services: Services) -> None:
    """Begin to download the models that the operator wants to be here. Raises UnknownModel."""
    from playground.library.library import ModelState  # noqa: PLC0415

    names = [name.strip() for name in services.settings.fetch_at_start.split(",") if name.strip()]
    for spec in [services.catalog.get(name) for name in names]:
        if services.library.state(spec) in {ModelState.ABSENT, ModelState.PARTLY}:
            services.library.pull(spec)


def serve(
    settings: Settings,
    listener: socket.socket,
    lease: Lease | None = None,
    prepare: Callable[[Services], None] | None = None,
) -> None:
    """Build everything and answer requests until a signal ends the process (see `operation.ending`).

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

        from playground.operation.ending import Ending, PatientServer, listen_for_second_signal  # noqa: PLC0415

        space, ending = read_space(), Ending()
        config = uvicorn.Config(
            build_app(services, space, ending),
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=3,
            proxy_headers=False,  # the front door decides whom to believe
            server_header=False,
        )
        host, port = listener.getsockname()[:2]
        log.info("serving at %s", f"https://{space.host}" if space and space.host else f"http://{host}:{port}")
        listen_for_second_signal()
        PatientServer(config, ending, services.chat, settings.shutdown_seconds).run(sockets=[listener])
    finally:
        services.close()
