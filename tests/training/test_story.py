"""The storyteller: its grammar holds what is asked, and the whole way runs."""

import random
from pathlib import Path

import pytest

from training.story import tales
from training.story.__main__ import main
from training.story.evaluate import holds
from training.story.tales import LANGUAGES, Request, Tales, tell


@pytest.mark.parametrize("language", LANGUAGES)
def test_stories_hold_what_was_asked_and_leave_no_slot_open(language: str) -> None:
    source = random.Random(1)
    for _ in range(500):
        hero, thing = (source.choice(tales.words(language, name)) for name in ("heroes", "things"))
        story = tell(Request(language, hero, thing, source.choice(("any", "funny", "sad", "bedtime"))), source)
        assert holds(story, Request(language, hero, thing)), story
        assert not set("{}[]|") & set(story), story
        assert story.endswith((".", "!", '."')), story


@pytest.mark.parametrize("language", LANGUAGES)
def test_stories_differ(language: str) -> None:
    source = random.Random(2)
    assert len({tell(Request(language), source) for _ in range(300)}) > 295


def test_same_seed_gives_the_same_conversations_and_others_hold_back() -> None:
    first, second, other = (list(Tales(seed).conversations(40)) for seed in (1, 1, 2))
    assert first == second != other
    for turns in Tales(3, held_out=True).conversations(200):
        assert [role for role, _ in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert not any(set("{}[]|") & set(text) for _, text in turns)


def test_smoke_run_makes_a_checked_storyteller(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path), "--smoke", "--threads", "1"])
    told = capsys.readouterr().out
    assert "fp32: 20 of 20 greedy answers" in told
    assert "| fp32 | en | 2 |" in told
    assert (tmp_path / "fable" / "fp32" / "model.onnx").is_file()
    card = (tmp_path / "fable" / "README.md").read_text(encoding="utf-8")
    assert "# Fable" in card
    assert "$" not in card
