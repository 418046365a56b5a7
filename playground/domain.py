"""The vocabulary every room shares: what a message, a request, an event and a verdict are.

Only the standard library is imported here, and nothing here changes after it was made. Text offsets are Python
string indices (Unicode code points); durations are seconds unless a name says otherwise; times are UTC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal
from uuid import uuid4

Role = Literal["system", "user", "assistant"]
Language = Literal["en", "vi"]


def new_id() -> str:
    """A random identifier of 32 hexadecimal digits, for conversations, messages, runs and decisions."""
    return uuid4().hex


def utc_now() -> datetime:
    """The current time, aware of being UTC."""
    return datetime.now(UTC)


class FinishReason(StrEnum):
    """Why an answer ended. The first three are OpenAI's words for it."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class Direction(StrEnum):
    """Whose text is screened: what a person typed, or what a model wrote."""

    INPUT = "input"
    OUTPUT = "output"


class Action(StrEnum):
    """What the policy does about a finding, from nothing to everything."""

    ALLOW = "allow"
    WARN = "warn"
    REDACT = "redact"
    BLOCK = "block"


class Stage(StrEnum):
    """What a model is doing before it can answer."""

    LEASING = "leasing"
    DOWNLOADING = "downloading"
    CONVERTING = "converting"
    LOADING = "loading"
    WARMING_UP = "warming_up"
    PREFILLING = "prefilling"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen, per request.

    `temperature` 0 is greedy. `top_k` 0, `top_p` 1 and `min_p` 0 switch the respective filter off, and so does a
    `repetition_penalty` of 1. `presence_penalty` and `frequency_penalty` are taken off the logit of a token that is in
    the answer already, once and once for every time (OpenAI's definition); 0 switches them off. `seed` None draws one.
    `logprobs` is the number of alternatives reported for every token (None: none are computed). `schema` is a JSON
    schema, as JSON text, that the answer has to keep to (None: it is free).

    Raises ValueError, with a sentence naming the parameter, its value and the accepted range.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    schema: str | None = None

    def __post_init__(self) -> None:
        _within("temperature", self.temperature, 0.0, 5.0)
        _within("top_p", self.top_p, 0.0, 1.0)
        _within("top_k", self.top_k, 0, 1_000_000)
        _within("min_p", self.min_p, 0.0, 1.0)
        _within("repetition_penalty", self.repetition_penalty, 0.1, 10.0)
        _within("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        _within("max_tokens", self.max_tokens, 1, 1_000_000)
        if self.seed is not None:
            _within("seed", self.seed, 0, 2**63 - 1)
        if self.logprobs is not None:
            _within("logprobs", self.logprobs, 0, 20)
        if len(self.stop) > 16 or any(not text for text in self.stop):
            raise ValueError("stop takes at most 16 texts, none of them empty.")


def _within(name: str, value: float, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}.")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `cached_tokens` of the prompt were not computed again (keys and values were kept)."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of one answer: waiting in line, until the first token, and from the first to the last token."""

    queued: float = 0.0
    first_token: float = 0.0
    decoding: float = 0.0

    def tokens_per_second(self, completion_tokens: int) -> float | None:
        """Decoding speed over the tokens after the first one; None when there are too few to tell."""
        if completion_tokens < 2 or self.decoding <= 0:
            return None
        return (completion_tokens - 1) / self.decoding


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a detector saw. `span` is (start, end) in the text that was scanned.

    `windows` is in how many pieces the text was read, for a model that cannot read a long one at once. `judged` says
    that the detector judged a piece of text as a whole, as a classifier does, and cannot point at a rule.
    """

    category: str
    score: float
    span: tuple[int, int]
    detector: str
    version: str
    explanation: str = ""
    windows: int = 1
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """A finding, and what the policy says about it.

    `shadow` is what a rule on trial would do; it is measured and never done. None when there is none, or no difference.
    """

    finding: Finding
    action: Action
    threshold: float
    shadow: Action | None = None

    @property
    def telling(self) -> bool:
        """Whether this belongs into a decision: something is done, or would be."""
        return self.action is not Action.ALLOW or self.shadow is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The explained decision about one text: the receipt. It never carries the text itself.

    `text_hash` (keyed, see `moderation.fingerprint`) and `text_length` (characters) are those of the whole text for
    input; for output, of the stretch that the rulings cover. `language` is the one whose rules applied.
    `degraded` names detectors that could not run although the policy lets the text pass; when one of them is the
    reason for blocking, `unavailable` is true: the check could not run, and nobody broke a rule.
    """

    direction: Direction
    action: Action
    rulings: tuple[Ruling, ...] = ()
    policy: str = ""
    elapsed_ms: float = 0.0
    degraded: tuple[str, ...] = ()
    unavailable: bool = False
    language: Language | None = None
    text_hash: str = ""
    text_length: int = 0
    id: str = field(default_factory=new_id)

    @property
    def silent(self) -> bool:
        """Whether nothing was done and nobody needs to know: only rules on trial had something to say."""
        return self.action is Action.ALLOW and not self.degraded

    @property
    def decisive(self) -> Ruling | None:
        """The ruling that explains the action best: of those that carry it, one that points at a rule rather than a
        judgement, and then the highest score.
        """
        carrying = [ruling for ruling in self.rulings if ruling.action is self.action]
        return max(carrying, key=lambda ruling: (not ruling.finding.judged, ruling.finding.score), default=None)


@dataclass(frozen=True, slots=True)
class Making:
    """How an answer was made, as far as it is kept for a look inside: none of it has any words.

    `received` and `written` are keyed hashes of the tokens that the model received and wrote; empty where they are not
    known. `frame` is what stood before its thoughts and behind them, with the white space that is not shown; None for
    an answer without thoughts, and for thoughts that do not stand at its beginning alone.
    """

    received: str = ""
    written: str = ""
    frame: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `parent_id` makes the conversation a tree: a retry or an edit is a sibling, nothing is overwritten.

    `finish_reason` is None while an answer streams, and for messages that people wrote. `model_id` names the model
    that answered. `verdicts` are the decisions a person should be told about (warned, redacted, blocked). `making` is
    set for answers that ended.
    """

    role: Role
    content: str
    id: str = field(default_factory=new_id)
    parent_id: str | None = None
    created_at: datetime = field(default_factory=utc_now)
    model_id: str | None = None
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    dropped_messages: int = 0
    verdicts: tuple[Verdict, ...] = ()
    error: str | None = None
    making: Making | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A named list of turns that belongs to one session (`owner`). `leaf_id` is the end of the branch on display.

    `comparison_id` is set for one side of a comparison: such a conversation is seen through its comparison only.
    """

    owner: str
    id: str = field(default_factory=new_id)
    title: str = ""
    model_id: str | None = None
    system_prompt: str = ""
    params: SamplingParams | None = None
    leaf_id: str | None = None
    comparison_id: str | None = None
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to one model.

    `text` None asks again for an answer to `parent_id`, which then is a user's message (retry). Otherwise the text
    becomes a new user message below `parent_id` (None: the first message; an older message: an edit, as a branch).
    `beginning` are tokens of the model that another answer begins with, when one is asked for again.
    `params` None takes the model's own defaults. `conversation_id` None starts a conversation.
    """

    owner: str
    model_id: str
    text: str | None
    conversation_id: str | None = None
    parent_id: str | None = None
    system_prompt: str = ""
    params: SamplingParams | None = None
    language: Language = "en"
    beginning: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting in line; `position` 1 is next."""

    position: int


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download is, in bytes. `speed` is bytes per second over the last seconds, 0 while it stands still.

    `seconds_left` is None when it cannot be told.
    """

    done: int
    total: int
    speed: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being made ready. `fraction` 0 to 1, or None when it cannot be told.

    `download` has the numbers of the stage `downloading`, and is None in every other.
    """

    stage: Stage
    fraction: float | None = None
    detail: str = ""
    download: Download | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Released text of the answer, to be joined verbatim."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Released text of the model's thinking, to be joined verbatim."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token of released text, its bytes, and its natural-log probability.

    `top` are the most probable alternatives as (text, log-probability), without those that may not be shown.
    """

    text: str
    data: bytes
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenScores:
    """The tokens of the answer's text that the next TextDelta releases, as far as they may be shown."""

    tokens: tuple[TokenScore, ...]


@dataclass(frozen=True, slots=True)
class Checking:
    """Text was written and is held back until it is screened; `held` counts its characters."""

    held: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """The gate said no; this ends the run. The text is neither shown nor stored.

    `verdicts` are all decisions about the answer that people are told of; `usage` is what was computed until then.
    """

    verdict: Verdict
    usage: Usage = Usage()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete as far as it will be. `verdicts` are the warnings and redactions on the way."""

    reason: FinishReason
    usage: Usage = Usage()
    timings: Timings = Timings()
    dropped_messages: int = 0
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Something broke. `code` is stable, `message` is a sentence for the person with the next step."""

    code: str
    message: str


ChatEvent = Queued | Loading | TokenScores | TextDelta | ReasoningDelta | Checking | Blocked | Finished | Failed
