"""Which weights ship: averages of a run, mixed with those it began from, judged by a development set.

Two runs of which one began where the other ended lie in one valley of the loss, and a mixture of their weights, number
by number, is often better than either (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models",
https://arxiv.org/abs/2109.01903). The questions of the development set are neither among the texts to learn from nor in
the exam.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from torch import Tensor

from training.chat.corpus import Encoder
from training.chat.exam import Question, read_questions, right_answers
from training.chat.exchange import Turn
from training.chat.judging import RightAnswers
from training.chat.model import LeanLlama
from training.chat.rounding import rounded_weights
from training.chat.train import write_weights

BEGUN_FILE, CHOSEN_FILE = "begun.safetensors", "chosen.safetensors"
DEVELOPMENT = ("talk", "guide", "facts", "outside")
SHARES = (0.85, 0.7, 0.55)
"""Of the new weights in a mixture. With more of the old ones than half, answers came back that had been changed."""

Weights = Mapping[str, Tensor]


def development_questions() -> tuple[Question, ...]:
    """The whole development set, shuffled, so that its beginning has some of all topics and languages."""
    questions = [question for name in DEVELOPMENT for question in read_questions(name, "development")]
    return tuple(random.Random(0).sample(questions, len(questions)))


def development_set(encoder: Encoder, longest: int, most: int | None = None) -> RightAnswers:
    """What tells how many of these questions, or of at most so many, a model answers rightly."""
    accepted: dict[str, list[str]] = {}
    conversations: list[list[Turn]] = []
    for question in development_questions()[:most]:
        answers = sorted({text for one in question.expect for text in right_answers(one, question.language)})
        accepted[answers[0]] = answers
        conversations.append([*(("user", turn) for turn in question.turns), ("assistant", answers[0])])
    return RightAnswers(encoder, conversations, accepted.__getitem__, longest)


def mixed(new: Weights, old: Weights, share: float) -> dict[str, Tensor]:
    """So much of the new weights and the rest of the old ones, number by number."""
    return {name: old[name].lerp(weight, share) for name, weight in new.items()}


def candidates(averages: Mapping[str, Weights], earlier: Weights | None) -> Iterator[tuple[str, Weights]]:
    """What may ship, with names: each average of the run as it is, and mixed with the weights the run began from."""
    for name, average in averages.items():
        yield name, average
        if earlier:
            for share in SHARES:
                yield f"{share:.0%} {name}, {1 - share:.0%} the weights it began from", mixed(average, earlier, share)


def choose(
    model: LeanLlama,
    offered: Iterable[tuple[str, Weights]],
    development: RightAnswers,
    path: Path,
    report: Callable[[str], None],
) -> str:
    """Write the weights with the most right answers to a file, and give their name.

    The answers count as they are and with the weights in 4 bits, since both forms ship; of equals the first is taken.
    """
    chosen, most = "", -1
    for name, weights in offered:
        model.load_state_dict(weights)
        right = len(development.right(model))
        with rounded_weights(model):
            rounded = len(development.right(model))
        report(f"{name}: {right} of {development.asked} answers of the development set right, {rounded} in 4 bits")
        if right + rounded > most:
            chosen, most = name, right + rounded
            write_weights(model, path)
    return chosen
