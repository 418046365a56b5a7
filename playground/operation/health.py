"""What whoever watches over the process asks for: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from playground.errors import KeyNeeded, LimitReached
from playground.metrics import Metrics
from playground.operation.access import Reader
from playground.operation.readiness import Readiness

HEALTH, READY, METRICS = "/healthz", "/readyz", "/metrics"
WATCHED = frozenset({HEALTH, READY, METRICS})
"""Answered also while the server is ending."""
_FRESH = {"Cache-Control": "no-store"}


def health_routes(readiness: Readiness, metrics: Metrics, reader: Reader) -> list[Route]:
    """The three addresses."""

    async def alive(request: Request) -> Response:
        """Says that the server answers; looks at nothing."""
        del request
        return JSONResponse({"status": "ok"}, headers=_FRESH)

    def ready(request: Request) -> Response:
        """Says whether it can do its work, and which part cannot (503)."""
        del request
        parts = readiness.parts()
        told = {
            "ready": all(part.ready for part in parts),
            "parts": {part.name: "ready" if part.ready else part.reason for part in parts},
        }
        return JSONResponse(
            told, 200 if told["ready"] else 503, _FRESH if told["ready"] else {**_FRESH, "Retry-After": "5"}
        )

    def figures(request: Request) -> Response:
        """Everything that is counted, for Prometheus."""
        try:
            reader.check(request)
        except (KeyNeeded, LimitReached) as error:
            more = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else {"Retry-After": "300"}
            return JSONResponse({"detail": str(error)}, error.http_status, {**_FRESH, **more})
        content, kind = metrics.told(request.headers.get("accept", ""))
        return Response(content, headers={**_FRESH, "Content-Type": kind})

    return [
        Route(HEALTH, alive, methods=["GET"]),
        Route(READY, ready, methods=["GET"]),
        Route(METRICS, figures, methods=["GET"]),
    ]
