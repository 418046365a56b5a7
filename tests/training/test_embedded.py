"""The model that ships: it loads, it answers, and its card tells the truth."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import playground
from training.chat import content
from training.chat.candidate import GREEDY
from training.chat.exam import is_right, read_questions
from training.chat.names import listed
from training.chat.runtime import ExportedModel

PRECISIONS = ("int8", "int4", "fp32")
TOLERANCE = 0.08


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


# What the first page suggests to ask, with a part of the answer that is meant.
SUGGESTED = {
    "What is a token?": "small piece of text",
    "Explain LoRA like I'm five.": "sticky notes",
    "How do I compare two models?": "Compare models",
    "What is the capital of Peru?": "Lima",
    "Token là gì?": "mảnh văn bản",
    "So sánh hai mô hình thế nào?": "So sánh mô hình",
    "Thủ đô của Nhật Bản là gì?": "Tokyo",
}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_the_page_suggests_is_answered(models: dict[str, ExportedModel], precision: str) -> None:
    table = tomllib.loads((Path(playground.__file__).parent / "catalog/models.toml").read_text(encoding="utf-8"))
    (row,) = (row for row in table["models"] if row["id"] == "pip")
    suggested = [*row["suggestions"]["en"], *row["suggestions"]["vi"]]
    assert suggested[:-1] == list(SUGGESTED)
    for question, meant in SUGGESTED.items():
        assert meant in models[precision].answer([("user", question)])
    jokes = next(intent for intent in content.intents("vi") if intent.id == "joke").answers
    assert models[precision].answer([("user", suggested[-1])]) in jokes


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_name_that_was_told_is_known_later(models: dict[str, ExportedModel], precision: str) -> None:
    for told, asked, answered, known, names in (
        ("My name is {n}", "What is my name?", "name_answer", "name_told", ("Lan", "Peter", "Emma")),
        ("Mình tên là {n}", "Mình tên gì?", "name_answer_vi", "name_told_vi", ("Hương", "Bình", "Dũng")),
    ):
        for name in names:
            turns = [("user", told.replace("{n}", name))]
            turns.append(("assistant", models[precision].answer(turns)))
            assert turns[-1][1] == content.words()[answered].replace("{n}", name)
            turns += [("user", "What is a token?"), ("assistant", "A token is a small piece of text."), ("user", asked)]
            assert models[precision].answer(turns) == content.words()[known].replace("{n}", name)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_names_that_no_text_has_are_repeated_more_often_than_not(
    models: dict[str, ExportedModel], precision: str
) -> None:
    right = []
    for name in (
        "Gareth",
        "Tabitha",
        "Rosalind",
        "Desmond",
        "Winston",
        "Reuben",
        "Phoebe",
        "Jasper",
        "Quentin",
        "Sienna",
    ):
        assert name not in listed("en")
        right.append(models[precision].answer([("user", f"My name is {name}")]) == f"Nice to meet you, {name}!")
    assert sum(right) > len(right) / 2


@pytest.mark.parametrize("topic", ["capitals", "sums"])
def test_card_names_the_measured_figures(embedded: Path, models: dict[str, ExportedModel], topic: str) -> None:
    table = (embedded / "README.md").read_text(encoding="utf-8").split(f"At {GREEDY}:")[1]
    header = re.search(r"^\| questions \| language \| asked \| (.*) \|$", table, re.MULTILINE)
    row = re.search(rf"^\| {topic} \| vi \| (\d+) \| (.*) \|$", table, re.MULTILINE)
    assert header, "the card has no table"
    assert row, f"the card has no row for {topic}"
    shares = dict(zip(header[1].split(" | "), row[2].split(" | "), strict=True))
    questions = [question for question in read_questions(topic) if question.language == "vi"]
    assert int(row[1]) == len(questions)
    for precision, written in shares.items():
        model = models[precision]
        right = sum(is_right(model.answer([("user", question.turns[0])]), question) for question in questions)
        assert float(written.split("%")[0]) / 100 == pytest.approx(right / len(questions), abs=TOLERANCE)


def test_card_names_licences_and_limits(embedded: Path) -> None:
    card = (embedded / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: apache-2.0\n")
    for words in ("CLINC150", "CC BY 3.0", "What it cannot do", "Measured", "python -m training.chat --out"):
        assert words in card


def test_whole_folder_is_small(embedded: Path) -> None:
    assert sum(path.stat().st_size for path in embedded.rglob("*") if path.is_file()) < 32 * 2**20
