"""Every way in for programs, with one doorkeeper and one account of limits: /v1, the tools, and MCP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from playground.api.asking import language_of
from playground.api.auth import Doorkeeper, Entrance
from playground.api.limits import Limits
from playground.api.mcp import PATH, McpServer
from playground.api.routes import create_api
from playground.api.tools import Snapshots, Tools
from playground.services import Services


class Doors:
    """What a server opens for programs. `api` belongs below `routes.PREFIX`, `routes` behind `guard` at the root."""

    def __init__(self, services: Services) -> None:
        limits = Limits(services.settings, services.keys, services.usage)
        self._services = services
        self._tools = Tools(services, limits)
        self.api = create_api(services, limits)
        mcp = McpServer(self._tools)
        self.routes: list[BaseRoute] = [
            Route(path, mcp, methods=["GET", "POST", "DELETE"]) for path in (PATH, f"{PATH}/")
        ]

    def guard(self, app: ASGIApp) -> ASGIApp:
        """The same entrance as that of `/v1`, for another application."""
        return Entrance(app, Doorkeeper(self._services.settings, self._services.keys))

    def run_tool(self, name: str, request: Request, arguments: dict[str, Any]) -> Snapshots:
        """Have a tool do something for whoever was let in with this request."""
        return self._tools.run(name, request.state.caller, arguments, language_of(request))
