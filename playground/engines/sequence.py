"""One answer on its way: its tokens, its row of the cache, its sampler, its text, and whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playground.domain import FinishReason, Loading, Queued, SamplingParams, Timings, Usage
from playground.engines.contract import Delta, TokenLogprob
from playground.engines.detokenizer import Detokenizer, Vocabulary
from playground.engines.grammar import Grammar
from playground.engines.reading import Reading
from playground.engines.sampling import Logits, Sampler, log_softmax, most_probable
from playground.engines.stop_texts import StopTexts
from playground.errors import BadSchema, PlaygroundError

Event = Delta | Loading | Queued | list[Any] | PlaygroundError
Listener = Callable[[Event], None]

# Text is handed on at most this often, and a sign of life at least that often.
FLUSH_SECONDS = 0.02
LIFE_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class Row:
    """A row of the key-value cache and the tokens it holds. Without an owner it is kept for a follow-up, or empty."""

    index: int
    tokens: list[int] = field(default_factory=list)
    owner: Sequence | None = None
    last_used: float = 0.0


class Sequence:
    """A prompt and the answer to it, from the queue to the last token. `limit` is the longest answer, in tokens.

    `reading` not None asks for something about the prompt's tokens instead of an answer. The last `answered` tokens of
    the prompt are the beginning of the answer. `grammar` says what the answer may go on with (None: anything); what
    goes wrong with it is the `failure` of this answer alone. `greedy` says that the largest logit is the next token and
    `choose` need not be called. `cancelled` may be set from any thread; everything else belongs to the engine's thread.
    """

    def __init__(
        self,
        prompt: list[int],
        params: SamplingParams,
        limit: int,
        vocabulary: Vocabulary,
        listener: Listener | None = None,
        *,
        answered: int = 0,
        grammar: Grammar | None = None,
    ) -> None:
        self.prompt = prompt
        self.limit = limit
        self.reading: Reading | None = None
        self.cancelled = False
        self.row: Row | None = None
        self.cached = 0
        self.generated = 0
        self.last_token = -1
        self.finish: FinishReason | None = None
        self.failure: PlaygroundError | None = None
        self._answered = answered
        self._grammar = grammar
        self._sampler = Sampler(params, prompt, vocabulary.size, answered)
        self._alternatives = params.logprobs
        self.greedy = self._sampler.greedy and params.logprobs is None and grammar is None
        self._vocabulary = vocabulary
        self.listener = listener or _nobody
        self._detokenizer = Detokenizer(vocabulary.table)
        self._stop = StopTexts(params.stop)
        self._stopped = False
        self._one_by_one = bool(params.stop)
        self._text: list[str] = []
        self._written: list[tuple[int, int]] = []  # tokens, and where in the text each begins
        self._read_characters = self._released_characters = 0
        self._logprobs: list[TokenLogprob] = []
        self._arrived = self._heard = time.monotonic()
        self._admitted = self._first = self._last = 0.0
        if answered:
            self._begin(prompt[-answered:])

    @property
    def reusable(self) -> int:
        """How many of the prompt's tokens need not be computed when a row has them: those whose logits nobody needs."""
        return len(self.prompt) - 1 if self.reading is None else self.reading.first - 1

    @property
    def remaining(self) -> int:
        """How many more tokens the answer may have."""
        return self.limit - self.generated

    @property
    def progress(self) -> float:
        """How much of what the prompt needs computed is done, 0 to 1."""
        done = len(self.row.tokens) if self.row is not None else 0
        return (done - self.cached) / max(1, len(self.prompt) - self.cached)

    def admit(self, row: Row, cached: int) -> None:
        """A row was found; `cached` tokens of the prompt are in it already."""
        self.row = row
        self.cached = cached
        self._admitted = time.monotonic()

    def tell(self, event: Event) -> None:
        """Say something to whoever listens."""
        self._heard = time.monotonic()
        self.listener(event)

    def choose(self, logits: Logits) -> int:
        """The next token after logits [vocabulary]; notes its log-probability when the request asks for it.

        That is the model's own, whatever a grammar leaves to choose from.
        """
        token = self._sampler.choose(logits) if self._grammar is None else self._choose_within(self._grammar, logits)
        if self._alternatives is not None:
            logprobs = log_softmax(logits)
            best = most_probable(logprobs, self._alternatives)
            top = tuple((index, self._piece(index), value) for index, value in best)
            data = self._vocabulary.table.bytes_of([token])
            self._logprobs.append(TokenLogprob(token, self._piece(token), float(logprobs[token]), top, data))
        return token

    def _choose_within(self, grammar: Grammar, logits: Logits) -> int:
        try:
            token = grammar.take(self._sampler.draw(grammar.hold(logits)))
        except BadSchema as error:
            self.failure = error
            return min(self._vocabulary.eos_ids)  # ends the burst, in which others write
        self._sampler.note(token)
        return token

    def take(self, tokens: list[int]) -> None:
        """Accept newly chosen tokens; an end-of-answer token can only be the last of them. Sets `finish` at the end."""
        now = time.monotonic()
        if not self.generated:
            self._first = now
        self._last = now
        self.last_token = tokens[-1]
        if self.last_token in self._vocabulary.eos_ids:
            self.finish = FinishReason.STOP
        self._read(tokens)
        if self.finish is None and self.remaining <= 0:
            whole = self._grammar is not None and self._grammar.complete
            self.finish = FinishReason.STOP if whole else FinishReason.LENGTH
        if self.finish is None:
            self._flush(now)

    def complete(self) -> None:
        """Hand on the rest of the text with usage and timings."""
        self.tell(self.last_delta())

    def last_delta(self) -> Delta:
        """The rest of the text with usage and timings."""
        if not self._stopped:
            self._release(self._detokenizer.finish())
        if not self._stopped:
            self._text.append(self._stop.finish())
        timings = Timings(
            queued=self._admitted - self._arrived,
            first_token=self._first - self._arrived,
            decoding=self._last - self._first,
        )
        return Delta(
            "".join(self._text),
            tuple(self._logprobs),
            self.finish or FinishReason.CANCELLED,
            Usage(len(self.prompt) - self._answered, self.generated, self.cached),
            timings if self._first else Timings(),
            token_ids=self._kept(),
        )

    def _kept(self) -> tuple[int, ...]:
        """The answer's tokens but for the one that ends it, and for those that a stop text cut away."""
        end = self._released_characters if self._stopped else self._read_characters + 1
        eos_ids = self._vocabulary.eos_ids
        return tuple(token for token, start in self._written if start < end and token not in eos_ids)

    def _begin(self, tokens: list[int]) -> None:
        """The answer has a beginning, which may be all of it."""
        for token in tokens:
            if not self._stopped:
                self._write([token])
        if tokens[-1] in self._vocabulary.eos_ids:
            self.finish = FinishReason.STOP

    def _read(self, tokens: list[int]) -> None:
        """Turn tokens into text, up to a stop text; tokens behind it do not count."""
        if not self._one_by_one:
            self.generated += len(tokens)
            self._write(tokens)
            return
        for place, token in enumerate(tokens, start=1):
            self.generated += 1
            self._write([token])
            if self._stopped:
                del self._logprobs[len(self._logprobs) - (len(tokens) - place) :]
                return

    def _write(self, tokens: list[int]) -> None:
        self._written += [(token, self._read_characters) for token in tokens]
        text = self._detokenizer.feed(tokens)
        self._read_characters += len(text)
        self._release(text)

    def _release(self, text: str) -> None:
        released, self._stopped = self._stop.feed(text)
        if released:
            self._text.append(released)
            self._released_characters += len(released)
        if self._stopped:
            self.finish = FinishReason.STOP

    def _flush(self, now: float) -> None:
        waited = now - self._heard
        if (self._text and (waited >= FLUSH_SECONDS or now == self._first)) or waited >= LIFE_SECONDS:
            delta = Delta("".join(self._text), tuple(self._logprobs))
            self._text, self._logprobs = [], []
            self.tell(delta)

    def _piece(self, token: int) -> str:
        return self._vocabulary.table.bytes_of([token]).decode("utf-8", "replace")


def _nobody(event: Event) -> None:
    del event
