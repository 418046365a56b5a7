"""How the next token is chosen from the logits of one row.

The order is that of `transformers`: repetition penalty, temperature, top-k, top-p, min-p; then one draw from what is
left. Presence and frequency penalties, which it does not have, come after the repetition penalty. Nothing is sorted but
the few candidates that can matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.domain import SamplingParams

Logits = NDArray[np.floating[Any]]
# Cut-offs, relative to the most probable token, at which the nucleus is looked for before everything is sorted.
_CUTOFFS = (1e-2, 1e-4)
# Sums are taken over blocks of so many weights, and running sums within one block only.
_BLOCK = 256


class Sampler:
    """Chooses the tokens of one answer. The same seed gives the same choices, whoever else is being answered.

    `chosen` tokens of the answer are there already and among `prompt_ids`: the choices go on as they would have.
    `greedy` says that the largest logit is the choice and `choose` need not be called.
    """

    def __init__(self, params: SamplingParams, prompt_ids: Iterable[int], vocab_size: int, chosen: int = 0) -> None:
        self._params = params
        bits = np.random.PCG64(params.seed)
        self._random = np.random.Generator(bits.advance(chosen) if chosen else bits)  # one number a token
        ids = list(prompt_ids)
        self._penalised: NDArray[np.bool_] | None = None
        if params.repetition_penalty != 1.0:
            self._penalised = np.zeros(vocab_size, np.bool_)
            self._penalised[ids] = True
        self._counts = bool(params.presence_penalty or params.frequency_penalty)
        self._written = Counter(ids[len(ids) - chosen :] if self._counts else ())
        self.greedy = params.temperature == 0 and self._penalised is None and not self._counts

    def choose(self, logits: Logits) -> int:
        """The next token after logits [vocabulary], which are left as they are."""
        chosen = self.draw(logits)
        self.note(chosen)
        return chosen

    def draw(self, logits: Logits) -> int:
        """What `choose` would choose. The number drawn for it is used up; the token does not count as chosen yet."""
        scores = self._adjusted(logits)
        return int(scores.argmax()) if self._params.temperature == 0 else self._draw(scores)

    def note(self, token: int) -> None:
        """This token was chosen."""
        if self._penalised is not None:
            self._penalised[token] = True
        if self._counts:
            self._written[token] += 1

    def shares(self, logits: Logits) -> NDArray[np.float64]:
        """How probable every token of [vocabulary] is to be drawn: what penalty, temperature and filters leave."""
        scores = self._adjusted(logits)
        shares = np.zeros(len(scores))
        if self._params.temperature == 0:
            shares[scores.argmax()] = 1.0
            return shares
        ids, weights = self._candidates(scores)
        shares[slice(None) if ids is None else ids] = weights / weights.sum(dtype=np.float64)
        return shares

    def _adjusted(self, logits: Logits) -> Logits:
        scores = self._penalise(logits) if self._penalised is not None else logits
        return self._discount(scores) if self._written else scores

    def _penalise(self, logits: Logits) -> Logits:
        """Divide positive logits of seen tokens by the penalty, multiply negative ones (arXiv:1909.05858, 4.1)."""
        penalty = self._params.repetition_penalty
        scores = logits.copy()
        seen = scores[self._penalised]
        scores[self._penalised] = np.where(seen > 0, seen / penalty, seen * penalty)
        return scores

    def _discount(self, scores: Logits) -> Logits:
        """Take the presence penalty and, for every time, the frequency penalty off tokens of the answer.

        From OpenAI's API reference: mu[j] - c[j] * frequency_penalty - (c[j] > 0) * presence_penalty.
        """
        ids = np.fromiter(self._written, np.intp, len(self._written))
        counts = np.fromiter(self._written.values(), np.float32, len(self._written))
        scores = np.array(scores, np.float32)
        scores[ids] -= self._params.presence_penalty + counts * self._params.frequency_penalty
        return scores

    def _draw(self, scores: Logits) -> int:
        ids, weights = self._candidates(scores)
        at = _pick(weights, self._random.random())
        return at if ids is None else int(ids[at])

    def _candidates(self, scores: Logits) -> tuple[NDArray[np.intp] | None, Logits]:
        """Tokens that may be drawn, by id (None: all of them), with weights relative to the most probable one."""
        params = self._params
        scores = np.asarray(scores, np.float32)
        ids: NDArray[np.intp] | None = None
        if 0 < params.top_k < len(scores):
            ids = np.sort(np.argpartition(scores, -params.top_k)[-params.top_k :])
            scores = scores[ids]
        weights = scores - scores.max()
        weights *= np.float32(1 / max(params.temperature, 1e-4))
        np.exp(weights, out=weights)
        if params.top_p < 1.0:
            ids, weights = _take(ids, weights, _nucleus(weights, params.top_p))
        if params.min_p > 0.0:
            ids, weights = _take(ids, weights, np.flatnonzero(weights >= params.min_p))
        return ids, weights


def _take(
    ids: NDArray[np.intp] | None, weights: Logits, kept: NDArray[np.intp]
) -> tuple[NDArray[np.intp] | None, Logits]:
    return kept if ids is None else ids[kept], weights[kept]


def _nucleus(weights: Logits, top_p: float) -> NDArray[np.intp]:
    """Positions, ascending, of the fewest largest weights that make up `top_p` of their sum."""
    wanted = top_p * float(weights.sum())
    near = weights
    for cutoff in _CUTOFFS:
        near = weights[weights > cutoff]
        if float(near.sum()) >= wanted:
            break
    else:
        near = weights
    ordered = np.sort(near)[::-1]
    count = int(ordered.cumsum(dtype=np.float64).searchsorted(wanted)) + 1
    return np.flatnonzero(weights >= ordered[min(count, len(ordered)) - 1])


def _pick(weights: Logits, share: float) -> int:
    """The position where the running sum of the weights passes `share` (0 to 1) of the whole sum."""
    if len(weights) <= 2 * _BLOCK:
        return _pick_within(weights, share * float(weights.sum(dtype=np.float64)))
    blocks = np.add.reduceat(weights, np.arange(0, len(weights), _BLOCK), dtype=np.float64).cumsum()
    goal = share * float(blocks[-1])
    block = min(int(blocks.searchsorted(goal, side="right")), len(blocks) - 1)
    before = float(blocks[block - 1]) if block else 0.0
    return block * _BLOCK + _pick_within(weights[block * _BLOCK : (block + 1) * _BLOCK], goal - before)


def _pick_within(weights: Logits, goal: float) -> int:
    at = int(weights.cumsum(dtype=np.float64).searchsorted(goal, side="right"))
    return min(at, len(weights) - 1)


def log_softmax(logits: Logits) -> NDArray[np.float32]:
    """Natural-log probabilities of [vocabulary]."""
    shifted = np.asarray(logits, np.float32) - np.float32(logits.max())
    return np.asarray(shifted - np.float32(np.log(np.exp(shifted).sum(dtype=np.float64))))


def most_probable(logprobs: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
    """The `count` most probable tokens of [vocabulary], most probable first."""
    count = min(count, len(logprobs))
    if count == 0:
        return []
    best = np.argpartition(logprobs, -count)[-count:]
    best = best[np.argsort(-logprobs[best], kind="stable")]
    return [(int(index), float(logprobs[index])) for index in best]
