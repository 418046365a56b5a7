"""The loop: it learns, and resumes to the same state."""

from dataclasses import replace
from pathlib import Path

import torch

from tests.training.conftest import ignore
from training.chat.muon import orthogonalised
from training.chat.outside import OutsideQuestions
from training.chat.pipeline import SMOKE, prepare
from training.chat.train import STATE_FILE, WEIGHTS_FILE, Trainer


def test_loss_falls(smoke: Trainer) -> None:
    fresh = prepare(SMOKE, smoke.folder, OutsideQuestions())
    rows = next(fresh.corpus.batches(fresh.place, SMOKE.plan.rows))
    before = fresh.update(rows)
    for _ in range(5):
        after = fresh.update(rows)
    assert after < before


def test_resumed_run_reaches_the_same_state(smoke: Trainer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((smoke.folder / "tokenizer.json").read_bytes())
    first = prepare(SMOKE, tmp_path, OutsideQuestions())
    batches = first.corpus.batches(first.place, SMOKE.plan.rows)
    for _ in range(3):
        first.update(next(batches))
    first.save()
    second = prepare(replace(SMOKE, plan=replace(SMOKE.plan)), tmp_path, OutsideQuestions())
    assert second.resume()
    assert second.progress.step == 3
    second.train(ignore)
    for (name, wanted), found in zip(smoke.model.named_parameters(), second.model.parameters(), strict=True):
        assert torch.equal(wanted, found), name
    assert second.progress.tokens == smoke.progress.tokens


def test_nothing_to_resume(tmp_path: Path, smoke: Trainer) -> None:
    (tmp_path / "tokenizer.json").write_bytes((smoke.folder / "tokenizer.json").read_bytes())
    assert not prepare(SMOKE, tmp_path, OutsideQuestions()).resume()


def test_checkpoint_files_are_whole(smoke: Trainer) -> None:
    names = {path.name for path in smoke.folder.iterdir()}
    assert {STATE_FILE, WEIGHTS_FILE} <= names
    assert not any(name.endswith(".draft") for name in names)


def test_progress_line_says_all(smoke: Trainer) -> None:
    line = smoke.line()
    assert all(word in line for word in ("step 6", "min", "loss", "tokens/s", "min left"))


def test_orthogonalised_matrices_are_nearly_orthogonal() -> None:
    torch.manual_seed(0)
    for matrices in (torch.randn(2, 8, 24), torch.randn(2, 24, 8)):
        wide = orthogonalised(matrices)
        wide = wide if wide.shape[1] < wide.shape[2] else wide.transpose(1, 2)
        spread = torch.linalg.svdvals(wide)
        assert 0.6 < float(spread.min()) <= float(spread.max()) < 1.3
