"""The engines there are: name -> how to make one. Nothing heavy is imported until an engine is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playground.catalog.spec import AUTO, ModelSpec
from playground.engines.contract import Engine, EngineOptions, Progress, Tokenizer
from playground.errors import ModelAbsent, ModelLoadError, NoSchemas


@dataclass(frozen=True, slots=True)
class EngineKind:
    """How engines of one kind come to be.

    `create` loads the model, reporting its stages; it raises ModelLoadError. `in_worker` says whether that happens in a
    process of its own. `tokenizer` reads the model's tokenizer for the server process (None: the engine tokenises
    elsewhere). `check_schema` raises BadSchema for a JSON schema that answers cannot be held to (None: they are
    held to none). `options` names what a catalogue row may say under `engine_options`, and of which type it is. `here`
    says whether the model takes this machine's memory; one that does not needs `servers` in its row.
    """

    create: Callable[[ModelSpec, EngineOptions, Progress], Engine]
    in_worker: bool
    tokenizer: Callable[[ModelSpec], Tokenizer] | None = None
    check_schema: Callable[[str], None] | None = None
    options: Mapping[str, type] = field(default_factory=dict)
    here: bool = True


def kind_of(spec: ModelSpec) -> EngineKind:
    """The kind of engine that runs this model.

    Raises ModelLoadError for an unknown engine or engine option, listing what there is; for servers in the row of a
    model that runs here, or none in that of one that does not; and for a model whose engine is not chosen yet, because
    its files are not here.
    """
    if spec.engine == AUTO:
        raise ModelAbsent(f"{spec.name} is not on this machine yet. Choose a model that is.")
    kind = ENGINES.get(spec.engine)
    if kind is None:
        raise _wrong(spec, f"asks for an engine named {spec.engine}; there are: {_names(ENGINES)}.")
    for name, value in spec.engine_options.items():
        if name not in kind.options:
            raise _wrong(spec, f"has an engine option named {name}; {spec.engine} knows: {_names(kind.options)}.")
        if type(value) not in _accepted(kind.options[name]):
            raise _wrong(spec, f"has {value!r} for {name}; it must be of type {kind.options[name].__name__}.")
    if kind.here and spec.servers:
        raise _wrong(spec, f"names servers, which the engine {spec.engine} does not use.")
    if not kind.here and not spec.servers:
        raise _wrong(spec, "has no [[models.servers]]: it runs nowhere.")
    return kind


def check_engine(spec: ModelSpec) -> None:
    """Nothing, when the model's engine is known, and all of those that are to be chosen from.

    Raises ModelLoadError otherwise, as `kind_of` does.
    """
    if spec.engine != AUTO:
        kind_of(spec)
    unknown = [name for name in spec.engines if name not in ENGINES]
    if unknown:
        raise _wrong(spec, f"asks for an engine named {unknown[0]}; there are: {_names(ENGINES)}.")


def check_schema(spec: ModelSpec, schema: str) -> None:
    """Nothing, when the model's answers can be held to this JSON schema.

    Raises NoSchemas or BadSchema, with the reason. A model whose engine is not chosen yet can do what its engines can.
    """
    names = [spec.engine] if spec.engine != AUTO else [name for name in spec.engines if name in ENGINES]
    checks = [check for name in names if (check := ENGINES[name].check_schema) is not None]
    if not checks:
        raise NoSchemas(
            f"Answers of {spec.name} cannot be held to a form. Leave out response_format and ask for the form in the "
            "message, or choose another model."
        )
    for check in dict.fromkeys(checks):
        check(schema)


def _accepted(kind: type) -> tuple[type, ...]:
    return (int, float) if kind is float else (kind,)


def _names(known: Mapping[str, Any]) -> str:
    return ", ".join(sorted(known)) or "none"


def _wrong(spec: ModelSpec, what: str) -> ModelLoadError:
    return ModelLoadError(f"The model {spec.id} {what} Correct its catalogue entry.")


def _create_echo(spec: ModelSpec, options: EngineOptions, progress: Progress) -> Engine:
    from playground.engines.echo_engine import EchoEngine  # noqa: PLC0415

    del progress
    chosen: dict[str, Any] = dict(spec.engine_options)
    try:
        return EchoEngine(context_length=spec.context_length, concurrent=options.max_batch, **chosen)
    except ValueError as error:
        raise _wrong(spec, f"cannot be loaded: {error}") from error


def _create_onnx(spec: ModelSpec, options: EngineOptions, progress: Progress) -> Engine:
    from playground.engines.onnx_engine import load_onnx_engine  # noqa: PLC0415

    return load_onnx_engine(spec, options, progress)


def _create_torch(spec: ModelSpec, options: EngineOptions, progress: Progress) -> Engine:
    from playground.engines.torch_engine import load_torch_engine  # noqa: PLC0415

    return load_torch_engine(spec, options, progress)


def _create_remote(spec: ModelSpec, options: EngineOptions, progress: Progress) -> Engine:
    from playground.engines.remote.remote_engine import open_remote_engine  # noqa: PLC0415

    del progress
    try:
        return open_remote_engine(spec, options)
    except ValueError as error:
        raise _wrong(spec, f"cannot be used: {error}") from error


def _check_here(schema: str) -> None:
    from playground.engines.grammar import check_schema as check  # noqa: PLC0415

    check(schema)


def _check_elsewhere(schema: str) -> None:
    from playground.engines.grammar import check_size  # noqa: PLC0415

    check_size(schema)


def _read_tokenizer(spec: ModelSpec) -> Tokenizer:
    from playground.engines.tokenizer import read_tokenizer  # noqa: PLC0415

    return read_tokenizer(spec)


ENGINES: dict[str, EngineKind] = {
    "echo": EngineKind(
        _create_echo, in_worker=False, options={"piece_chars": int, "delay_seconds": float, "backwards": bool}
    ),
    "remote": EngineKind(
        _create_remote,
        in_worker=False,
        options={
            "connect_seconds": float,
            "first_token_seconds": float,
            "between_tokens_seconds": float,
            "rounds": int,
            "alternatives": int,
        },
        here=False,
        check_schema=_check_elsewhere,
    ),
    "onnx": EngineKind(
        _create_onnx,
        in_worker=True,
        tokenizer=_read_tokenizer,
        options={"template": str},
        check_schema=_check_here,
    ),
    "torch": EngineKind(
        _create_torch,
        in_worker=True,
        tokenizer=_read_tokenizer,
        options={"template": str, "dtype": str, "quantization": str, "compile": bool},
        check_schema=_check_here,
    ),
}
