"""Who may call the API, and from which web pages."""

from __future__ import annotations

import logging
import traceback

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.api.errors import UNEXPECTED, problem_of, problem_of_http
from playground.api.limits import Caller
from playground.config import Settings
from playground.errors import KeyNeeded, NotAllowed, PlaygroundError
from playground.loopback import comes_from_here, is_loopback
from playground.storage.keys import KeyStore

log = logging.getLogger(__name__)

_MOST_KEY = 200
# Describes the API and tells nothing of anybody.
OPEN = frozenset({"/openapi.json"})


class Doorkeeper:
    """Decides who calls: a key in force, or a visitor where none is needed."""

    def __init__(self, settings: Settings, keys: KeyStore) -> None:
        self._keys = keys
        self._needed = settings.api_keys
        self._listens_here = is_loopback(settings.host)
        self._origins = frozenset(listed(settings.allowed_origins))

    def admit(self, connection: HTTPConnection) -> Caller:
        """Who this is. Raises NotAllowed, KeyNeeded or StorageError."""
        secret = _bearer(connection)
        key = self._keys.find(secret) if secret else None
        if key is not None:
            return Caller(f"key-{key.id}", key)
        if self._needed == "required" or (self._needed == "auto" and not self._is_here(connection)):
            raise KeyNeeded(_WRONG if secret else _MISSING)
        origin = connection.headers.get("origin")
        if (
            origin is not None
            and origin not in self._origins
            and origin.partition("://")[2] != connection.headers.get("host")
        ):
            raise NotAllowed("Web pages of other sites may not call this server. Its operator can allow them.")
        return Caller(f"visitor-{connection.client.host if connection.client else ''}"[:64])

    def _is_here(self, connection: HTTPConnection) -> bool:
        return self._listens_here and comes_from_here(connection, self._origins)


_MISSING = "A key is needed here: send `Authorization: Bearer KEY`. The operator makes one with `keys create`."
_WRONG = "This key is not in force. Check it, or ask the operator for another one."


class Entrance:
    """Lets in whoever may; whatever goes wrong inside is told in OpenAI's form."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # nothing here speaks another protocol: such a connection is not accepted
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._enter(scope, receive, noted)
        except PlaygroundError as error:
            problem = problem_of(error)
        except HTTPException as error:
            problem = problem_of_http(error)
        except Exception as error:  # noqa: BLE001  the last line: a trace may quote what people wrote
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("api: %s in %s, line %s", type(error).__name__, place.name, place.lineno)  # noqa: TRY400
            problem = UNEXPECTED
        else:
            return
        if not begun:
            await problem.response(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if scope["path"].removeprefix(scope.get("root_path", "")) not in OPEN:
            scope.setdefault("state", {})["caller"] = await run_in_threadpool(self._doorkeeper.admit, connection)
        await self._app(scope, receive, send)


def listed(setting: str) -> list[str]:
    """The parts of a setting that has several, by commas."""
    return [part.strip() for part in setting.split(",") if part.strip()]


def _bearer(connection: HTTPConnection) -> str:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and len(secret) <= _MOST_KEY else ""
