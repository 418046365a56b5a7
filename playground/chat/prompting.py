"""From a branch of a conversation to what the model receives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from playground.catalog.spec import ModelSpec
from playground.domain import FinishReason, Message, SamplingParams
from playground.engines.contract import Prompt, Tokenizer, Turn
from playground.errors import ContextTooLong, InvalidRequest

Exchange = tuple[Message, Message]
STEP = 4
LEFT_OUT = frozenset({FinishReason.CONTENT_FILTER, FinishReason.ERROR})


@dataclass(frozen=True, slots=True)
class Built:
    """A prompt, the parameters with `max_tokens` that fit beside it, and the messages that did not fit."""

    prompt: Prompt
    params: SamplingParams
    dropped: tuple[Message, ...]

    @property
    def dropped_messages(self) -> int:
        """How many did not fit."""
        return len(self.dropped)


def build(
    branch: Sequence[Message],
    spec: ModelSpec,
    params: SamplingParams,
    *,
    system_prompt: str = "",
    tokenizer: Tokenizer | None = None,
    context_length: int = 0,
    beginning: tuple[int, ...] = (),
) -> Built:
    """What the model receives of `branch`, which ends with the question; `context_length` 0 takes that of `spec`.

    Questions whose answer was blocked or failed are left out together with it: templates want turns to alternate.
    Of the rest the newest are kept: at most `spec.history_turns` exchanges, and as many as fit into the context
    beside the answer (`max_tokens`, but at most half of the context). What did not fit is counted. A long history
    gives way `STEP` exchanges at a time: most prompts then begin like the one before, and the engine need not compute
    that again. Without a tokenizer only the number of exchanges limits the history; the engine knows its context.
    `beginning` are tokens of the answer; `max_tokens` counts them.

    Raises ContextTooLong when the question alone does not fit; InvalidRequest for a beginning without a tokenizer.
    """
    question = branch[-1]
    exchanges = answered_questions(branch[:-1])
    start = 0 if spec.history_turns is None else max(0, len(exchanges) - spec.history_turns)
    if tokenizer is None:
        if beginning:
            raise InvalidRequest(f"{spec.name} runs elsewhere and cannot go on from a token. Choose another model.")
        return Built(Prompt(_turns(system_prompt, exchanges[start:], question)), params, _messages(exchanges[:start]))
    context = context_length or spec.context_length
    room = context - min(params.max_tokens, context // 2)
    start = _likely(exchanges, start, tokenizer, room)
    while True:
        turns = _turns(system_prompt, exchanges[start:], question)
        tokens = tokenizer.encode_chat(turns)
        if len(tokens) <= room:
            break
        if start == len(exchanges):
            raise ContextTooLong(_too_long(spec, len(tokens), room))
        start = _stepped(start + 1, len(exchanges))
    fitting = replace(params, max_tokens=min(params.max_tokens, context - len(tokens)))
    prompt = Prompt(turns, (*tokens, *beginning), len(beginning))
    return Built(prompt, fitting, _messages(exchanges[:start]))


def _messages(exchanges: Sequence[Exchange]) -> tuple[Message, ...]:
    return tuple(message for exchange in exchanges for message in exchange)


def answered_questions(earlier: Sequence[Message]) -> list[Exchange]:
    """Questions with their answers, as far as a model may see them: without those that were blocked or failed."""
    return [
        (asked, answered)
        for asked, answered in pairwise(earlier)
        if asked.role == "user"
        and answered.role == "assistant"
        and answered.content.strip()
        and answered.finish_reason not in LEFT_OUT
    ]


def _likely(exchanges: list[Exchange], start: int, tokenizer: Tokenizer, room: int) -> int:
    """From where the bare texts fit: a long history is not tokenised from its very beginning."""
    used = 0
    for at in range(len(exchanges) - 1, start - 1, -1):
        used += sum(len(tokenizer.encode(message.content)) for message in exchanges[at])
        if used > room:
            return _stepped(at + 1, len(exchanges))
    return start


def _stepped(start: int, count: int) -> int:
    return start + -start % STEP if count - start > 2 * STEP else start


def _turns(system_prompt: str, exchanges: Sequence[Exchange], question: Message) -> tuple[Turn, ...]:
    system = [Turn("system", system_prompt)] if system_prompt.strip() else []
    history = [Turn(message.role, message.content) for message in _messages(exchanges)]
    return (*system, *history, Turn("user", question.content))


def _too_long(spec: ModelSpec, tokens: int, room: int) -> str:
    return (
        f"Your message is {tokens:,} tokens long with the system prompt; {spec.name} has room for {room:,}. "
        "Shorten it, lower max_tokens, or choose a model with a longer context."
    )
