"""By what a training run is judged: the share of right answers to questions in wordings that were kept back.

The loss on such wordings is no good judge near the end: it rises while more answers get right, because the wrong ones
get more certain.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from training.chat.corpus import Encoder
from training.chat.exchange import Turn
from training.chat.template import prompt_ids

JUDGED_TOKENS = 16
BATCH = 64


class RightAnswers:
    """Conversations whose last answer is judged, each with every answer that would be right.

    Of a conversation that is longer than ``longest`` tokens the end is read, of an answer ``judged_tokens`` are judged.

    The greedy answer of a model begins with the tokens of one of them if each of these tokens is the likeliest after
    those before it; so one pass over all of them tells what greedy decoding would say.
    """

    def __init__(
        self,
        encoder: Encoder,
        conversations: Iterable[Sequence[Turn]],
        alternatives: Callable[[str], Sequence[str]],
        longest: int,
        judged_tokens: int = JUDGED_TOKENS,
    ) -> None:
        self.tokens: list[tuple[int, list[int], int]] = []
        self.asked = 0
        for turns in conversations:
            prompt = prompt_ids(encoder.tokenizer, turns[:-1])[judged_tokens - longest :]
            answers = ([*encoder.tokenizer.encode(text).ids, encoder.end] for text in alternatives(turns[-1][1]))
            beginnings = dict.fromkeys(tuple(ids[:judged_tokens]) for ids in answers)
            self.tokens += [(self.asked, [*prompt, *ids], len(ids)) for ids in beginnings]
            self.asked += 1
        self.tokens.sort(key=lambda item: len(item[1]))

    def share(self, model: nn.Module) -> float:
        """The share of the conversations that the model would end with a right answer, from 0 to 1."""
        return len(self.right(model)) / self.asked

    def right(self, model: nn.Module) -> set[int]:
        """Which of the conversations, by their places, the model would end with a right answer."""
        right: set[int] = set()
        for start in range(0, len(self.tokens), BATCH):
            part = self.tokens[start : start + BATCH]
            likeliest = self.likeliest(model, [ids for _, ids, _ in part])
            for (asked, ids, length), found in zip(part, likeliest, strict=True):
                if found[len(ids) - length - 1 : len(ids) - 1].tolist() == ids[-length:]:
                    right.add(asked)
        return right

    @torch.no_grad()
    def likeliest(self, model: nn.Module, rows: Sequence[Sequence[int]]) -> Tensor:
        """The likeliest next token at every place of every row."""
        tensors = [torch.tensor(row) for row in rows]
        ids, segments = (
            nn.utils.rnn.pad_sequence(part, batch_first=True) for part in (tensors, list(map(torch.ones_like, tensors)))
        )
        scores: Tensor = model(ids, segments)
        return scores.argmax(-1)
