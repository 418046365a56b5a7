"""The engines there are: name -> how to make one. Nothing heavy is imported until an engine is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playground.catalog.spec import ModelSpec
from playground.engines.contract import Engine, EngineOptions, Progress, Tokenizer
from playground.errors import ModelLoadError


@dataclass(frozen=True, slots=True)
class EngineKind:
    """How engines of one kind come to be.

    `create` loads the model, reporting its stages; it raises ModelLoadError. `in_worker` says whether that happens in a
    process of its own. `tokenizer` reads the model's tokenizer for the server process (None: the engine tokenises
    elsewhere).
    """

    create: Callable[[ModelSpec, EngineOptions, Progress], Engine]
    in_worker: bool
    tokenizer: Callable[[ModelSpec], Tokenizer] | None = None


def kind_of(spec: ModelSpec) -> EngineKind:
    """The kind of engine that runs this model. Raises ModelLoadError for an unknown one, listing what there is."""
    try:
        return ENGINES[spec.engine]
    except KeyError:
        known = ", ".join(sorted(ENGINES))
        raise ModelLoadError(
            f"The model {spec.id} asks for an engine named {spec.engine}; there are: {known}. "
            "Correct its catalogue entry."
        ) from None


def _create_echo(spec: ModelSpec, options: EngineOptions, progress: Progress) -> Engine:
    from playground.engines.echo_engine import EchoEngine  # noqa: PLC0415

    del progress
    return EchoEngine(context_length=spec.context_length, concurrent=options.max_batch)


def _create_onnx(spec: ModelSpec, options: EngineOptions, progress: Progress) -> Engine:
    from playground.engines.onnx_engine import load_onnx_engine  # noqa: PLC0415

    return load_onnx_engine(spec, options, progress)


def _read_tokenizer(spec: ModelSpec) -> Tokenizer:
    from playground.engines.tokenizer import read_tokenizer  # noqa: PLC0415

    return read_tokenizer(spec)


ENGINES: dict[str, EngineKind] = {
    "echo": EngineKind(_create_echo, in_worker=False),
    "onnx": EngineKind(_create_onnx, in_worker=True, tokenizer=_read_tokenizer),
}
