"""The API as one ASGI application, to be mounted under /v1."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response

from playground.api.answers import ChatForm, Form, TextForm
from playground.api.asking import Asking, language_of
from playground.api.auth import Doorkeeper, Entrance
from playground.api.errors import Problem, problem_of, problem_of_http, problem_of_validation
from playground.api.limits import Limits
from playground.api.moderations import moderate
from playground.api.protocol import ChatBody, ModerationBody, Sampling, TextBody
from playground.api.requests import chat_params, read_prompt, read_turns, text_params
from playground.api.sse import Asked, EventStream, WholeAnswer
from playground.catalog.spec import ModelSpec
from playground.domain import Message, SamplingParams
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


def create_api(services: Services, limits: Limits | None = None) -> FastAPI:
    """What is served below `PREFIX`. `limits` are shared with other doors (None: there is no other)."""
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
    app.include_router(_Routes(services, limits or Limits(services.settings, services.keys, services.usage)).router)
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

    def __init__(self, services: Services, limits: Limits) -> None:
        self._services = services
        self._limits = limits
        self._asking = Asking(services, limits)
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
            return JSONResponse(moderate(body, services.moderator, language_of(request), longest))
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
        begun = await self._asking.begin(request.state.caller, body, read, choose, language_of(request))
        scored = begun.params.logprobs is not None
        answer = Asked(begun.spec.id, form, begun.runs, begun.ticket, scored=scored, counted=_counted(body))
        return EventStream(answer) if body.stream else WholeAnswer(answer)

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
