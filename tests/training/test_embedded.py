"""The model that ships: it loads, it answers, and its card tells the truth."""

import json
import re
from pathlib import Path

import pytest

from training.chat.evaluate import examine, read_questions
from training.chat.runtime import ExportedModel

PRECISIONS = ("int8", "fp32")
TOLERANCE = 0.05


@pytest.fixture(scope="module")
def models(embedded: Path) -> dict[str, ExportedModel]:
    """Both exported models."""
    return {precision: ExportedModel(embedded / precision) for precision in PRECISIONS}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graph_has_grouped_query_attention_and_a_past(
    embedded: Path, models: dict[str, ExportedModel], precision: str
) -> None:
    config = json.loads((embedded / precision / "genai_config.json").read_text(encoding="utf-8"))["model"]
    assert len(models[precision].pasts) == 2 * config["decoder"]["num_hidden_layers"]
    assert b"GroupQueryAttention" in (embedded / precision / "model.onnx").read_bytes()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_pip_says_what_it_is(models: dict[str, ExportedModel], precision: str) -> None:
    assert "model picker" in models[precision].answer([("user", "Who are you?")])
    assert "Pip" in models[precision].answer([("user", "Bạn là ai?")])


@pytest.mark.parametrize(("column", "precision"), [(0, "fp32"), (1, "int8")])
def test_card_names_the_measured_figure(
    embedded: Path, models: dict[str, ExportedModel], column: int, precision: str
) -> None:
    card = (embedded / "README.md").read_text(encoding="utf-8")
    row = re.search(r"^\| dialogues \| (\d+) \| ([\d.]+)% \| ([\d.]+)% \|$", card, re.MULTILINE)
    assert row, "the card has no row for the dialogues"
    result, _ = examine(models[precision], "dialogues", read_questions("dialogues"))
    assert int(row[1]) == result.asked
    assert float(row[2 + column]) / 100 == pytest.approx(result.share, abs=TOLERANCE)


def test_card_names_licences_and_limits(embedded: Path) -> None:
    card = (embedded / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: apache-2.0\n")
    for words in ("CLINC150", "CC BY 3.0", "What it cannot do", "Measured", "python -m training.chat --out"):
        assert words in card


def test_whole_folder_is_small(embedded: Path) -> None:
    assert sum(path.stat().st_size for path in embedded.rglob("*") if path.is_file()) < 30 * 2**20
