"""The routes from a checkpoint to a folder, in the order in which they are tried, and the check that ends each."""

from __future__ import annotations

import gc
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from playground.domain import Loading, Stage
from playground.engines.conversion.adapters import merge_adapter
from playground.engines.conversion.builder_route import convert_with_builder
from playground.engines.conversion.checking import LIMITS, Drift, check_folder, compare_passages, limit_for_rounded
from playground.engines.conversion.checkpoint import load_model, read_config
from playground.engines.conversion.exporter_route import convert_with_exporter
from playground.engines.conversion.kept_weights import BITS, round_weights
from playground.engines.conversion.reference import Passage, read_again, read_reference
from playground.engines.conversion.request import ConversionRequest
from playground.errors import ModelLoadError

REPORT = "conversion.json"
Say = Callable[[Loading], None]


@dataclass(frozen=True, slots=True)
class Route:
    """One way to make a folder. `shares_embedding`: rounding the logits' matrix rounds an embedding tied to it."""

    make: Callable[[ConversionRequest, Path], None]
    shares_embedding: bool


ROUTES: Mapping[str, Route] = {
    "model builder": Route(convert_with_builder, shares_embedding=True),
    "transformers exporter": Route(convert_with_exporter, shares_embedding=False),
}
_VERSIONS = ("onnxruntime", "onnxruntime-genai", "transformers", "torch", "onnx")


@dataclass(frozen=True, slots=True)
class Report:
    """How a conversion went: the route that passed, how far its graph is from `transformers` on the weights as they
    are kept, what keeping them so costs against fp32, and why the routes before it were refused."""

    route: str
    precision: str
    device: str
    drift: Drift
    cost: Drift
    refused: dict[str, str]
    versions: dict[str, str]


def run_conversion(request: ConversionRequest, say: Say, routes: Mapping[str, Route] = ROUTES) -> Report:
    """Convert in this process: read the reference, then try one route after the other until one passes the check.

    Raises ModelLoadError with every route's reason when none does.
    """
    say(Loading(Stage.CONVERTING, 0.0, "reading the checkpoint"))
    if request.adapter is None:
        return _convert(request, say, routes)
    with tempfile.TemporaryDirectory(dir=request.target.parent) as work:
        merged = Path(work) / "merged"
        merge_adapter(request.source, request.adapter, merged)
        return _convert(replace(request, source=merged, adapter=None), say, routes)


def _convert(request: ConversionRequest, say: Say, routes: Mapping[str, Route]) -> Report:
    read_config(request.source)
    model = load_model(request.source)
    say(Loading(Stage.CONVERTING, 0.2, "reading what transformers computes"))
    passages = read_reference(model, request.source)
    del model
    gc.collect()
    refused: dict[str, str] = {}
    for number, (name, route) in enumerate(routes.items()):
        part = 0.3 + 0.6 * number / len(routes)
        try:
            drift, cost = _try(request, route, passages, partial(_tell, say, part, name))
        except ModelLoadError as error:
            refused[name] = str(error)
            shutil.rmtree(request.target, ignore_errors=True)
            continue
        return _write_report(request, name, drift, cost, refused)
    reasons = " ".join(f"{name}: {reason}" for name, reason in refused.items())
    raise ModelLoadError(f"No way was found to convert this model. {reasons}")


def _tell(say: Say, fraction: float, route: str, step: str) -> None:
    say(Loading(Stage.CONVERTING, fraction, f"{route}: {step}"))


def _try(
    request: ConversionRequest, route: Route, passages: Sequence[Passage], tell: Callable[[str], None]
) -> tuple[Drift, Drift]:
    tell("converting")
    request.target.mkdir(parents=True)
    route.make(request, request.target)
    gc.collect()
    tell("comparing with transformers")
    kept, limit = passages, LIMITS.get(request.precision)
    if limit is None:
        coarse = _read_rounded(request, route, passages, 8)
        limit = limit_for_rounded(compare_passages(coarse, passages))
        bits = BITS[request.precision]
        kept = coarse if bits == 8 else _read_rounded(request, route, passages, bits)
    drift = check_folder(request.target, kept, limit, request.device)
    return drift, compare_passages(kept, passages)


def _read_rounded(request: ConversionRequest, route: Route, passages: Sequence[Passage], bits: int) -> list[Passage]:
    """The passages with the checkpoint's weights rounded."""
    model = load_model(request.source)
    round_weights(model, bits, share_embedding=route.shares_embedding)
    rounded = read_again(model, passages)
    del model
    gc.collect()
    return rounded


def _write_report(request: ConversionRequest, route: str, drift: Drift, cost: Drift, refused: dict[str, str]) -> Report:
    versions = {name: version(name) for name in _VERSIONS}
    report = Report(route, request.precision, request.device, drift, cost, refused, versions)
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False)
    (request.target / REPORT).write_text(text + "\n", encoding="utf-8")
    return report
