"""Broken, hostile and incomplete model folders: one sentence each, and nothing outside the folder is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from playground.engines.contract import EngineOptions
from playground.engines.model_files import read_model_files, read_tokenizer_files
from playground.engines.onnx_engine import load_onnx_engine
from playground.errors import ModelLoadError
from tests.engines.conftest import make_spec

Break = Callable[[Path], object]


@pytest.fixture
def folder(fp32_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(fp32_folder, tmp_path / "model")
    return tmp_path / "model"


def load(folder: Path | None) -> None:
    load_onnx_engine(make_spec("onnx", folder), EngineOptions(threads=1), lambda _: None).close()


def configure(**changes: Any) -> Break:
    """Changes fields of genai_config.json; None removes one."""

    def change(folder: Path) -> None:
        path = folder / "genai_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        for name, value in changes.items():
            place = config["model"] if name in config["model"] else config["model"]["decoder"]
            if value is None:
                del place[name]
            else:
                place[name] = value
        path.write_text(json.dumps(config), encoding="utf-8")

    return change


def truncate(name: str, size: int) -> Break:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def lead_outside(folder: Path) -> None:
    """External weights that name a file outside of the folder."""
    graph = onnx.load(folder / "model.onnx", load_external_data=False)
    shutil.move(folder / "model.onnx.data", folder.parent / "secret")
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret"
    onnx.save(graph, folder / "model.onnx")


BROKEN: dict[str, tuple[Break, str]] = {
    "no configuration": (lambda folder: (folder / "genai_config.json").unlink(), "has no file genai_config.json"),
    "not JSON": (truncate("genai_config.json", 100), "genai_config.json .* is damaged"),
    "not an object": (lambda folder: (folder / "genai_config.json").write_text("[1]"), "is damaged"),
    "nested to death": (lambda folder: (folder / "genai_config.json").write_text("[" * 10**5), "is damaged"),
    "binary": (lambda folder: (folder / "genai_config.json").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "no decoder": (configure(decoder=None), "incomplete or malformed"),
    "layers as text": (configure(num_hidden_layers="two"), "incomplete or malformed"),
    "endless layers": (configure(num_hidden_layers=10**9), "incomplete or malformed"),
    "more layers than there are": (configure(num_hidden_layers=3), "not those of a text decoder"),
    "other heads": (configure(num_key_value_heads=4), "shapes are not those"),
    "another head size": (configure(head_size=8), "fails on its first token"),
    "no graph": (lambda folder: (folder / "model.onnx").unlink(), "has no file model.onnx"),
    "a folder as graph": (configure(filename="."), "lies outside|has no file"),
    "a graph outside": (configure(filename="../other/model.onnx"), "lies outside"),
    "an absolute graph": (configure(filename="/etc/hostname"), "lies outside"),
    "a truncated graph": (truncate("model.onnx", 3000), "onnxruntime cannot load it"),
    "an empty graph": (truncate("model.onnx", 0), "onnxruntime cannot load it"),
    "truncated weights": (truncate("model.onnx.data", 1000), "onnxruntime cannot load it"),
    "no weights": (lambda folder: (folder / "model.onnx.data").unlink(), "onnxruntime cannot load it"),
    "weights outside": (lead_outside, "onnxruntime cannot load it"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no file tokenizer.json"),
    "a damaged tokenizer": (truncate("tokenizer.json", 500), "damaged or of an unknown kind"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_folders(folder: Path, kind: str) -> None:
    damage, sentence = BROKEN[kind]
    damage(folder)
    with pytest.raises(ModelLoadError, match=sentence) as caught:
        load(folder)
    text = str(caught.value)
    assert text.endswith(".")
    assert len(text) < 300
    assert str(folder.parent) not in text


def test_links_out_of_the_folder_are_not_followed(folder: Path) -> None:
    for name in ("genai_config.json", "tokenizer.json", "model.onnx"):
        outside = folder.parent / f"outside-{name}"
        shutil.move(folder / name, outside)
        (folder / name).symlink_to(outside)
        with pytest.raises(ModelLoadError, match="lies outside"):
            load(folder)
        (folder / name).unlink()
        shutil.move(outside, folder / name)
    load(folder)


def test_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for missing, sentence in (
        (None, "Add its path"),
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "file", "exist"),
    ):
        for read in (read_model_files, read_tokenizer_files):
            with pytest.raises(ModelLoadError, match=sentence):
                read(missing)


def test_several_end_tokens(folder: Path) -> None:
    configure(eos_token_id=[2, 7])(folder)
    assert read_model_files(folder).eos_ids == (2, 7)
    load(folder)
