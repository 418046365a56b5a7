"""The training loop: one machine, no framework, resumable."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from training.chat.corpus import Corpus, Place, Rows
from training.chat.diary import QUESTIONS, Entry, speak, write
from training.chat.judging import RightAnswers
from training.chat.model import LeanLlama, weighted_loss
from training.chat.muon import Muon
from training.chat.prose import Prose
from training.chat.rounding import rounded_weights

WEIGHTS_FILE, AVERAGE_FILE, BEST_FILE = "weights.safetensors", "average.safetensors", "best.safetensors"
STATE_FILE = "state.pt"
LossFunction = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train. With ``steps`` the schedule follows steps, otherwise minutes.

    ``prose_share`` of the time goes to plain text, if there is any, the rest to dialogues. ``decay`` is how much of the
    average of the weights stays at each step. The average is judged on wordings that were kept back (see `Judgement`);
    training ends early after ``patience`` judgements without a better one. In the last ``rounded_share`` of the time
    the network sees its weights in 4 bits at every other step (see `rounding`), so that it loses little when it is
    shipped in so few, and is still trained in full.
    """

    minutes: float = 55.0
    steps: int | None = None
    rows: int = 8
    rate: float = 3e-3
    warmup: int = 60
    prose_share: float = 0.15
    rounded_share: float = 0.35
    decay: float = 0.995
    patience: int = 24
    seed: int = 0
    compiled: bool = True
    save_seconds: float = 90.0
    report_seconds: float = 20.0
    judge_seconds: float = 240.0


@dataclass
class Progress:
    """How far the training is; ``best`` is the average's highest worth (see `Judgement`), ``waited`` judgements ago."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    loss: float = 0.0
    best: float = -math.inf
    waited: int = 0


@dataclass(frozen=True)
class Judgement:
    """The loss on wordings kept back and, where it can be told, the share of right answers to them."""

    loss: float
    right: float | None

    @property
    def worth(self) -> float:
        """Higher is better."""
        return -self.loss if self.right is None else self.right

    def __str__(self) -> str:
        shown = "" if self.right is None else f", right answers {self.right:.1%}"
        return f"held-out wordings: loss {self.loss:.4f}{shown}"


class Clock:
    """Says when something is due that happens every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.last = time.monotonic()

    def due(self) -> bool:
        """Whether the time has passed since this was true."""
        now = time.monotonic()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True


