"""The loop: it learns, and resumes to the same state."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import ignore
from training.chat import diary
from training.chat.growth import grown
from training.chat.model import LeanLlama
from training.chat.muon import orthogonalised
from training.chat.pipeline import SMOKE, Sources, prepare
from training.chat.train import BEST_FILE, STATE_FILE, WEIGHTS_FILE, Trainer, weighing


def test_loss_falls(smoke: Trainer) -> None:
    fresh = prepare(SMOKE, smoke.folder, Sources(), ignore)
    rows = next(fresh.corpus.batches(fresh.place, SMOKE.plan.rows))
    before = fresh.update(rows)
    for _ in range(5):
        after = fresh.update(rows)
    assert after < before


def test_resumed_run_reaches_the_same_state(smoke: Trainer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((smoke.folder / "tokenizer.json").read_bytes())
    first = prepare(SMOKE, tmp_path, Sources(), ignore)
    batches = first.corpus.batches(first.place, SMOKE.plan.rows)
    for _ in range(3):
        first.update(next(batches))
    first.save()
    second = prepare(replace(SMOKE, plan=replace(SMOKE.plan)), tmp_path, Sources(), ignore)
    assert second.resume()
    assert second.progress.step == 3
    second.train(ignore)
    for (name, wanted), found in zip(smoke.model.named_parameters(), second.model.parameters(), strict=True):
        assert torch.equal(wanted, found), name
    assert second.progress.tokens == smoke.progress.tokens


def test_nothing_to_resume(tmp_path: Path, smoke: Trainer) -> None:
    (tmp_path / "tokenizer.json").write_bytes((smoke.folder / "tokenizer.json").read_bytes())
    assert not prepare(SMOKE, tmp_path, Sources(), ignore).resume()


def test_checkpoint_files_are_whole(smoke: Trainer) -> None:
    names = {path.name for path in smoke.folder.iterdir()}
    assert {STATE_FILE, WEIGHTS_FILE} <= names
    assert not any(name.endswith(".draft") for name in names)


def test_progress_line_says_all(smoke: Trainer) -> None:
    line = smoke.line()
    assert all(word in line for word in ("step 6", "min", "loss", "tokens/s", "min left"))


def test_average_is_the_mean_at_first() -> None:
    weigh = weighing(0.9)
    assert float(weigh(torch.tensor(2.0), torch.tensor(4.0), 1)) == 3
    assert float(weigh(torch.tensor(2.0), torch.tensor(4.0), 99)) == pytest.approx(2.2)


def test_best_average_is_what_is_kept(smoke: Trainer) -> None:
    kept = load_file(smoke.folder / BEST_FILE)
    for name, weight in smoke.average.module.named_parameters():
        assert torch.equal(kept[name], weight), name


def test_training_ends_when_held_out_wordings_gain_no_more(smoke: Trainer, tmp_path: Path) -> None:
    fresh = prepare(SMOKE, tmp_path, Sources(earlier=smoke.folder), ignore)
    assert "the best so far" in fresh.judged()
    fresh.progress.best = 1.0
    assert "1 judgements after the best" in fresh.judged()
    assert fresh.progress.waited == 1
    assert fresh.done() == 0
    fresh.progress.waited = SMOKE.plan.patience
    assert fresh.done() == 1


def test_a_wider_model_goes_on_from_a_narrower_one_and_says_the_same_at_first(smoke: Trainer, tmp_path: Path) -> None:
    wide = replace(SMOKE.shape, hidden=2 * SMOKE.shape.hidden)
    trainer = prepare(replace(SMOKE, shape=wide), tmp_path, Sources(earlier=smoke.folder), ignore)
    assert trainer.model.get_parameter("layers.0.mlp.up_proj.weight").shape[0] == wide.hidden
    narrow = LeanLlama(SMOKE.shape)
    narrow.load_state_dict(load_file(smoke.folder / WEIGHTS_FILE))
    ids, segments = torch.arange(40).reshape(2, 20), torch.ones(2, 20, dtype=torch.long)
    assert torch.allclose(trainer.model(ids, segments), narrow(ids, segments), atol=1e-5)
    rows = next(trainer.corpus.batches(trainer.place, SMOKE.plan.rows))
    for _ in range(2):
        trainer.update(rows)
    for layer in trainer.model.layers:
        writes = layer.get_parameter("mlp.down_proj.weight")[:, SMOKE.shape.hidden :]
        assert writes.abs().sum(0).all()  # every new unit learns
    with pytest.raises(ValueError, match="hidden units, more than"):
        grown(trainer.model.state_dict(), SMOKE.shape.hidden)


def test_prose_comes_first_and_an_earlier_run_is_gone_on_from(smoke: Trainer, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("A model reads a page of text before it learns to answer. " * 200, "utf-8")
    sources = Sources(prose=(tmp_path,), earlier=smoke.folder)
    trainer = prepare(replace(SMOKE, plan=replace(SMOKE.plan, prose_share=0.5)), tmp_path / "run", sources, ignore)
    assert torch.equal(trainer.model.embed_tokens.weight, smoke.model.embed_tokens.weight)
    batches = trainer.batches()
    assert (next(batches).weights[0] == 1).any()
    assert trainer.prose_place.row
    assert not trainer.place.row
    trainer.progress.step = 3
    assert (next(batches).weights != 1).any()
    assert trainer.place.row


def test_diary_tells_how_it_went(smoke: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = diary.read(smoke.folder)
    assert (entry.step, entry.reads, len(entry.says)) == (6, "dialogues", len(diary.QUESTIONS))
    assert entry.right == smoke.progress.best
    curve = tmp_path / "curve.svg"
    diary.main(["--run", str(smoke.folder), "--out", str(curve)])
    assert "After" in capsys.readouterr().out
    assert [shape.get("fill") for shape in ElementTree.parse(curve).iterfind(".//{*}polyline")] == ["none"] * 2
    with pytest.raises(SystemExit, match="There is no diary"):
        diary.main(["--run", str(tmp_path)])


def test_orthogonalised_matrices_are_nearly_orthogonal() -> None:
    torch.manual_seed(0)
    for matrices in (torch.randn(2, 8, 24), torch.randn(2, 24, 8)):
        wide = orthogonalised(matrices)
        wide = wide if wide.shape[1] < wide.shape[2] else wide.transpose(1, 2)
        spread = torch.linalg.svdvals(wide)
        assert 0.6 < float(spread.min()) <= float(spread.max()) < 1.3
