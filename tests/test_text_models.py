"""Text models on real engines: what they tell, and every way in which they fail."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from playground.catalog.catalog import Catalog
from playground.engines.contract import EngineOptions
from playground.engines.pool import EnginePool
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Completion, Piece
from playground.text_models import EngineTextModel

SHIPPED_MODELS = Catalog.load()
PROMPT = (Piece("<|im_start|>user\n", markup=True), Piece("Hello!"), Piece("<|im_end|>\n", markup=True))


@pytest.fixture
def new_model() -> Iterator[Callable[..., EngineTextModel]]:
    pools: list[EnginePool] = []

    def make(model_id: str = "pip", catalog: Catalog = SHIPPED_MODELS, seconds: float = 60, **changes: Any) -> Any:
        sizes = {"max_models": 1, "idle_seconds": 0, "start_seconds": 60, "stall_seconds": 30, "in_process": True}
        pools.append(EnginePool(EngineOptions(threads=1, max_batch=1, kv_cache_mb=64), **(sizes | changes)))
        return EngineTextModel(model_id, lambda: catalog, pools[-1], seconds=seconds)

    yield make
    for pool in pools:
        pool.close()


def at(path: Path) -> Catalog:
    """A catalogue whose Pip is in that folder."""
    return Catalog([replace(SHIPPED_MODELS.get("pip"), path=path)])


def test_a_continuation_with_its_likeliest_first_tokens(new_model: Callable[..., EngineTextModel]) -> None:
    model = new_model()
    assert model.version == "pip"
    assert 0 < model.measure(PROMPT) < 20
    assert model.context_length() > 100
    assert model.version.startswith("pip@")
    plain = model.complete(PROMPT, max_tokens=5, alternatives=0)
    told = model.complete(PROMPT, max_tokens=5, alternatives=7)
    assert plain == Completion(told.text)
    assert len(told.first) == 7
    assert told.text.startswith(told.first[0][0])
    assert [logprob for _, logprob in told.first] == sorted((value for _, value in told.first), reverse=True)
    assert max(logprob for _, logprob in told.first) <= 0


def test_the_revision_follows_the_files(new_model: Callable[..., EngineTextModel], tmp_path: Path) -> None:
    source = SHIPPED_MODELS.get("pip").path
    assert source is not None
    versions = []
    for name, change in (("same", ""), ("other", " ")):
        shutil.copytree(source, tmp_path / name)
        with (tmp_path / name / "genai_config.json").open("a", encoding="utf-8") as config:
            config.write(change)
        model = new_model(catalog=at(tmp_path / name))
        model.measure(PROMPT)
        versions.append(model.version)
    first = new_model()
    first.measure(PROMPT)
    assert versions[0] == first.version != versions[1]


def test_a_model_that_is_not_in_the_catalogue(new_model: Callable[..., EngineTextModel]) -> None:
    model = new_model("qwen3guard-gen-99b")
    for ask in (model.context_length, partial(model.measure, PROMPT)):
        with pytest.raises(DetectorUnavailable, match=r"qwen3guard-gen-99b is not in the catalogue.*models_file"):
            ask()
    assert model.version == "qwen3guard-gen-99b"


def test_an_engine_without_prompts_of_ones_own(new_model: Callable[..., EngineTextModel]) -> None:
    with pytest.raises(DetectorUnavailable, match="engine echo of the model echo takes no prompts"):
        new_model("echo").measure(PROMPT)


@pytest.mark.parametrize("content", [None, "", "{}"])
def test_files_that_are_missing_or_damaged(
    new_model: Callable[..., EngineTextModel], tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "model"
    if content is not None:
        folder.mkdir()
        for name in ("genai_config.json", "tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_text(content, encoding="utf-8")
    model = new_model(catalog=at(folder))
    for ask in (model.context_length, partial(model.measure, PROMPT)):
        with pytest.raises(DetectorUnavailable, match="model pip could not answer"):
            ask()


def test_a_prompt_that_does_not_fit(new_model: Callable[..., EngineTextModel]) -> None:
    with pytest.raises(DetectorUnavailable, match="could not answer: The prompt has"):
        new_model().complete([Piece("word " * 20_000)], max_tokens=1, alternatives=0)


def test_whoever_waits_too_long_gives_up_and_may_ask_again(new_model: Callable[..., EngineTextModel]) -> None:
    model = new_model(seconds=0)
    with pytest.raises(DetectorUnavailable, match="pip could not answer"):
        model.complete(PROMPT, max_tokens=1, alternatives=0)
    patient = EngineTextModel("pip", lambda: SHIPPED_MODELS, model._pool, seconds=60)
    assert patient.context_length() > 0  # the loading that was begun has gone on
    with pytest.raises(DetectorUnavailable, match="did not answer within 0 seconds"):
        model.complete(PROMPT, max_tokens=400, alternatives=0)


def test_a_place_that_never_becomes_free_is_not_waited_for_for_ever(new_model: Callable[..., EngineTextModel]) -> None:
    model = new_model(seconds=0.3)
    with (
        model._pool.acquire(SHIPPED_MODELS.get("echo")),
        pytest.raises(DetectorUnavailable, match="pip could not answer"),
    ):
        model.context_length()
    assert [loaded.model_id for loaded in model._pool.status()] == ["echo"]


def test_a_worker_that_dies_fails_the_call_and_is_started_again(new_model: Callable[..., EngineTextModel]) -> None:
    model = new_model(in_process=False)
    assert model.context_length() > 0
    (worker,) = model._pool.status()
    assert worker.pid is not None
    with model._pool.acquire(SHIPPED_MODELS.get("pip")):
        os.kill(worker.pid, signal.SIGSTOP)
        os.kill(worker.pid, signal.SIGKILL)
    with suppress(DetectorUnavailable):  # it may be noticed before or during the call
        model.complete(PROMPT, max_tokens=1, alternatives=0)
    assert model.complete(PROMPT, max_tokens=1, alternatives=1).first