def weighing(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """How an average takes in new weights: the plain mean at first, then an exponential one."""

    def weigh(average: Tensor, current: Tensor, seen: Tensor | int) -> Tensor:
        return average + (current - average) * max(1 - decay, 1 / (int(seen) + 1))

    return weigh


class Trainer:
    """A model, its optimizers, the average of its weights, and its place in the texts."""

    def __init__(
        self,
        model: LeanLlama,
        corpus: Corpus,
        plan: Plan,
        folder: Path,
        *,
        prose: Prose | None = None,
        questions: RightAnswers | None = None,
    ) -> None:
        self.model = model
        self.corpus = corpus
        self.plan = plan
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.prose, self.questions = prose, questions
        self.progress = Progress()
        self.place, self.prose_place = Place(), Place()
        matrices = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "embed" not in name]
        others = [weight for name, weight in model.named_parameters() if weight.dim() != 2 or "embed" in name]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=plan.rate),
            torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self.average = AveragedModel(model, avg_fn=weighing(plan.decay))
        self.loss: LossFunction = torch.compile(weighted_loss, dynamic=False) if plan.compiled else weighted_loss

    def done(self) -> float:
        """The share of the training that is done, from 0 to 1."""
        if self.progress.waited >= self.plan.patience:
            return 1.0
        if self.plan.steps:
            return min(1.0, self.progress.step / self.plan.steps)
        return min(1.0, self.progress.seconds / (self.plan.minutes * 60))

    def rate(self) -> float:
        """The learning rate now: a short warm-up, then a cosine."""
        warm = min(1.0, (self.progress.step + 1) / self.plan.warmup)
        return self.plan.rate * warm * max(0.02, 0.5 * (1 + math.cos(math.pi * self.done())))

    def batches(self) -> Iterator[Rows]:
        """First plain text, if there is any, then dialogues."""
        if self.prose:
            for rows in self.prose.batches(self.prose_place, self.plan.rows):
                if self.done() >= self.plan.prose_share:
                    break
                yield rows
        yield from self.corpus.batches(self.place, self.plan.rows)

    def train(self, report: Callable[[str], None]) -> None:
        """Train to the end of the plan, judging, saving and reporting now and then."""
        mark = time.monotonic()
        saving, reporting, judging = (
            Clock(seconds) for seconds in (self.plan.save_seconds, self.plan.report_seconds, self.plan.judge_seconds)
        )
        batches = self.batches()
        losses: list[float] = []
        while self.done() < 1.0:
            losses.append(self.update(next(batches)))
            if judging.due():
                report(self.judged())
            now = time.monotonic()
            self.progress.seconds += now - mark
            mark = now
            if reporting.due():
                self.progress.loss = sum(losses) / len(losses)
                report(self.line())
                losses = []
            if saving.due():
                self.save()
        self.progress.loss = sum(losses) / len(losses) if losses else self.progress.loss
        report(self.line())
        report(self.judged())
        self.save()

    def update(self, rows: Rows) -> float:
        """One step on a batch; the loss of its answers."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate()
        near_the_end = self.done() >= 1 - self.plan.rounded_share
        with rounded_weights(self.model) if near_the_end and self.progress.step % 2 else nullcontext():
            loss, answers = self.losses(self.model, rows)
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.model)
        self.progress.step += 1
        self.progress.tokens += int((rows.segments > 0).sum())
        return float(answers)

    def losses(self, model: torch.nn.Module, rows: Rows) -> tuple[Tensor, Tensor]:
        """The weighted loss of a batch, and that of its answers."""
        parts = (rows.ids, rows.segments, *rows.judged())
        ids, segments, places, targets, weights = (torch.from_numpy(part) for part in parts)
        return self.loss(model, ids, segments, places=places, targets=targets, weights=weights)

    def judged(self) -> str:
        """Judge the averaged weights on wordings kept back, and keep them if they are the best so far; a line of it."""
        right = self.questions.share(self.average.module) if self.questions else None
        judgement = Judgement(self.held_out_loss(), right)
        if judgement.worth > self.progress.best:
            self.progress.best, self.progress.waited = judgement.worth, 0
            self.replace(BEST_FILE, lambda path: write_weights(self.average.module, path))
        else:
            self.progress.waited += 1
        self.note(judgement)
        best = "the best so far" if not self.progress.waited else f"{self.progress.waited} judgements after the best"
        return f"step {self.progress.step}  {judgement}; {best}"

    def held_out_loss(self) -> float:
        """The loss of the averaged weights on wordings kept back."""
        rows = self.corpus.held_out()
        batches = [rows.take(start, self.plan.rows) for start in range(0, len(rows), self.plan.rows)]
        whole = [batch for batch in batches if len(batch) == self.plan.rows] or batches
        with torch.no_grad():
            found = [float(self.losses(self.average.module, batch)[1]) for batch in whole]
        return sum(found) / len(found)

    def note(self, judgement: Judgement) -> None:
        """Write down how the run goes, and what the averaged weights say."""
        progress, tokenizer = self.progress, self.corpus.encoder.tokenizer
        says = tuple(speak(self.average.module, tokenizer, question) for question in QUESTIONS)
        minutes = round(progress.seconds / 60, 2)
        figures = (progress.loss, judgement.loss, says, judgement.right)
        write(self.folder, Entry(progress.step, minutes, progress.tokens, self.reads(), *figures))

    def reads(self) -> str:
        """What is read now: prose or dialogues."""
        return "prose" if self.prose and self.done() < self.plan.prose_share else "dialogues"

    def line(self) -> str:
        """The progress in one line."""
        progress, done = self.progress, self.done()
        left = progress.seconds * (1 - done) / done / 60 if done else math.inf
        return (
            f"step {progress.step}  {self.reads()}  {progress.seconds / 60:.1f} min  loss {progress.loss:.4f}  "
            f"{progress.tokens / max(progress.seconds, 1e-9):,.0f} tokens/s  {left:.1f} min left"
        )

    def save(self) -> None:
        """Write the weights, their average and the state; each file is replaced whole."""
        state: dict[str, Any] = {
            "progress": asdict(self.progress),
            "place": asdict(self.place),
            "prose_place": asdict(self.prose_place),
            "averaged": int(self.average.n_averaged),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        self.replace(WEIGHTS_FILE, lambda path: write_weights(self.model, path))
        self.replace(AVERAGE_FILE, lambda path: write_weights(self.average.module, path))
        self.replace(STATE_FILE, lambda path: torch.save(state, path))

    def replace(self, name: str, write: Callable[[Path], None]) -> None:
        """Write a file of the folder beside its place, then put it there."""
        draft = self.folder / f"{name}.draft"
        write(draft)
        draft.replace(self.folder / name)

    def resume(self) -> bool:
        """Go on from the saved state, if there is one."""
        if not (self.folder / STATE_FILE).exists():
            return False
        self.model.load_state_dict(load_file(self.folder / WEIGHTS_FILE))
        self.average.module.load_state_dict(load_file(self.folder / AVERAGE_FILE))
        state = torch.load(self.folder / STATE_FILE, weights_only=True)
        self.average.n_averaged.fill_(state["averaged"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])
        self.place, self.prose_place = Place(**state["place"]), Place(**state["prose_place"])
        return True


def write_weights(model: torch.nn.Module, path: Path) -> None:
    """Write the weights as safetensors."""
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, path)
