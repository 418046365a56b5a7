"""What the server and a worker say to each other: length-prefixed JSON over two pipes, and nothing that runs.

A frame is a list whose first item names it. Server to worker: `load` (with how to log), `generate`, `score` and `look`
(each with its number and the id of the request it is for), `cancel`. Worker to server: `progress`, `loaded`, `delta`,
`scores`, `looks`, `error`.
"""

from __future__ import annotations

import json
import struct
import threading
from pathlib import Path
from typing import IO, Any

from playground import errors
from playground.catalog.spec import ModelSource, ModelSpec
from playground.domain import FinishReason, Loading, Queued, SamplingParams, Stage, Timings, Usage
from playground.engines.contract import Candidate, Delta, Look, Prompt, TokenLogprob, Turn
from playground.errors import EngineError, PlaygroundError

MAX_FRAME_BYTES = 256 * 2**20
_LENGTH = struct.Struct("<I")
Frame = list[Any]


class Wire:
    """Sends frames from any thread, receives them on one."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader = reader
        self._writer = writer
        self._lock = threading.Lock()

    def send(self, frame: Frame) -> None:
        """Write one frame. Raises OSError or ValueError when the other side is gone."""
        data = json.dumps(frame, separators=(",", ":")).encode()
        with self._lock:
            self._writer.write(_LENGTH.pack(len(data)) + data)
            self._writer.flush()

    def receive(self) -> Frame | None:
        """The next frame; None, for good, when the other side is gone or does not speak this language."""
        frame = self._read_frame()
        if frame is None:
            self._reader.close()
        return frame

    def _read_frame(self) -> Frame | None:
        try:
            header = self._reader.read(_LENGTH.size)
            if len(header) < _LENGTH.size:
                return None
            (size,) = _LENGTH.unpack(header)
            data = self._reader.read(size) if size <= MAX_FRAME_BYTES else b""
            frame = json.loads(data) if len(data) == size else None
        except (OSError, ValueError):
            return None
        return frame if isinstance(frame, list) and frame else None

    def hang_up(self) -> None:
        """Say nothing more: the other side reads the end of the stream."""
        if self._lock.acquire(timeout=1):  # somebody may be stuck writing to a process that reads no more
            try:
                self._writer.close()
            except OSError:  # what was still to be written has no reader any more
                return
            finally:
                self._lock.release()


def pack_spec(spec: ModelSpec) -> dict[str, Any]:
    """The part of a model's row that an engine needs."""
    return {
        "id": spec.id,
        "name": spec.name,
        "family": spec.family,
        "engine": spec.engine,
        "context_length": spec.context_length,
        "path": None if spec.path is None else str(spec.path.absolute()),
        "precision": spec.precision,
        "engine_options": spec.engine_options,
        "variant": spec.source.variant if spec.source is not None else "",
    }


def unpack_spec(packed: dict[str, Any]) -> ModelSpec:
    """The row again, without what only people read."""
    path, variant = packed.pop("path"), packed.pop("variant")
    return ModelSpec(
        **packed,
        path=None if path is None else Path(path),
        source=ModelSource(variant=variant) if variant else None,
        description={},
        licence="",
        languages=(),
    )


def pack_prompt(prompt: Prompt) -> list[Any]:
    """Turns, token ids, and how many of these are the answer's."""
    return [[[turn.role, turn.content] for turn in prompt.turns], prompt.token_ids, prompt.answered]


def unpack_prompt(packed: list[Any]) -> Prompt:
    """The prompt again."""
    turns, token_ids, answered = packed
    return Prompt(tuple(Turn(role, content) for role, content in turns), tuple(token_ids), answered)


def pack_params(params: SamplingParams) -> dict[str, Any]:
    """Every field by name."""
    return {name: getattr(params, name) for name in SamplingParams.__slots__}


def unpack_params(packed: dict[str, Any]) -> SamplingParams:
    """The parameters again."""
    return SamplingParams(**{**packed, "stop": tuple(packed["stop"])})


def pack_delta(delta: Delta) -> list[Any]:
    """Just the text for a piece in the middle; all of it for the last one or with log-probabilities."""
    if delta.finish_reason is None and not delta.logprobs and not delta.reasoning:
        return [delta.text]
    logprobs = [[item.token_id, item.text, item.logprob, item.top, item.data.hex()] for item in delta.logprobs]
    if delta.finish_reason is None:
        return [delta.text, logprobs, delta.reasoning]
    usage, timings = delta.usage or Usage(), delta.timings or Timings()
    return [
        delta.text,
        logprobs,
        delta.reasoning,
        delta.finish_reason,
        [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens],
        [timings.queued, timings.first_token, timings.decoding],
        delta.token_ids,
    ]


def unpack_delta(packed: list[Any]) -> Delta:
    """The piece again."""
    if len(packed) == 1:
        return Delta(packed[0])
    logprobs = tuple(
        TokenLogprob(
            token_id, text, logprob, tuple((other, piece, value) for other, piece, value in top), bytes.fromhex(data)
        )
        for token_id, text, logprob, top, data in packed[1]
    )
    if len(packed) == 3:
        return Delta(packed[0], logprobs, reasoning=packed[2])
    text, _, reasoning, reason, usage, timings, token_ids = packed
    return Delta(text, logprobs, FinishReason(reason), Usage(*usage), Timings(*timings), reasoning, tuple(token_ids))


def pack_look(look: Look) -> list[Any]:
    """Candidates as their three numbers."""
    stands = None if look.stands is None else _pack_candidate(look.stands)
    return [stands, _pack_candidate(look.drawn), [_pack_candidate(one) for one in look.top], look.entropy, look.kept]


def unpack_look(packed: list[Any]) -> Look:
    """The look again."""
    stands, drawn, top, entropy, kept = packed
    known = None if stands is None else Candidate(*stands)
    return Look(known, Candidate(*drawn), tuple(Candidate(*one) for one in top), entropy, kept)


def _pack_candidate(candidate: Candidate) -> list[Any]:
    return [candidate.token_id, candidate.logprob, candidate.share]


def pack_progress(news: Loading | Queued) -> list[Any]:
    """A place in line, or a stage."""
    return [news.position] if isinstance(news, Queued) else [news.stage, news.fraction, news.detail]


def unpack_progress(packed: list[Any]) -> Loading | Queued:
    """The news again."""
    if len(packed) == 1:
        return Queued(packed[0])
    stage, fraction, detail = packed
    return Loading(Stage(stage), fraction, detail)


def pack_error(error: PlaygroundError) -> list[Any]:
    """Its code and its sentence."""
    return [error.code, str(error)]


def unpack_error(packed: list[Any]) -> PlaygroundError:
    """An error of the class with that code; a plain EngineError when there is none."""
    code, sentence = packed
    return _ERRORS.get(code, EngineError)(sentence)


_ERRORS: dict[str, type[PlaygroundError]] = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlaygroundError)
}
