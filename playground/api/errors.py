"""Every failure in OpenAI's form, `{"error": {"message", "type", "param", "code"}}`, with a status and no trace."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from playground.api.receipts import receipt, what_happened
from playground.domain import Verdict
from playground.errors import Busy, HubBusy, InternalError, LimitReached, PlaygroundError

_BUSY_SECONDS = 5
INPUT_BLOCKED = "content_policy_violation"
"""The code of what the gate stops before any model is asked."""
# OpenAI's words where its clients look for them.
_CODES = {
    "unknown_model": "model_not_found",
    "context_too_long": "context_length_exceeded",
    "limit_reached": "rate_limit_exceeded",
    "no_schemas": "unsupported_parameter",
    "bad_schema": "invalid_json_schema",
    "rate_limited": "rate_limit_exceeded",
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_PARAMS = {
    "unknown_model": "model",
    "context_too_long": "messages",
    "message_too_long": "messages",
    "no_schemas": "response_format",
    "bad_schema": "response_format",
}
_MOST_NAME = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure as a client is told it. `retry_after` is in seconds; `more` are further fields of the error."""

    status: int
    message: str
    code: str
    param: str | None = None
    retry_after: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object."""
        kind = _TYPES.get(self.status) or ("server_error" if self.status >= 500 else "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error | dict(self.more)}

    @property
    def response(self) -> JSONResponse:
        """The whole answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body, self.status, headers)


class Refused(PlaygroundError):
    """A request that ends with a problem that is known already."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def refuse(message: str, param: str | None, code: str = "unsupported_parameter", status: int = 400) -> Refused:
    """A refusal that names the field."""
    return Refused(Problem(status, message, code, param))


def problem_of(error: PlaygroundError) -> Problem:
    """The problem that an error is."""
    if isinstance(error, Refused):
        return error.problem
    after: float | None = None
    if isinstance(error, LimitReached | HubBusy):
        after = error.retry_after
    return _told(error.code, str(error), error.http_status, after)


def problem_of_code(code: str, message: str) -> Problem:
    """The problem of an answer that failed: only code and sentence of its error are known."""
    statuses = {kind.code: kind.http_status for kind in _kinds(PlaygroundError)}
    return _told(code, message, statuses.get(code, 500), None)


def problem_of_verdict(verdict: Verdict) -> Problem:
    """The gate said no to what was sent (400), or could not look (503)."""
    code, status = INPUT_BLOCKED, 400
    if verdict.unavailable:
        code, status = "moderation_unavailable", 503
    return Problem(status, what_happened(verdict), code, "messages", more={"moderation": receipt(verdict)})


def problem_of_http(error: HTTPException) -> Problem:
    """What the router and the reader of bodies raise."""
    known = {
        404: ("There is nothing at this address. /v1/openapi.json lists what there is.", "not_found"),
        405: ("This address does not take this method. /v1/openapi.json says which.", "method_not_allowed"),
        413: ("The request is too large. Shorten the conversation, or ask the operator.", "request_too_large"),
    }
    message, code = known.get(
        error.status_code, ("The body cannot be read as JSON. Send one JSON object.", "invalid_json")
    )
    return Problem(error.status_code, message, code)


def problem_of_validation(error: RequestValidationError) -> Problem:
    """The first field that is wrong, by name; what was sent is not quoted."""
    return problem_of_fields([{**first, "loc": first["loc"][1:]} for first in error.errors()])


def problem_of_fields(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """The same for fields that came by another way than a body."""
    first = errors[0]
    path = ".".join(str(part) for part in first["loc"])[:_MOST_NAME] or None
    if first["type"] == "json_invalid":
        return Problem(400, "The body is not JSON. Send one JSON object.", "invalid_json")
    if first["type"] == "extra_forbidden":
        return Problem(
            400, f"Unknown field: {path}. /v1/openapi.json lists those that are known.", "unknown_parameter", path
        )
    if first["type"] == "missing" and path is not None:
        return Problem(400, f"The field {path} is missing.", "missing_required_parameter", path)
    message = f"{path or 'The body'}: {first['msg']}. Send JSON with `Content-Type: application/json`."
    return Problem(400, message if path is None else f"{path}: {first['msg']}.", "invalid_value", path)


def _told(code: str, message: str, status: int, after: float | None) -> Problem:
    if code == Busy.code:
        status, after = 429, _BUSY_SECONDS
    if status in {429, 503} and after is None:
        after = _BUSY_SECONDS
    return Problem(status, message, _CODES.get(code, code), _PARAMS.get(code), after)


def _kinds(kind: type[PlaygroundError]) -> Iterator[type[PlaygroundError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


UNEXPECTED = Problem(500, str(InternalError()), InternalError.code)
