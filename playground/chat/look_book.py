"""Looks at answers that were taken already: a model reads the same tokens once as long as nothing changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from playground.catalog.spec import ModelSpec
from playground.chat.answering import EngineSource, Preparation
from playground.domain import Loading, Queued, SamplingParams
from playground.engines.contract import Engine, LegibleTokenizer, Look, Prompt, TransparentEngine
from playground.errors import NoProbabilities, RunsElsewhere

_KEPT = 32


class LookBook:
    """Keeps the latest looks in memory. Safe to use from many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, object], tuple[Look, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def looks(
        self,
        engine: Engine,
        spec: ModelSpec,
        prompt: Prompt,
        answer: Sequence[int],
        params: SamplingParams,
        *,
        count: int,
        conversation_id: str,
    ) -> tuple[Look, ...]:
        """The look at every place of an answer to `prompt`, and behind its last token; see `TransparentEngine.look`.

        It is kept for the conversation of the answer. A model that was fetched anew lies in another folder.

        Raises NoProbabilities and what the engine raises.
        """
        model = (spec.id, spec.engine, spec.path, spec.precision)
        key = conversation_id, (model, prompt.token_ids, tuple(answer), params, count)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        whole = replace(prompt, token_ids=(*prompt.token_ids, *answer), answered=len(answer))
        looks = tuple(transparent(engine, spec).look(whole, params, first=0, count=count))
        with self._lock:
            self._kept[key] = looks
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return looks

    def forget(self, conversation_id: str) -> None:
        """A conversation was put away: what was seen of its answers goes."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == conversation_id]:
                del self._kept[key]


def transparent(engine: Engine, spec: ModelSpec) -> TransparentEngine:
    """The engine, if it shows how probable tokens are. Raises NoProbabilities."""
    if not isinstance(engine, TransparentEngine) or not engine.capabilities.logprobs:
        raise NoProbabilities(f"{spec.name} does not show how probable tokens are. Choose another model.")
    return engine


def legible(engines: EngineSource, models: Preparation | None, spec: ModelSpec) -> tuple[ModelSpec, LegibleTokenizer]:
    """The row to load and the model's tokenizer, if the model is here and its tokens can be shown.

    Nothing is downloaded for a look. Raises RunsElsewhere of a server's model, ModelAbsent, NoProbabilities, and what
    `prepare` raises.
    """
    if spec.servers:
        raise RunsElsewhere(
            f"{spec.name} runs on a server that is asked in words: it cannot be led or read token by token from here. "
            "For that, choose a model that runs here."
        )
    if models is not None:
        spec = models.prepare(spec, _ignore, _never, fetch=False)
    tokenizer = engines.tokenizer(spec)
    if not isinstance(tokenizer, LegibleTokenizer):
        raise NoProbabilities(
            f"{spec.name} does not show its tokens: they are made elsewhere. Choose a model that runs here."
        )
    return spec, tokenizer


def _ignore(news: Loading | Queued) -> None:
    del news


def _never() -> bool:
    return False
