"""What an engine is. The chat room knows this file and nothing else about how text is generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from playground.domain import FinishReason, Loading, Queued, Role, SamplingParams, Timings, Usage


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the model will see it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model receives: the turns, and their tokens through the model's own chat template.

    `token_ids` is empty for engines that tokenise elsewhere (echo, remote servers). The last `answered` of them are the
    beginning of the answer, which the model goes on from: an engine that tokenises here tells them as its first piece.
    """

    turns: tuple[Turn, ...]
    token_ids: tuple[int, ...] = ()
    answered: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of the answer, its natural-log probability, and the most probable alternatives (id, text, logprob).

    An id is -1 where a remote server tells only texts. `data` are the token's own bytes, which may be part of a
    character; empty where they are those of `text`.
    """

    token_id: int
    text: str
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that may stand at some place of an answer.

    `logprob` is the natural logarithm of the probability the model itself gives it; `share` is how probable it is to be
    drawn under the settings of a request: 0 for a token that they leave out.
    """

    token_id: int
    logprob: float
    share: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a model holds possible at one place of an answer.

    `stands` is the token that stands there (None: the answer ends before this place). `drawn` is the one that the
    request's settings and seed draw. `top` are the most probable tokens, the most probable first. `entropy` is that of
    the model's own distribution, in bits; `kept` counts the tokens that the settings leave to be drawn from.
    """

    stands: Candidate | None
    drawn: Candidate
    top: tuple[Candidate, ...]
    entropy: float
    kept: int


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer, never part of a UTF-8 character.

    `finish_reason`, `usage` and `timings` are set on the last piece of a stream, and only there. `reasoning` is a piece
    of the model's thinking, from engines that are told it apart (others leave the model's tags in `text`). `token_ids`
    on the last piece are the answer's tokens, as far as they are in its text, from engines that tokenise here. A piece
    without anything says that the engine still waits: a moment to look whether anybody still wants the answer.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    reasoning: str = ""
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How one server of a remote model does, as seen from here.

    `since` is when it came up or went down (UTC); `error` is the code of the latest failure while it is down, else
    empty. `first_token` is the median of the latest times to the first token, in seconds (None: not yet known).
    `left_out` names request parameters that the server refuses and that are no longer sent to it.
    """

    label: str
    up: bool
    since: datetime
    error: str = ""
    in_flight: int = 0
    answered: int = 0
    failed: int = 0
    first_token: float | None = None
    left_out: tuple[str, ...] = ()


@runtime_checkable
class Replicated(Protocol):
    """An engine whose model runs on servers elsewhere."""

    def servers(self) -> tuple[ServerHealth, ...]:
        """Each server, in the order of the catalogue row."""
        ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do with the loaded model. `context_length` is in tokens, 0 when unknown.

    `schemas`: answers can be held to a JSON schema. `alternatives` is for engines that cannot read an answer again: how
    many alternatives for every token they are asked for as they write, so that it can be looked into later (0: none).
    """

    context_length: int
    logprobs: bool
    concurrent: int
    schemas: bool = False
    alternatives: int = 0


class Tokenizer(Protocol):
    """The model's own tokenizer and chat template, cheap enough for the server process."""

    def encode_chat(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of the turns through the chat template, ending where the answer begins."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, without special tokens."""
        ...

    def encode_pieces(self, pieces: Sequence[tuple[str, bool]]) -> list[int]:
        """Token ids of a prompt in pieces of (text, markup): control tokens count in markup, in other pieces never."""
        ...


@runtime_checkable
class LegibleTokenizer(Tokenizer, Protocol):
    """A tokenizer that can also be read backwards: from tokens to text, and to where each token comes from."""

    def trace_chat(self, turns: Sequence[Turn]) -> list[tuple[int, int | None]]:
        """The tokens of `Tokenizer.encode_chat`, each with the index of the turn it is a part of.

        None stands for the template's own tokens. A token with characters of both belongs to the turn. Raises
        InvalidRequest when the template refuses the turns.
        """
        ...

    def texts(self, token_ids: Sequence[int], *, start: bool = False) -> list[str]:
        """What each token adds to the text of those before it, at the `start` of an answer or within a text.

        A token that only begins a character adds nothing; the one that completes it adds the character.
        """
        ...

    def name(self, token_id: int) -> str:
        """How the vocabulary itself writes a token: `<|im_end|>`, or `Ġthe`."""
        ...

    def is_control(self, token_id: int) -> bool:
        """Whether a token is no part of any text, such as one that ends an answer."""
        ...


Progress = Callable[[Loading | Queued], None]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the operator gives an engine: the same for every model.

    `threads` 0 chooses a number for this machine. `max_batch` counts answers written at the same time. `kv_cache_mb` is
    the memory for keys and values, in MiB. `device` is where a local model computes.
    """

    threads: int = 0
    max_batch: int = 8
    kv_cache_mb: int = 1024
    device: Device = "cpu"


class Engine(Protocol):
    """A loaded model that writes text."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """Write an answer, piece by piece. Closing the iterator cancels the work within one step.

        Raises EngineError (a subclass tells which): the pieces so far stay valid.
        """
        ...

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Natural-log probability of every token after the first, given those before it.

        Raises EngineError when the engine has no log-probabilities.
        """
        ...

    def close(self) -> None:
        """Give back memory and processes; may be called twice."""
        ...


@runtime_checkable
class TransparentEngine(Engine, Protocol):
    """An engine that shows how probable tokens are; `Capabilities.logprobs` says whether the loaded model does."""

    def look(self, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        """What the model holds possible at the places of the answer from `first` on, to the one after its last token.

        Places count from the beginning of the answer, whose tokens are the last `prompt.answered` ones; `count` is how
        many of the most probable tokens are told. What `drawn` says with a seed is what `generate` chooses at that
        place when the same tokens stand before it.

        Raises EngineError as `Engine.generate` does, and when there are no probabilities.
        """
        ...
