"""The way in and out of the workbench, and the file of labelled cases: plain pages without Gradio."""

from __future__ import annotations

import html
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from playground.domain import Language
from playground.errors import StorageError
from playground.review.workbench import Workbench
from playground.ui.assets import load_assets
from playground.ui.words import Words, load_words
from playground.ui.workbench.access import COOKIE, LOGIN, ROOT, SESSION_SECONDS, Doorkeeper, TooManyAttempts

CASES = f"{ROOT}/cases.jsonl"
LOGOUT = f"{ROOT}/logout"
_LONGEST_FORM = 4096


def entrance_routes(
    workbench: Workbench, doorkeeper: Doorkeeper, language_of: Callable[[Request], Language]
) -> list[BaseRoute]:
    """/workbench (which picks a language), its way in and out, and the labelled cases."""

    async def lead(request: Request) -> Response:
        return _lead(f"{ROOT}/{language_of(request)}/")

    async def login(request: Request) -> Response:
        words = load_words(language_of(request))
        if await run_in_threadpool(doorkeeper.admits, request):
            return _lead(f"{ROOT}/{words.language}/")
        if not doorkeeper.has_token:
            return _page(words, _closed(words), 403)
        if request.method == "GET":
            return _page(words, _form(words), 200)
        session = await _signed_in(doorkeeper, request, words)
        if isinstance(session, Response):
            return session
        answer = _lead(f"{ROOT}/{words.language}/")
        _set_cookie(answer, request, session, SESSION_SECONDS)
        return answer

    async def logout(request: Request) -> Response:
        await run_in_threadpool(doorkeeper.close, request.cookies.get(COOKIE, ""))
        answer = _lead(LOGIN)
        _set_cookie(answer, request, "", 0)
        return answer

    async def cases(_: Request) -> Response:
        lines = await run_in_threadpool(lambda: "".join(workbench.cases()))
        name = {"Content-Disposition": 'attachment; filename="cases.jsonl"', "Cache-Control": "no-store"}
        return Response(lines, media_type="application/x-ndjson", headers=name)

    return [
        Route(ROOT, lead),
        Route(f"{ROOT}/", lead),
        Route(LOGIN, login, methods=["GET", "POST"]),
        Route(LOGOUT, logout, methods=["POST"]),
        Route(CASES, cases),
    ]


async def _signed_in(doorkeeper: Doorkeeper, request: Request, words: Words) -> str | Response:
    """A session for the right token, else the page that says what is wrong."""
    address = request.client.host if request.client else ""
    try:
        session = await run_in_threadpool(doorkeeper.open, await _token(request), address)
    except TooManyAttempts as error:
        return _page(words, _form(words, words("workbench.login_wait")), error.http_status)
    except StorageError as error:
        return _page(words, _form(words, words(f"error.{error.code}")), error.http_status)
    return session or _page(words, _form(words, words("workbench.login_wrong")), 403)


async def _token(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            return ""
    fields = parse_qs(body.decode("utf-8", "replace"))
    return fields.get("token", [""])[0].strip()


def _lead(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


def _set_cookie(answer: Response, request: Request, session: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, session, seconds, path="/", secure=secure, httponly=True, samesite="strict")


def _form(words: Words, error: str = "") -> str:
    told = f'<p class="login-error" role="alert">{html.escape(error)}</p>' if error else ""
    described = ' aria-invalid="true"' if error else ""
    return f"""<p>{html.escape(words("workbench.login_text"))}</p>
<form method="post" action="{LOGIN}">
<label for="token">{html.escape(words("workbench.login_label"))}</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus{described}>
{told}<button class="btn btn-primary" type="submit">{html.escape(words("workbench.login_enter"))}</button>
</form>"""


def _closed(words: Words) -> str:
    return f"<p>{html.escape(words('workbench.login_closed'))}</p>"


def _page(words: Words, content: str, status: int) -> Response:
    assets = load_assets("workbench")
    title = html.escape(words("workbench.title"))
    page = f"""<!doctype html>
<html lang="{words.language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">
<script>{assets.early}</script>
<link rel="stylesheet" href="/static/workbench.css?v={assets.version}">
</head>
<body class="login">
<main><img src="/static/favicon.svg" alt="" width="36" height="36"><h1>{title}</h1>
{content}
<p class="login-back"><a href="/{words.language}/">{html.escape(words("workbench.back"))}</a></p>
</main>
</body>
</html>"""
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})
