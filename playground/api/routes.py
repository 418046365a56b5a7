"""The API as one ASGI application, to be mounted under /v1."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response

from playground.api.answers import ChatForm, Form, TextForm
from playground.api.auth import Doorkeeper, Entrance
from playground.api.errors import (
    Problem,
    Refused,
    problem_of,
    problem_of_http,
    problem_of_validation,
    problem_of_verdict,
)
from playground.api.limits import Caller, Limits, Ticket
from playground.api.moderations import moderate
from playground.api.protocol import ChatBody, ModerationBody, Sampling, TextBody
from playground.api.requests import chat_params, read_prompt, read_turns, refuse_unsupported, text_params
from playground.api.sse import Asked, EventStream, WholeAnswer
from playground.catalog.spec import ModelSpec
from playground.chat.completions import CompletionRequest
from playground.chat.run import Run
from playground.domain import Blocked, Direction, Language, Message, SamplingParams
from playground.errors import PlaygroundError
from playground.services import Services

PREFIX = "/v1"
_Body = TypeVar("_Body", ChatBody, TextBody)
_DESCRIPTION = """OpenAI's API on this playground's models. Every text passes the safety layer, streamed or not; what it
decided is told in the extension field `moderation`. Extensions: `top_k`, `min_p`, `repetition_penalty`,
`reasoning_content`, `dropped_messages`."""
_NO_EMBEDDINGS = Problem(
    404, "No model here makes embeddings. Models that write text are at /v1/chat/completions.", "not_found"
)


def create_api(services: Services) -> FastAPI:
    """What is served below `PREFIX`."""
    settings = services.settings
    middleware = [Middleware(Entrance, doorkeeper=Doorkeeper(settings, services.keys))]
    app = FastAPI(
        title="Playground",
        version="1",
        description=_DESCRIPTION,
        middleware=middleware,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(_Routes(services).router)
    app.add_exception_handler(PlaygroundError, _told(problem_of))
    app.add_exception_handler(RequestValidationError, _told(problem_of_validation))
    app.add_exception_handler(HTTPException, _told(problem_of_http))
    return app


def _told(problem: Callable[[Any], Problem]) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        del request
        return problem(error).response

    return handler


class _Routes:
    """The addresses and what they do."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limits = Limits(services.settings, services.keys, services.usage)
        self._created = int(time.time())
        self.router = APIRouter()
        for path, handler, method in (
            ("/models", self.models, "GET"),
            ("/models/{model_id:path}", self.model, "GET"),
            ("/chat/completions", self.chat, "POST"),
            ("/completions", self.text, "POST"),
            ("/moderations", self.moderations, "POST"),
            ("/embeddings", self.embeddings, "POST"),
        ):
            self.router.add_api_route(path, handler, methods=[method], response_model=None)

    def models(self) -> JSONResponse:
        """Every model that may be asked, loaded or not."""
        loaded = {model.model_id for model in self._services.pool.status()}
        offered = [spec for spec in self._services.catalog if spec.offered]
        return JSONResponse({"object": "list", "data": [self._model(spec, loaded) for spec in offered]})

    def model(self, model_id: str) -> JSONResponse:
        """One model."""
        loaded = {model.model_id for model in self._services.pool.status()}
        return JSONResponse(self._model(self._services.catalog.get(model_id), loaded))

    async def chat(self, body: ChatBody, request: Request) -> Response:
        """Answer a conversation."""
        return await self._answer(request, body, ChatForm(), lambda asked: read_turns(asked.messages), chat_params)

    async def text(self, body: TextBody, request: Request) -> Response:
        """Answer a prompt; it is asked as a message, through the model's chat template."""
        return await self._answer(request, body, TextForm(), read_prompt, text_params)

    def moderations(self, body: ModerationBody, request: Request) -> JSONResponse:
        """What the safety layer says about texts."""
        ticket = self._limits.admit(request.state.caller)
        try:
            services = self._services
            longest = services.settings.max_message_chars
            return JSONResponse(moderate(body, services.moderator, _language(request), longest))
        finally:
            ticket.close()

    def embeddings(self) -> JSONResponse:
        """Says that there are none."""
        return _NO_EMBEDDINGS.response

    async def _answer(
        self,
        request: Request,
        body: _Body,
        form: Form,
        read: Callable[[_Body], tuple[Message, ...]],
        choose: Callable[[_Body, ModelSpec], SamplingParams],
    ) -> Response:
        refuse_unsupported(body)
        spec = self._services.catalog.get(body.model)
        params = choose(body, spec)
        asked = CompletionRequest(
            owner=request.state.caller.owner,
            model_id=spec.id,
            turns=read(body),
            params=params,
            choices=body.n or 1,
            language=_language(request),
        )
        runs, ticket = await run_in_threadpool(self._begin, asked, request.state.caller)
        answer = Asked(spec.id, form, runs, ticket, scored=params.logprobs is not None, counted=_counted(body))
        return EventStream(answer) if body.stream else WholeAnswer(answer)

    def _begin(self, asked: CompletionRequest, caller: Caller) -> tuple[tuple[Run, ...], Ticket]:
        """Runs that are going on, and their ticket. Raises Refused when the gate says no to what was sent."""
        ticket = self._limits.admit(caller)
        try:
            runs = self._services.chat.complete(asked)
        except BaseException:
            ticket.close()
            raise
        end = runs[0].snapshot().end
        if isinstance(end, Blocked) and end.verdict.direction is Direction.INPUT:
            ticket.close()
            raise Refused(problem_of_verdict(end.verdict))
        return runs, ticket

    def _model(self, spec: ModelSpec, loaded: set[str]) -> dict[str, Any]:
        return {
            "id": spec.id,
            "object": "model",
            "created": self._created,
            "owned_by": spec.family,
            "name": spec.name,
            "context_length": spec.context_length,
            "loaded": spec.id in loaded,
        }


def _counted(body: Sampling) -> bool:
    return bool(body.stream_options and body.stream_options.include_usage)


def _language(request: Request) -> Language:
    return "vi" if request.headers.get("accept-language", "").lower().startswith("vi") else "en"
