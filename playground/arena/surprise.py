"""Cross-surprise: how probable each model finds its own answer, and the other's, token by token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playground.arena.contract import Surprise, SurpriseView
from playground.catalog.spec import ModelSpec
from playground.chat import prompting
from playground.chat.answering import EngineSource, Preparation
from playground.domain import Message, SamplingParams
from playground.engines.contract import LegibleTokenizer
from playground.errors import InvalidRequest, NoProbabilities

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")


@dataclass(frozen=True, slots=True)
class Reader:
    """A model that reads answers: its row, and what it was told beside the conversation."""

    spec: ModelSpec
    params: SamplingParams
    system_prompt: str = ""


def read_answers(
    engines: EngineSource,
    models: Preparation | None,
    readers: Sequence[Reader],
    branches: Sequence[tuple[Message, ...]],
) -> SurpriseView:
    """Each answer, the last message of its branch, under each model, one model after the other.

    Raises InvalidRequest when there is no answer, NoProbabilities for a model that shows none, and what loading raises.
    """
    if any(not branch or branch[-1].role != "assistant" or not branch[-1].content for branch in branches):
        raise InvalidRequest("Both sides need an answer first. Ask something, and wait for it.")
    columns = [_read_all(engines, models, reader, branches) for reader in readers]
    return SurpriseView(tuple(tuple(column[answer] for column in columns) for answer in range(len(branches))))


def _read_all(
    engines: EngineSource, models: Preparation | None, reader: Reader, branches: Sequence[tuple[Message, ...]]
) -> list[Surprise]:
    spec = reader.spec if models is None else models.prepare(reader.spec, lambda _: None, _never)
    with engines.acquire(spec) as engine:
        tokenizer = engines.tokenizer(spec)
        if not isinstance(tokenizer, LegibleTokenizer) or not engine.capabilities.logprobs:
            raise NoProbabilities(f"{spec.name} shows no probabilities. Compare models that run on this machine.")
        found = []
        for branch in branches:
            answer = tokenizer.encode(branch[-1].content)
            built = prompting.build(
                branch[:-1],
                spec,
                reader.params,
                system_prompt=reader.system_prompt,
                tokenizer=tokenizer,
                context_length=engine.capabilities.context_length,
            )
            asked = list(built.prompt.token_ids)
            room = engine.capabilities.context_length or len(asked) + len(answer)
            answer = answer[: max(1, room - len(asked))]
            scores = engine.score([*asked, *answer])[-len(answer) :]
            texts = tokenizer.texts(answer, start=True)
            found.append(_surprise(spec.id, branch[-1].content, texts, scores))
    return found


def _surprise(model_id: str, answer: str, texts: Sequence[str], scores: Sequence[float]) -> Surprise:
    words = len(_WORD.findall(answer))
    return Surprise(
        model_id=model_id,
        tokens=tuple(zip(texts, scores, strict=True)),
        mean=sum(scores) / len(scores),
        tokens_per_word=len(scores) / words if words else None,
    )


def _never() -> bool:
    return False
