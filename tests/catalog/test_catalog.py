"""The shipped catalogue is in order, and models are found by id and by words."""

from __future__ import annotations

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.spec import AUTO
from playground.config import Settings
from playground.engines.registry import ENGINES
from playground.errors import UnknownModel


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def test_what_ships(catalog: Catalog) -> None:
    assert [spec.id for spec in catalog][:3] == ["pip", "fable", "pip-fp32"]
    assert Settings().default_model in catalog
    assert len(catalog) == len([*catalog]) > 50


def test_every_row_speaks_both_languages_and_has_an_engine(catalog: Catalog) -> None:
    for spec in catalog:
        assert spec.engine in {*ENGINES, AUTO}
        assert spec.licence
        assert set(spec.description) == {"en", "vi"}
        assert spec.defaults.max_tokens < spec.context_length
        if spec.engine != AUTO:
            assert spec.suggestions["en"]
            assert spec.suggestions["vi"]


def test_embedded_models_lie_in_the_package(catalog: Catalog) -> None:
    pip = catalog.get("pip")
    assert pip.path is not None
    assert pip.path.parts[-4:] == ("playground", "embedded", "pip", "int8")


@pytest.mark.parametrize(
    ("model_id", "hint"),
    [
        ("pipp", "Did you mean pip"),
        ("Pip-FP32", "pip-fp32"),
        ("zzz-99", "There are: pip, fable, pip-fp32, pip-int4, echo"),
        ("", "There are: pip"),
        ("e c h o", "echo"),
        ("x" * 5000, "There are"),
    ],
)
def test_an_unknown_model_names_near_ones(catalog: Catalog, model_id: str, hint: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        catalog.get(model_id)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("PIP", ["pip", "fable", "pip-fp32", "pip-int4"]),
        ("fp32", ["pip-fp32"]),
        ("pip fp32", ["pip-fp32"]),
        ("mô hình rất nhỏ đi kèm", ["pip"]),
        ("mo hinh rat nho di kem", ["pip"]),
        ("full-precision", ["pip-fp32"]),
        ("nothing like it", []),
        ("smollm2 135m", ["smollm2-135m"]),
        ("medicine", ["biomistral-7b"]),
    ],
)
def test_search_wants_every_word(catalog: Catalog, query: str, found: list[str]) -> None:
    assert [spec.id for spec in catalog.search(query)] == found


def test_an_empty_search_finds_all(catalog: Catalog) -> None:
    assert catalog.search("") == [*catalog]
