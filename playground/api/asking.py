"""From a checked body to runs that have begun: the one way in, by whichever door a request came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from playground.api.errors import Refused, problem_of_verdict
from playground.api.limits import Caller, Limits, Ticket
from playground.api.protocol import ChatBody, TextBody
from playground.api.requests import refuse_unsupported
from playground.catalog.spec import ModelSpec
from playground.chat.completions import CompletionRequest
from playground.chat.run import Run
from playground.domain import Blocked, Direction, Language, Message, SamplingParams
from playground.engines.registry import check_schema
from playground.log import about_request
from playground.services import Services

_Body = TypeVar("_Body", ChatBody, TextBody)


@dataclass(frozen=True, slots=True)
class Begun:
    """What answers a request: a run for every choice. The ticket is closed by whoever follows them."""

    spec: ModelSpec
    params: SamplingParams
    runs: Sequence[Run]
    ticket: Ticket


class Asking:
    """Begins answers, within the limits of whoever asks."""

    def __init__(self, services: Services, limits: Limits) -> None:
        self._services = services
        self._limits = limits

    async def begin(
        self,
        caller: Caller,
        body: _Body,
        read: Callable[[_Body], tuple[Message, ...]],
        choose: Callable[[_Body, ModelSpec], SamplingParams],
        language: Language,
    ) -> Begun:
        """Screen what was sent, and stand in line. `read` gives the turns of a body, `choose` its parameters.

        Raises Refused for what the gate stops, with the receipt, and for what cannot be served; LimitReached; whatever
        `Completions.start` raises.
        """
        refuse_unsupported(body)
        spec = self._services.catalog.get(body.model)
        params = choose(body, spec)
        asked = CompletionRequest(
            owner=caller.owner,
            model_id=spec.id,
            turns=read(body),
            params=params,
            choices=body.n or 1,
            language=language,
        )
        if params.schema is not None:
            await run_in_threadpool(check_schema, spec, params.schema)
        ticket = self._limits.admit(caller)
        try:
            with about_request(caller.request):
                runs = await run_in_threadpool(self._services.chat.complete, asked)
        except BaseException:
            ticket.close()
            raise
        end = runs[0].snapshot().end
        if isinstance(end, Blocked) and end.verdict.direction is Direction.INPUT:
            ticket.close()
            raise Refused(problem_of_verdict(end.verdict))
        return Begun(spec, params, runs, ticket)


def language_of(connection: HTTPConnection) -> Language:
    """The language in which a client is likely to write, from what its request says about itself."""
    return "vi" if connection.headers.get("accept-language", "").lower().startswith("vi") else "en"
