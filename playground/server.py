"""From settings to a served page: take the address, build the services, answer until a signal ends the process."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

from playground.config import Settings
from playground.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

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


def build_app(services: Services) -> FastAPI:
    """The pages, and the API beside them, as one ASGI application. Must be called where no event loop runs."""
    from playground.api.routes import PREFIX, create_api  # noqa: PLC0415
    from playground.ui.app import create_app  # noqa: PLC0415

    app = create_app(services)
    app.mount(PREFIX, create_api(services))
    return app


def serve(settings: Settings, listener: socket.socket) -> None:
    """Build everything and answer requests until a signal ends the process; running answers are then marked."""
    from playground.services import build  # noqa: PLC0415  what takes longer comes later: mistakes are told at once

    services = build(settings)
    try:
        import uvicorn  # noqa: PLC0415

        server = uvicorn.Config(build_app(services), log_level="warning", timeout_graceful_shutdown=3)
        host, port = listener.getsockname()[:2]
        log.info("serving at http://%s:%s", host, port)
        uvicorn.Server(server).run(sockets=[listener])
    finally:
        services.close()
