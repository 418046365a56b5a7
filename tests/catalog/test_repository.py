"""What is made of a list of files."""

from __future__ import annotations

import pytest

from playground.catalog.repository import RepoFile, choose_offer, find_offers
from playground.catalog.spec import ModelSource
from playground.errors import RefusedRepository, UnknownRepository

ONNX = ("config.json", "tokenizer.json", "onnx/model.onnx", "onnx/model_q4.onnx", "onnx/model_q4.onnx_data")


def files(*paths: str, size: int = 10) -> list[RepoFile]:
    return [RepoFile(path, size) for path in paths]


def offered(*paths: str) -> list[tuple[str, str, list[str]]]:
    return [
        (offer.format, offer.variant, sorted(file.path for file in offer.files))
        for offer in find_offers("o/m", files(*paths))
    ]


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        (
            ("config.json", "model.safetensors", "consolidated.safetensors", "pytorch_model.bin", "run.py", "x.pkl"),
            [("transformers", "", ["config.json", "model.safetensors"])],
        ),
        (
            (
                "config.json",
                "a-00001-of-00002.safetensors",
                "a-00002-of-00002.safetensors",
                "model.safetensors.index.json",
            ),
            [
                (
                    "transformers",
                    "",
                    [
                        "a-00001-of-00002.safetensors",
                        "a-00002-of-00002.safetensors",
                        "config.json",
                        "model.safetensors.index.json",
                    ],
                )
            ],
        ),
        (
            ONNX,
            [
                ("onnx", "q4", ["config.json", "onnx/model_q4.onnx", "onnx/model_q4.onnx_data", "tokenizer.json"]),
                ("onnx", "fp32", ["config.json", "onnx/model.onnx", "tokenizer.json"]),
            ],
        ),
        (
            ("genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json", "setup.py"),
            [("genai", "", ["genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"])],
        ),
    ],
)
def test_offers(paths: tuple[str, ...], wanted: object) -> None:
    assert offered(*paths) == wanted


def test_shards_of_a_graphs_data_belong_to_it() -> None:
    paths = ("config.json", "onnx/model_q4.onnx", "onnx/model_q4.onnx_data", "onnx/model_q4.onnx_data_1")
    assert offered(*paths)[0][2] == sorted(paths)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("config.json", "pytorch_model.bin"), ["pytorch_model.bin", "run code", "safetensors"]),
        (("adapter_config.json", "adapter_model.bin"), ["adapter_model.bin", "run code"]),
        (("model.gguf",), ["GGUF"]),
        (("model.zip", "more.zip"), ["packed in model.zip"]),
        (("README.md",), ["no model"]),
        ((), ["no model"]),
    ],
)
def test_nothing_that_can_be_loaded_is_refused_with_the_reason(paths: tuple[str, ...], words: list[str]) -> None:
    with pytest.raises(RefusedRepository) as caught:
        find_offers("o/m", files(*paths))
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "C:/x",
        "a\\..\\x",
        "a//b",
        "a/./b",
        "x\n",
        "..",
        "nul",
        "a/aux.json",
        "x ",
        "",
        "x/",
    ],
)
def test_a_path_that_leads_elsewhere_refuses_the_repository(path: str) -> None:
    with pytest.raises(RefusedRepository, match="lead out"):
        find_offers("o/m", files("config.json", "model.safetensors", path))


def test_sizes_and_numbers_have_limits() -> None:
    with pytest.raises(RefusedRepository, match="too large to be real"):
        find_offers("o/m", [RepoFile("config.json", 1 << 30), RepoFile("model.safetensors", 5)])
    with pytest.raises(RefusedRepository, match="files"):
        find_offers("o/m", files(*(f"{number}.txt" for number in range(30_000))))
    with pytest.raises(RefusedRepository, match="twice"):
        find_offers("o/m", files("config.json", "model-a.safetensors", "model-A.safetensors"))


def test_a_row_chooses_its_offer() -> None:
    offers = find_offers("o/m", files(*ONNX))
    assert choose_offer("o/m", offers, ModelSource(format="onnx")).variant == "q4"
    assert choose_offer("o/m", offers, ModelSource(format="onnx", variant="fp32")).variant == "fp32"
    with pytest.raises(UnknownRepository, match=r"no transformers; it has: onnx q4, onnx fp32"):
        choose_offer("o/m", offers, ModelSource())
