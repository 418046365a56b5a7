"""Every error this project raises on purpose.

PlaygroundError                      code                  HTTP
├── UserError                        bad_request           400   the person can mend it
│   ├── InvalidRequest               invalid_request       400
│   │   └── BadQuestions             bad_questions         400   a file of questions for a batch
│   ├── UnknownModel                 unknown_model         404
│   ├── UnknownConversation          unknown_conversation  404
│   ├── UnknownDecision              unknown_decision      404
│   ├── NoProbabilities              no_probabilities      400
│   │   ├── RunsElsewhere            runs_elsewhere        400   a server's model, asked for what only one here can do
│   │   └── TrailGone                trail_gone            400   what the server told while it wrote is not kept
│   ├── NoSchemas                    no_schemas            400   answers of this model are held to no form,
│   ├── BadSchema                    bad_schema            400   or not to this one
│   ├── MessageTooLong               message_too_long      413
│   ├── ContextTooLong               context_too_long      400
│   ├── NotTheOperator               not_the_operator      403
│   ├── Busy                         busy                  409
│   ├── KeyNeeded                    invalid_api_key       401   the API: no key, or one that is not in force
│   ├── NotAllowed                   not_allowed           403   the API: this address or site may not ask
│   └── LimitReached                 limit_reached         429   the API: asked too often, too much, or at once
├── ConfigError                      bad_config            500   the operator can mend it
├── EngineError                      engine_error          500
│   ├── ModelLoadError               model_load_error      503
│   │   └── ModelAbsent              model_absent          503   its files are not on this machine
│   ├── OutOfMemory                  out_of_memory         507
│   ├── WorkerDied                   worker_died           503
│   ├── EngineTimeout                engine_timeout        504
│   ├── ServerUnreachable            server_unreachable    503   a remote model's servers: down,
│   ├── ServerRefused                server_refused        502   set up wrongly (key, model name, redirect),
│   ├── ServerFailed                 server_failed         502   broken, or not of the expected form,
│   ├── RateLimited                  rate_limited          429   asked too often,
│   ├── FilteredThere                filtered_there        502   stopping an answer with a filter of their own,
│   ├── AnswerCut                    answer_cut            502   gone in the middle of an answer
│   ├── GpuQuotaSpent                gpu_quota_spent       429   a lent graphics card: no more time today,
│   ├── GpuTimeSpent                 gpu_time_spent        504   not long enough for this answer,
│   ├── NoGpuFree                    no_gpu_free           503   all of them in use
│   └── Cancelled                    cancelled             499   nobody waits for it any more
├── HubError                         hub_error             502   the model hub did not give what was asked for
│   ├── HubUnreachable               hub_unreachable       503
│   ├── HubBusy                      hub_busy              503
│   ├── AccessNeeded                 access_needed         403
│   ├── UnknownRepository            unknown_repository    404
│   ├── RefusedRepository            refused_repository    422
│   └── DamagedFile                  damaged_file          502
├── DiskFull                         disk_full             507
├── ModerationError                  moderation_error      500
│   ├── DetectorUnavailable          detector_unavailable  503
│   └── PolicyError                  bad_policy            500
├── StorageError                     storage_error         503
│   └── DatabaseUnreachable          database_unreachable  503   the database's server is away for a while
└── InternalError                    internal_error        500   nobody thought of it

`str(error)` is a sentence for the person who sees it, with the next step. It never quotes people's words.
"""

from __future__ import annotations

from typing import Literal


class PlaygroundError(Exception):
    """Base of all; `code` is stable and machine-readable, `http_status` is what an API answers."""

    code = "error"
    http_status = 500


class UserError(PlaygroundError):
    """The request cannot be served as it is; the person who made it can change that."""

    code = "bad_request"
    http_status = 400


class InvalidRequest(UserError):
    """A field is missing, of the wrong type, or out of range; the sentence names it."""

    code = "invalid_request"


QuestionFault = Literal["kind", "encoding", "empty", "long", "text", "json", "column", "csv", "many", "large"]


class BadQuestions(InvalidRequest):
    """A file of questions cannot be used: `reason` is a word for why, `row` where (0: the file as a whole)."""

    code = "bad_questions"

    def __init__(self, sentence: str, reason: QuestionFault, row: int = 0) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.row = row


class UnknownModel(UserError):
    """No model of that name is in the catalogue; the sentence lists near ones. Never a silent default."""

    code = "unknown_model"
    http_status = 404


class UnknownConversation(UserError):
    """The conversation does not exist, or belongs to somebody else: the two are not told apart."""

    code = "unknown_conversation"
    http_status = 404


class UnknownDecision(UserError):
    """The decision does not exist, or is about somebody else's text: the two are not told apart."""

    code = "unknown_decision"
    http_status = 404


class NoProbabilities(UserError):
    """The model's engine, or its server, does not show how probable tokens are."""

    code = "no_probabilities"


class RunsElsewhere(NoProbabilities):
    """The model runs on a server that is asked in words, and cannot be led or read token by token from here."""

    code = "runs_elsewhere"


class TrailGone(NoProbabilities):
    """What the server told about the tokens of an answer while it wrote is not kept any more."""

    code = "trail_gone"


class NoSchemas(UserError):
    """The model's engine cannot hold an answer to a JSON schema."""

    code = "no_schemas"


class BadSchema(UserError):
    """The JSON schema is none, is too large or too costly, or asks for what cannot be kept to."""

    code = "bad_schema"


class MessageTooLong(UserError):
    """The message exceeds the server's limit on characters; the sentence gives both numbers."""

    code = "message_too_long"
    http_status = 413


