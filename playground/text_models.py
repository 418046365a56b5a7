"""Language models for the safety layer: a `TextModel` on an engine of its own.

Guards have a pool beside the one of the chat models. An answer holds its model while the gate looks at it: if both came
from one pool, two answers could wait for each other's places for ever.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Queued, SamplingParams
from playground.engines.contract import Delta, Engine, Progress, Prompt, Tokenizer
from playground.engines.pool import EnginePool
from playground.errors import DetectorUnavailable, EngineTimeout, PlaygroundError, UnknownModel
from playground.moderation.contract import Completion, Piece

logger = logging.getLogger(__name__)

Prepare = Callable[[ModelSpec, Progress, Callable[[], bool]], ModelSpec]
_SMALL_FILE = 2**20  # bytes; larger ones tell their version by name and size


class EngineTextModel:
    """The model `model_id` of a catalogue, on an engine of a pool; looked up and loaded when it is first asked.

    `seconds` bounds every call, loading included: a call that takes longer fails, while loading goes on for the next.
    `prepare` brings a model that is not here yet and says how it runs.
    Safe to use from several threads.
    """

    def __init__(
        self,
        model_id: str,
        catalog: Callable[[], Catalog],
        pool: EnginePool,
        *,
        seconds: float,
        prepare: Prepare | None = None,
    ) -> None:
        self._model_id = model_id
        self._catalog = catalog
        self._pool = pool
        self._prepare = prepare
        self._seconds = seconds
        self._lock = threading.Lock()
        self._spec: ModelSpec | None = None
        self._version = model_id

    @property
    def version(self) -> str:
        """`id@revision`; the revision is a hash over the folder's file names and sizes and its small files."""
        return self._version

    def context_length(self) -> int:
        """As the engine says, which may have less memory than the model was made for."""
        with self._failing(), self._engine(time.monotonic() + self._seconds) as engine:
            return engine.capabilities.context_length

    def measure(self, pieces: Sequence[Piece]) -> int:
        """Tokens of a prompt."""
        with self._failing():
            return len(self._encode(pieces))

    def complete(self, pieces: Sequence[Piece], *, max_tokens: int, alternatives: int) -> Completion:
        """The likeliest continuation; without alternatives from an engine that has no log-probabilities."""
        deadline = time.monotonic() + self._seconds
        with self._failing(), self._engine(deadline) as engine:
            told = alternatives if alternatives and engine.capabilities.logprobs else None
            params = SamplingParams(temperature=0.0, max_tokens=max_tokens, logprobs=told)
            prompt = Prompt((), tuple(self._encode(pieces)))

            def in_time(news: Loading | Queued | None = None) -> None:
                del news
                if time.monotonic() > deadline:
                    raise EngineTimeout(f"It did not answer within {self._seconds:g} seconds.")

            text: list[str] = []
            first: tuple[tuple[str, float], ...] = ()
            generated = engine.generate(prompt, params, in_time)
            with closing(cast("Generator[Delta]", generated)) as deltas:
                for delta in deltas:
                    in_time()
                    text.append(delta.text)
                    if delta.logprobs and not first:
                        first = tuple((token, logprob) for _, token, logprob in delta.logprobs[0].top)
            return Completion("".join(text), first)

    @contextmanager
    def _engine(self, deadline: float) -> Iterator[Engine]:
        with self._pool.acquire(self._found(), cancelled=lambda: time.monotonic() > deadline) as engine:
            yield engine

    def _encode(self, pieces: Sequence[Piece]) -> list[int]:
        return self._tokenizer().encode_pieces([(piece.text, piece.markup) for piece in pieces])

    def _tokenizer(self) -> Tokenizer:
        spec = self._found()
        tokenizer = self._pool.tokenizer(spec)
        if tokenizer is None:
            raise DetectorUnavailable(
                f"The engine {spec.engine} of the model {self._model_id} takes no prompts of a form of their own, "
                "which guards need. Give the model an engine that runs here."
            )
        return tokenizer

    def _found(self) -> ModelSpec:
        with self._lock:
            if self._spec is None:
                self._spec = self._ready(self._catalog().get(self._model_id))
            if self._version == self._model_id and self._spec.path is not None and self._spec.path.is_dir():
                self._version = f"{self._model_id}@{_revision(self._spec.path)}"
            return self._spec

    def _ready(self, spec: ModelSpec) -> ModelSpec:
        if self._prepare is None:
            return spec
        deadline = time.monotonic() + self._seconds
        return self._prepare(spec, _ignore, lambda: time.monotonic() > deadline)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever the catalogue, the files or the engine raise, as a detector that cannot run."""
        try:
            yield
        except DetectorUnavailable:
            raise
        except UnknownModel as error:
            raise DetectorUnavailable(
                f"The model {self._model_id} is not in the catalogue. Add it to the file of the setting models_file."
            ) from error
        except (PlaygroundError, OSError) as error:
            logger.warning("the guard model %s failed: %s", self._model_id, type(error).__name__)
            raise DetectorUnavailable(f"The guard model {self._model_id} could not answer: {error}") from error


def _ignore(news: Loading | Queued) -> None:
    del news


def _revision(folder: Path) -> str:
    """8 hexadecimal digits that change when files of the folder do."""
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(folder.iterdir()):
        if path.is_file():
            size = path.stat().st_size
            digest.update(f"{path.name}\0{size}\0".encode())
            digest.update(path.read_bytes() if size <= _SMALL_FILE else b"")
    return digest.hexdigest()
