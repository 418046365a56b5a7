"""Tokens that are read and not answered: how probable each is, and what else was possible at its place."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from playground.domain import SamplingParams
from playground.engines.contract import Candidate, Look
from playground.engines.sampling import Logits, Sampler, log_softmax, most_probable


class Reading(Protocol):
    """What is wanted of a list of tokens. `first` is the first place that anything is wanted of, from 1 on."""

    @property
    def first(self) -> int:
        """Tokens before this place minus one need not be computed again when their keys and values are kept."""
        ...

    @property
    def result(self) -> list[Any]:
        """One item per place, complete once all logits were taken in."""
        ...

    def take(self, logits: Logits, start: int) -> None:
        """The logits [tokens, vocabulary] after the tokens from place `start` on, in order."""
        ...


class Scores:
    """Natural-log probability of every token after the first."""

    first = 1

    def __init__(self, token_ids: list[int]) -> None:
        self._token_ids = token_ids
        self.result: list[float] = []

    def take(self, logits: Logits, start: int) -> None:
        """Note how probable the tokens after these are."""
        following = self._token_ids[start + 1 : start + 1 + len(logits)]
        self.result += [float(log_softmax(row)[token]) for row, token in zip(logits, following, strict=False)]


class Looks:
    """A `Look` at every place from `first` (of all tokens) to the one behind the last token.

    The answer has `chosen` tokens before `first`; `count` most probable tokens are told.
    """

    def __init__(
        self, token_ids: list[int], params: SamplingParams, vocab_size: int, *, first: int, chosen: int, count: int
    ) -> None:
        self.first = first
        self.result: list[Look] = []
        self._token_ids = token_ids
        self._count = count
        self._sampler = Sampler(params, token_ids[:first], vocab_size, chosen)

    def take(self, logits: Logits, start: int) -> None:
        """Look at the places after these tokens."""
        for place, row in enumerate(logits, start=start + 1):
            if place >= self.first:
                self.result.append(self._look(row, place))

    def _look(self, logits: Logits, place: int) -> Look:
        logprobs = log_softmax(logits)
        shares = self._sampler.shares(logits)

        def candidate(token: int) -> Candidate:
            return Candidate(token, float(logprobs[token]), float(shares[token]))

        drawn = candidate(self._sampler.draw(logits))
        stands = candidate(self._token_ids[place]) if place < len(self._token_ids) else None
        if stands is not None:
            self._sampler.note(stands.token_id)
        return Look(
            stands=stands,
            drawn=drawn,
            top=tuple(candidate(token) for token, _ in most_probable(logprobs, self._count)),
            entropy=float(-(np.exp(logprobs) * logprobs).sum(dtype=np.float64)) / math.log(2),
            kept=int(np.count_nonzero(shares)),
        )
