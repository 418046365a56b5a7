"""The table of architectures, read without importing the library it belongs to."""

from __future__ import annotations

from playground.engines.architectures import native_types


def test_native_types_are_those_of_the_library() -> None:
    types = native_types()
    assert {"llama", "qwen3", "gpt2", "mpt", "phi3", "smollm3"} <= types
    assert not {"", "evil", "LlamaConfig"} & types
    assert len(types) > 300
