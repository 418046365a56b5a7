"""The page's own files: style sheets and scripts joined into one file each, fonts and the icon, kept by browsers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).with_name("static")
FOREVER = "public, max-age=31536000, immutable"
EARLY = "00-early.js"
Bundle = Literal["page", "workbench", "arena"]
BUNDLES: Mapping[Bundle, tuple[str, ...]] = {
    "page": ("css/*.css", "js/*.js"),
    "workbench": ("css/00-base.css", "js/10-core.js", "workbench/*"),
    "arena": (
        "css/*.css",
        "js/[12]?-*.js",
        "js/[45]0-*.js",
        "js/80-settings.js",
        "arena/*",
    ),
}
"""What each page loads: files below `static`, joined in the order of their names."""


@dataclass(frozen=True, slots=True)
class Assets:
    """What the page loads. `version` changes with the content, so that addresses may be kept for ever."""

    css: str
    js: str
    early: str
    version: str


@cache
def load_assets(bundle: Bundle = "page") -> Assets:
    """Join the files of one page; the early script is sent inside it."""
    css = _joined(bundle, ".css")
    js = _joined(bundle, ".js")
    early = (STATIC / "js" / EARLY).read_text(encoding="utf-8")
    version = hashlib.sha256((css + js).encode()).hexdigest()[:12]
    return Assets(css, js, early, version)


def _joined(bundle: Bundle, suffix: str) -> str:
    found = (sorted(STATIC.glob(pattern)) for pattern in BUNDLES[bundle])
    files = [path for paths in found for path in paths if path.suffix == suffix and path.name != EARLY]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


class _KeptFiles(StaticFiles):
    """Static files that never change under their name."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = FOREVER
        return response


def asset_routes() -> list[BaseRoute]:
    """Everything below /static."""
    icon = (STATIC / "favicon.svg").read_text(encoding="utf-8")
    loaded = {bundle: load_assets(bundle) for bundle in BUNDLES}
    return [
        *(_kept(f"/static/{name}.css", assets.css, "text/css", FOREVER) for name, assets in loaded.items()),
        *(_kept(f"/static/{name}.js", assets.js, "text/javascript", FOREVER) for name, assets in loaded.items()),
        _kept("/static/favicon.svg", icon, "image/svg+xml", "public, max-age=86400"),
        Mount("/static/fonts", _KeptFiles(directory=STATIC / "fonts")),
    ]


def _kept(path: str, content: str, media_type: str, caching: str) -> Route:
    async def answer(_: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": caching})

    return Route(path, answer)
