"""The web application: the page in two languages, its files, and what every answer is wrapped in."""

from __future__ import annotations

import asyncio
from typing import cast

import gradio as gr
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from playground.config import Space
from playground.domain import Language
from playground.services import Services
from playground.ui.arena.downloads import download_routes
from playground.ui.arena.page import build_arena
from playground.ui.asker import AskerContext
from playground.ui.assets import asset_routes
from playground.ui.endpoints import CLOSED
from playground.ui.exports import ROOT as EXPORTS
from playground.ui.exports import export_routes
from playground.ui.layout import build_page
from playground.ui.owner import OwnerCookie
from playground.ui.page import ARENA, ARENAS, MOUNTS, OwnHead, SecurityHeaders
from playground.ui.theme import build_theme
from playground.ui.words import LANGUAGES, load_words
from playground.ui.workbench.access import ROOT, Doorkeeper, OperatorGate
from playground.ui.workbench.entrance import entrance_routes
from playground.ui.workbench.page import build_workbench

LANGUAGE_COOKIE = "playground_language"
YEAR_SECONDS = 31_536_000


def create_app(services: Services, space: Space | None = None) -> FastAPI:
    """Everything people see, as one ASGI application: /en/, /arena, /workbench, /static; / picks a language.

    `space` is the Hugging Face Space it runs in: the Hub shows its pages in a frame, and its disk does not last. Must
    be called where no event loop runs.
    """
    # Gradio makes event loops and never closes them when it is used where none runs: so one runs, for a moment.
    return asyncio.run(_assemble(services, space))


async def _assemble(services: Services, space: Space | None) -> FastAPI:
    framed = space is not None
    doorkeeper = Doorkeeper(services.settings.operator_token, services.settings.host, sessions=services.sessions)
    middleware = [
        Middleware(SecurityHeaders, framed=framed),
        Middleware(OperatorGate, doorkeeper=doorkeeper),
        Middleware(OwnHead, framed=framed),
        Middleware(OwnerCookie, paths=(*MOUNTS, *ARENAS, EXPORTS), framed=framed),
        *([Middleware(AskerContext)] if framed else []),
    ]
    routes = [
        *asset_routes(),
        *export_routes(services.chat),
        *entrance_routes(services.workbench, doorkeeper, preferred_language),
        *download_routes(
            services.arena,
            services.arena.standings,
            services.catalog,
            preferred_language,
            identity=services.library.identity,
        ),
    ]
    app = FastAPI(middleware=middleware, docs_url=None, redoc_url=None, openapi_url=None, routes=routes)
    app.add_api_route("/", choose_language, methods=["GET"], include_in_schema=False)
    for path in (ARENA, f"{ARENA}/"):  # what is mounted at the root leaves no redirect between the two
        app.add_api_route(path, choose_arena_language, methods=["GET"], include_in_schema=False)
    for language in LANGUAGES:
        _mount(
            app,
            build_arena(services, services.arena, services.arena.standings, language, doorkeeper),
            f"{ARENA}/{language}",
            language,
        )
        _mount(
            app,
            build_page(services, language, doorkeeper, temporary=framed and not services.lasting),
            f"/{language}",
            language,
        )
        _mount(
            app,
            build_workbench(services.workbench, language, signed_in=doorkeeper.has_token),
            f"{ROOT}/{language}",
            language,
        )
    return app


def _mount(app: FastAPI, page: gr.Blocks, path: str, language: Language) -> None:
    words = load_words(language)
    gr.mount_gradio_app(
        app,
        page,
        path=path,
        i18n=gr.I18n(en=dict(words.gradio)),
        theme=build_theme(),
        **CLOSED,
    )


async def choose_language(request: Request) -> Response:
    """Leads to the page in the person's language, with the rest of the address kept."""
    return _lead(request, "")


async def choose_arena_language(request: Request) -> Response:
    """The same for the arena."""
    return _lead(request, ARENA)


def _lead(request: Request, root: str) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{root}/{preferred_language(request)}/{query}", status_code=307)


def preferred_language(request: Request) -> Language:
    """The language chosen last, else the first one of Accept-Language that there is, else English."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return cast("Language", chosen)
    accepted: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "").split(",")[:20]:
        code, _, weight = part.strip().partition(";q=")
        try:
            accepted.append((float(weight or 1), code[:2].lower()))
        except ValueError:
            continue
    for _, code in sorted(accepted, key=lambda item: -item[0]):
        if code in LANGUAGES:
            return cast("Language", code)
    return "en"
