"""Two tiny guards, trained and converted once per session, and engines for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.domain import Language
from playground.engines.contract import EngineOptions
from playground.engines.pool import EnginePool
from playground.text_models import EngineTextModel
from tests.moderation.guard_models.tiny import LLAMA, QWEN, make_guard

NO_TEXT: dict[Language, str] = {"en": "-", "vi": "-"}


def make_spec(model_id: str, path: Path | None, engine: str = "onnx") -> ModelSpec:
    """A row of the catalogue."""
    return ModelSpec(
        id=model_id,
        name=model_id,
        family="guard",
        engine=engine,
        context_length=0,
        description=NO_TEXT,
        licence="-",
        languages=("en",),
        path=path,
    )


@pytest.fixture(scope="session")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen 3 that answers as Qwen3Guard does."""
    from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("qwen3guard")
    losses = make_guard(folder, QWEN, lambda **sizes: Qwen3ForCausalLM(Qwen3Config(**sizes)), context=560)
    assert losses[-1] < 0.05
    return folder


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama that answers as Llama Guard 3 does."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("llama-guard")
    losses = make_guard(folder, LLAMA, lambda **sizes: LlamaForCausalLM(LlamaConfig(**sizes)), context=560)
    assert losses[-1] < 0.05
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[EnginePool]:
    """Engines in this process."""
    made = EnginePool(
        EngineOptions(threads=1, max_batch=2, kv_cache_mb=64),
        max_models=2,
        idle_seconds=0,
        start_seconds=60,
        stall_seconds=30,
        in_process=True,
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def model_at(pool: EnginePool) -> Callable[[str, Path], EngineTextModel]:
    """A text model for the folder."""

    def made(model_id: str, folder: Path) -> EngineTextModel:
        return EngineTextModel(model_id, partial(Catalog, [make_spec(model_id, folder)]), pool, seconds=60)

    return made
