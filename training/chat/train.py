"""The training loop: one machine, no framework, resumable."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.chat.corpus import Corpus, Place, Rows
from training.chat.model import LeanLlama, weighted_loss
from training.chat.muon import Muon

WEIGHTS_FILE, STATE_FILE = "weights.safetensors", "state.pt"
LossFunction = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train. With ``steps`` the schedule follows steps, otherwise minutes."""

    minutes: float = 55.0
    steps: int | None = None
    rows: int = 16
    rate: float = 3e-3
    warmup: int = 60
    seed: int = 0
    compiled: bool = True
    save_seconds: float = 90.0
    report_seconds: float = 20.0


@dataclass
class Progress:
    """How far the training is."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    loss: float = 0.0


class Trainer:
    """A model, its optimizers and its place in the corpus."""

    def __init__(self, model: LeanLlama, corpus: Corpus, plan: Plan, folder: Path) -> None:
        self.model = model
        self.corpus = corpus
        self.plan = plan
        self.folder = folder
        self.progress = Progress()
        self.place = Place()
        matrices = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "embed" not in name]
        others = [weight for name, weight in model.named_parameters() if weight.dim() != 2 or "embed" in name]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=plan.rate),
            torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self.loss: LossFunction = torch.compile(weighted_loss, dynamic=False) if plan.compiled else weighted_loss

    def done(self) -> float:
        """The share of the training that is done, from 0 to 1."""
        if self.plan.steps:
            return min(1.0, self.progress.step / self.plan.steps)
        return min(1.0, self.progress.seconds / (self.plan.minutes * 60))

    def rate(self) -> float:
        """The learning rate now: a short warm-up, then a cosine."""
        warm = min(1.0, (self.progress.step + 1) / self.plan.warmup)
        return self.plan.rate * warm * max(0.02, 0.5 * (1 + math.cos(math.pi * self.done())))

    def train(self, report: Callable[[str], None]) -> None:
        """Train to the end of the plan, saving and reporting now and then."""
        mark = saved = reported = time.monotonic()
        batches = self.corpus.batches(self.place, self.plan.rows)
        losses: list[float] = []
        while self.done() < 1.0:
            losses.append(self.update(next(batches)))
            now = time.monotonic()
            self.progress.seconds += now - mark
            mark = now
            if now - reported > self.plan.report_seconds:
                self.progress.loss = sum(losses) / len(losses)
                report(self.line())
                reported, losses = now, []
            if now - saved > self.plan.save_seconds:
                self.save()
                saved = now
        self.progress.loss = sum(losses) / len(losses) if losses else self.progress.loss
        report(self.line())
        self.save()

    def update(self, rows: Rows) -> float:
        """One step on a batch; the loss of its answers."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate()
        parts = (rows.ids, rows.segments, *rows.judged())
        ids, segments, places, targets, weights = (torch.from_numpy(part) for part in parts)
        loss, answers = self.loss(self.model, ids, segments, places=places, targets=targets, weights=weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += int((rows.segments > 0).sum())
        return float(answers)

    def line(self) -> str:
        """The progress in one line."""
        progress, done = self.progress, self.done()
        left = progress.seconds * (1 - done) / done / 60 if done else math.inf
        return (
            f"step {progress.step}  {progress.seconds / 60:.1f} min  loss {progress.loss:.4f}  "
            f"{progress.tokens / max(progress.seconds, 1e-9):,.0f} tokens/s  {left:.1f} min left"
        )

    def save(self) -> None:
        """Write the weights and the state; each file is replaced whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "progress": asdict(self.progress),
            "place": asdict(self.place),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        for name, write in ((WEIGHTS_FILE, self.write_weights), (STATE_FILE, lambda path: torch.save(state, path))):
            draft = self.folder / f"{name}.draft"
            write(draft)
            draft.replace(self.folder / name)

    def write_weights(self, path: Path) -> None:
        """Write the weights as safetensors."""
        save_file({name: weight.contiguous() for name, weight in self.model.state_dict().items()}, path)

    def resume(self) -> bool:
        """Go on from the saved state, if there is one."""
        if not (self.folder / STATE_FILE).exists():
            return False
        self.model.load_state_dict(load_file(self.folder / WEIGHTS_FILE))
        state = torch.load(self.folder / STATE_FILE, weights_only=True)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])
        self.place.chunk, self.place.row = state["place"]["chunk"], state["place"]["row"]
        return True