class ContextTooLong(UserError):
    """The newest message alone does not fit into the model's context window."""

    code = "context_too_long"


class NotTheOperator(UserError):
    """Only whoever runs the playground may do this."""

    code = "not_the_operator"
    http_status = 403


class Busy(UserError):
    """An answer is already being written in this conversation."""

    code = "busy"
    http_status = 409


class KeyNeeded(UserError):
    """The API wants a key here, or the one that came is not in force."""

    code = "invalid_api_key"
    http_status = 401


class NotAllowed(UserError):
    """The request came under a name, or from a web page, that the operator has not allowed."""

    code = "not_allowed"
    http_status = 403


class LimitReached(UserError):
    """A key or a visitor asked too often, too much, or too many things at once; `retry_after` is in seconds."""

    code = "limit_reached"
    http_status = 429

    def __init__(self, sentence: str, retry_after: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class ConfigError(PlaygroundError):
    """A setting is unknown or has a bad value; the sentence names it and where it was read."""

    code = "bad_config"


class EngineError(PlaygroundError):
    """The model could not answer."""

    code = "engine_error"


class ModelLoadError(EngineError):
    """The model folder is missing, incomplete, damaged or of a kind that no engine here runs."""

    code = "model_load_error"
    http_status = 503


class ModelAbsent(ModelLoadError):
    """The model's files are not on this machine, and nobody fetches them for this."""

    code = "model_absent"


class OutOfMemory(EngineError):
    """There is not enough memory for this model or this context length."""

    code = "out_of_memory"
    http_status = 507


class WorkerDied(EngineError):
    """The process that ran the model ended while it was answering."""

    code = "worker_died"
    http_status = 503


class EngineTimeout(EngineError):
    """The model gave no sign of life within the limit."""

    code = "engine_timeout"
    http_status = 504


class ServerUnreachable(EngineError):
    """No connection to a remote model's server; the sentence names it."""

    code = "server_unreachable"
    http_status = 503


class ServerRefused(EngineError):
    """A remote model's server turns the request away, and will until somebody mends key, model name or address."""

    code = "server_refused"
    http_status = 502


class ServerFailed(EngineError):
    """A remote model's server has an error of its own, or its answer is not of the expected form."""

    code = "server_failed"
    http_status = 502


class RateLimited(EngineError):
    """A remote model's server wants to be asked less often; the sentence says when it may be asked again."""

    code = "rate_limited"
    http_status = 429


class FilteredThere(EngineError):
    """A remote model's server stopped the answer with a filter of its own; this playground's gate had no part in it."""

    code = "filtered_there"
    http_status = 502


class AnswerCut(EngineError):
    """A remote model's server went away in the middle of an answer; what came until then is kept."""

    code = "answer_cut"
    http_status = 502


class GpuQuotaSpent(EngineError):
    """This person has had the time on lent graphics cards that there is for today."""

    code = "gpu_quota_spent"
    http_status = 429


class GpuTimeSpent(EngineError):
    """The answer needs a lent graphics card for longer than it is given."""

    code = "gpu_time_spent"
    http_status = 504


class NoGpuFree(EngineError):
    """Every graphics card that could be lent is in use."""

    code = "no_gpu_free"
    http_status = 503


class Cancelled(EngineError):
    """Whoever asked for the model gave up before it was ready."""

    code = "cancelled"
    http_status = 499


class HubError(PlaygroundError):
    """The model hub did not give what was asked for; the sentence never carries an access token."""

    code = "hub_error"
    http_status = 502


class HubUnreachable(HubError):
    """No connection, or the playground is set to be offline."""

    code = "hub_unreachable"
    http_status = 503


class HubBusy(HubError):
    """The hub limits requests or has trouble itself; `retry_after` is how many seconds it asked to wait (0: unsaid)."""

    code = "hub_busy"
    http_status = 503

    def __init__(self, sentence: str, retry_after: float = 0.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class AccessNeeded(HubError):
    """The repository is private, or gated by an agreement; the sentence says how to get access."""

    code = "access_needed"
    http_status = 403


class UnknownRepository(HubError):
    """No such repository, revision or file is on the hub."""

    code = "unknown_repository"
    http_status = 404


class RefusedRepository(HubError):
    """The repository has nothing that can be loaded without running its code, or tries to trick the reader."""

    code = "refused_repository"
    http_status = 422


class DamagedFile(HubError):
    """What arrived is not the file that was announced; it was deleted."""

    code = "damaged_file"
    http_status = 502


class DiskFull(PlaygroundError):
    """There is not enough room for the model's files; the sentence gives both numbers."""

    code = "disk_full"
    http_status = 507


class ModerationError(PlaygroundError):
    """The safety layer could not do its work."""

    code = "moderation_error"


class DetectorUnavailable(ModerationError):
    """A detector cannot run; the policy decides whether that blocks."""

    code = "detector_unavailable"
    http_status = 503


class PolicyError(ModerationError):
    """A policy file is malformed; the sentence names file, key and accepted values."""

    code = "bad_policy"


class StorageError(PlaygroundError):
    """The database cannot be read or written (read-only folder, full disk, locked)."""

    code = "storage_error"
    http_status = 503


class DatabaseUnreachable(StorageError):
    """The database's server cannot be reached, or takes nobody more; what cannot be stored now can be stored later."""

    code = "database_unreachable"


class InternalError(PlaygroundError):
    """Something nobody thought of. The log has the place in the code; the sentence tells nothing about it."""

    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("Something went wrong on the server. Try again.")
