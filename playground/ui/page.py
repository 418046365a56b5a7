"""What every page is wrapped in: headers that keep it to this server, and a head of its own instead of Gradio's."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.domain import Language
from playground.ui.assets import Bundle, load_assets
from playground.ui.owner import YEAR_SECONDS, cookie_attributes
from playground.ui.words import LANGUAGES, Words, load_words
from playground.ui.workbench.access import ROOT

# What runs in the page: files of this server, and the inline scripts that the server itself marked. Gradio makes
# functions of the text of its templates, and styles of everything, so eval and inline styles stay. No other host.
_POLICY = (
    "default-src 'self'; script-src 'self' {marked} 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {framing}"
)
VIEWPORT = "width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"
MOUNTS = tuple(f"/{language}" for language in LANGUAGES)
WORKBENCHES = tuple(f"{ROOT}/{language}" for language in LANGUAGES)
ARENA = "/arena"
ARENAS = tuple(f"{ARENA}/{language}" for language in LANGUAGES)
_ROOTS: dict[Bundle, str] = {"page": "", "workbench": ROOT, "arena": ARENA}
_OWN_WORDS: dict[Bundle, tuple[str, ...]] = {
    "page": (),
    "workbench": ("workbench.",),
    "arena": ("arena.", "board.", "duels.", "history."),
}
"""Sections of words that no other page needs."""
PAGES: dict[str, tuple[Language, Bundle]] = {
    f"{root}/{code}{end}": (code, bundle) for bundle, root in _ROOTS.items() for code in LANGUAGES for end in ("", "/")
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SECURE = {"Strict-Transport-Security": f"max-age={YEAR_SECONDS}"}
"""Besides, where the request came by https: browsers keep to it."""
# A Space's page is shown in a frame of the Hub's.
FRAMING_SITE = "https://huggingface.co"
# What the page needs of Gradio. Its other routes (uploads, files, requests on somebody's behalf, descriptions of the
# API, editing by a model, monitoring) answer 404.
OPEN = re.compile(
    rf"(?:{ROOT}|{ARENA})?/(en|vi)(/|/theme\.css|/config/?|/(assets|static|svelte)/[^?]+"
    r"|/gradio_api/(theme\.css|queue/join|queue/data|run/predict/?|cancel|reset|heartbeat/\w+|startup-events|app_id/?))?"
)
_GRADIO_HEAD = re.compile(
    r'\s*<meta\s+(?:property="og:|name="(?:twitter:|viewport"))[^>]*>|\s*<link rel="manifest"[^>]*>'
)
_BASE = re.compile(r"<base [^>]*>")
_SCRIPT = re.compile(r"<script(?=[\s>])")


def policy_for(*, framed: bool, nonce: str = "") -> str:
    """The content policy; `framed`: the Hub, and nobody else, may show the page in a frame of its own.

    Inline scripts run that carry the `nonce`; without one, only the early script, known by its hash.
    """
    digest = base64.b64encode(hashlib.sha256(load_assets().early.encode()).digest()).decode()
    marked = f"'nonce-{nonce}'" if nonce else f"'sha256-{digest}'"
    return _POLICY.format(marked=marked, framing=f"'self' {FRAMING_SITE}" if framed else "'self'")


def headers_for(*, framed: bool) -> Mapping[str, str]:
    """The headers of every answer that has none of its own."""
    kept = {name: value for name, value in HEADERS.items() if not (framed and name == "X-Frame-Options")}
    return kept | {"Content-Security-Policy": policy_for(framed=framed)}  # the former knows no other site


class SecurityHeaders:
    """Adds the headers to every answer and closes the parts of Gradio that the page does not use."""

    def __init__(self, app: ASGIApp, *, framed: bool = False) -> None:
        self._app = app
        self._headers = dict(headers_for(framed=framed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 404 for a closed part."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        told = self._headers | SECURE if scope["scheme"] == "https" else self._headers

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in told.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["path"].startswith((*MOUNTS, *WORKBENCHES, *ARENAS)) and not OPEN.fullmatch(scope["path"]):
            await with_headers({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, with_headers)


class OwnHead:
    """Rewrites the HTML that Gradio serves: language, title, early theme, our style sheet, scripts and words."""

    def __init__(self, app: ASGIApp, *, framed: bool = False) -> None:
        self._app = app
        self._framed = framed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a page is collected, rewritten and sent in one piece."""
        page = PAGES.get(scope["path"]) if scope["type"] == "http" else None
        if page is None:
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()
        words, bundle = load_words(page[0]), page[1]

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = MutableHeaders(scope=start)
            content = bytes(body)
            if headers.get("content-type", "").startswith("text/html"):
                nonce = secrets.token_urlsafe(16)
                content = rewrite(content.decode("utf-8"), words, bundle, nonce, framed=self._framed).encode("utf-8")
                headers["Content-Length"] = str(len(content))
                headers["Content-Security-Policy"] = policy_for(framed=self._framed, nonce=nonce)
                headers["Cache-Control"] = "no-store"
            await send(start)
            await send({"type": "http.response.body", "body": content})

        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app({**scope, "headers": plain}, receive, collect)


def rewrite(page: str, words: Words, bundle: Bundle, nonce: str, *, framed: bool = False) -> str:
    """Gradio's HTML with a head of our own and its scripts marked. Nothing in it comes from people or models."""
    page = page.replace('lang="en"', f'lang="{words.language}"', 1)
    page = _GRADIO_HEAD.sub("", page)
    page = _BASE.sub(lambda base: base.group() + own_head(words, bundle, framed=framed), page, count=1)
    return _SCRIPT.sub(f'<script nonce="{nonce}"', page)


def own_head(words: Words, bundle: Bundle, *, framed: bool = False) -> str:
    """Title, previews, icon, and what must be there before Gradio starts."""
    assets = load_assets(bundle)
    title, description = html.escape(words(f"{bundle}.title")), html.escape(words("page.description"))
    others = tuple(section for page, sections in _OWN_WORDS.items() if page != bundle for section in sections)
    sent = {key: text for key, text in words.table.items() if not key.startswith(others)}
    facts = {"words": sent, "languages": LANGUAGES, "logo": "/static/favicon.svg"}
    facts |= {"cookie": cookie_attributes(framed=framed)}
    inline = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
    return f"""
<title>{title}</title>
<meta name="description" content="{description}">
<meta name="viewport" content="{VIEWPORT}">
<meta property="og:title" content="{title}">
<meta property="og:description" content="{description}">
<meta property="og:type" content="website">
<meta property="og:locale" content="{words.language}">
<meta name="theme-color" content="#f8f8f9" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#18181c" media="(prefers-color-scheme: dark)">
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">
<link rel="preload" href="/static/fonts/inter-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="/static/{bundle}.css?v={assets.version}">
<script>window.playground = {inline};
{assets.early}</script>
<script src="/static/{bundle}.js?v={assets.version}"></script>
"""
