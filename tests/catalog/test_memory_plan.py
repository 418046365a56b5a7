"""Plans are plain arithmetic: worked through by hand for a shape with round numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.catalog.memory_plan import (
    MIN_CONTEXT,
    PRECISIONS,
    RUNTIMES,
    Need,
    Runtime,
    Verdict,
    kv_bytes,
    plan,
    plan_together,
    refuse_too_big,
    smaller_precision,
    weights_bytes,
)
from playground.catalog.shape import ModelShape
from playground.errors import OutOfMemory

MIB = 2**20
SHAPE = ModelShape(
    architecture="LlamaForCausalLM",
    parameters=100 * MIB,
    hidden_size=1024,
    kv_layers=8,
    kv_heads=4,
    head_size=64,
    vocab_size=10 * 1024,
    context_length=8192,
    heads=16,
)
BARE = Runtime(float_bytes=4, base_bytes=10 * MIB, loading=dict.fromkeys(PRECISIONS, 1.0), token_bytes=0, chunk=16)
NEED = Need(shape=SHAPE, runtime=BARE, context_length=8192, precision="fp32")
TOKEN = 2 * 8 * 4 * 64 * 4  # keys and values of one token


def test_keys_and_values_of_a_conversation() -> None:
    assert kv_bytes(SHAPE, 1000, 4) == 1000 * TOKEN
    assert kv_bytes(SHAPE, 1000, 2) == 500 * TOKEN


def test_a_window_is_kept_only_where_the_runtime_drops_the_rest() -> None:
    sliding = replace(SHAPE, kv_layers=2, window_layers=6, window=100)
    assert kv_bytes(sliding, 1000, 4) == TOKEN // 4 * 1000 + TOKEN * 3 // 4 * 100
    assert kv_bytes(sliding, 50, 4) == 50 * TOKEN
    assert kv_bytes(sliding, 1000, 4, drops_window=False) == 1000 * TOKEN
    smaller = replace(sliding, window_kv_size=128)
    assert kv_bytes(smaller, 1000, 4) == TOKEN // 4 * 1000 + TOKEN * 3 // 8 * 100


def test_a_recurrent_state_does_not_grow() -> None:
    hybrid = replace(SHAPE, kv_layers=0, state_bytes=12345)
    assert kv_bytes(hybrid, 1, 4) == kv_bytes(hybrid, 100_000, 4) == 12345


@pytest.mark.parametrize(
    ("precision", "tied", "table", "float_bytes", "megabytes"),
    [
        ("fp32", False, 0, 4, 400),
        ("fp16", False, 0, 2, 200),
        ("bf16", True, 0, 2, 200),
        ("int4", False, 0, 4, 90 * 0.625 + 10 * 4),
        ("int4", True, 0, 4, 100 * 0.625),
        ("int8", False, 0, 4, 90 * 1.125 + 10 * 4),
        ("int8", True, 0, 4, 100 * 1.125 + 10 * 4),
        ("int4", False, 0, 2, 90 * 0.5625 + 10 * 2),
        ("int4", True, 40, 4, 60 * 0.625 + 40 * 4),
    ],
)
def test_weights(precision: str, tied: bool, table: int, float_bytes: int, megabytes: float) -> None:
    shape = replace(SHAPE, tied_embeddings=tied, table_parameters=table * MIB)
    assert weights_bytes(shape, precision, float_bytes) == megabytes * MIB


def test_the_total_is_weights_keys_values_and_overhead() -> None:
    made = plan(replace(NEED, concurrent=3), free_bytes=2**40)
    scores, logits = 16 * 16 * 8192 * 4, (16 + 3) * 10 * 1024 * 4
    assert made.verdict is Verdict.FITS
    assert made.weights_bytes == 400 * MIB
    assert made.kv_bytes == 3 * 8192 * TOKEN
    assert made.overhead_bytes == 10 * MIB + scores + logits
    assert made.total_bytes == made.weights_bytes + made.kv_bytes + made.overhead_bytes


def test_what_loading_and_the_tokenizer_take_counts_as_overhead() -> None:
    runtime = replace(BARE, loading={"fp32": 1.5}, token_bytes=1024)
    more = replace(NEED, runtime=runtime).overhead(1000) - NEED.overhead(1000)
    assert more == 200 * MIB + 10 * MIB
    assert RUNTIMES["onnx", "cpu"].chunk_of(49_152) == 160
    assert RUNTIMES["onnx", "cpu"].chunk_of(262_144) == 32
    assert RUNTIMES["onnx", "cpu"].chunk_of(500) == 256


def test_known_file_sizes_and_a_limit_for_keys_and_values_win_over_the_formula() -> None:
    made = plan(replace(NEED, weights_bytes=7 * MIB, kv_limit_bytes=MIB), free_bytes=2**40)
    assert made.weights_bytes == 7 * MIB
    assert made.kv_bytes == MIB


def test_every_byte_counts() -> None:
    total = NEED.total(8192)
    assert plan(NEED, free_bytes=total).verdict is Verdict.FITS
    shorter = plan(NEED, free_bytes=total - 1)
    assert shorter.verdict is Verdict.FITS_WITH_LESS_CONTEXT
    assert shorter.context_length == 8192 - 64
    assert shorter.total_bytes < total


@pytest.mark.parametrize("tokens", [MIN_CONTEXT, 1000, 4096, 8000])
def test_the_context_is_the_longest_that_fits(tokens: int) -> None:
    made = plan(NEED, free_bytes=NEED.total(tokens))
    assert made.context_length == tokens // 64 * 64
    assert NEED.total(made.context_length) <= made.free_bytes < NEED.total(made.context_length + 64)


def test_too_big_even_for_the_shortest_useful_context() -> None:
    made = plan(NEED, free_bytes=NEED.total(MIN_CONTEXT) - 1)
    assert made.verdict is Verdict.TOO_BIG
    assert made.context_length == MIN_CONTEXT


def test_a_model_made_for_less_than_the_shortest_useful_context() -> None:
    tiny = replace(NEED, context_length=100)
    assert plan(tiny, free_bytes=tiny.total(100)).verdict is Verdict.FITS
    assert plan(tiny, free_bytes=tiny.total(100) - 1).verdict is Verdict.TOO_BIG


@pytest.mark.parametrize(
    ("free", "loaded", "verdict"),
    [
        (8192, 0, Verdict.FITS),
        (8192, 8192, Verdict.FITS),
        (0, 8192, Verdict.ONE_AFTER_THE_OTHER),
        (4096, 0, Verdict.FITS_WITH_LESS_CONTEXT),
        (4096, 8192, Verdict.ONE_AFTER_THE_OTHER),
        (4096, 1, Verdict.FITS_WITH_LESS_CONTEXT),
        (0, 4096, Verdict.ONE_AFTER_THE_OTHER),
        (0, 1, Verdict.TOO_BIG),
    ],
)
def test_what_loaded_models_would_give_back(free: int, loaded: int, verdict: Verdict) -> None:
    def enough(tokens: int) -> int:
        return NEED.total(tokens) if tokens > 1 else tokens

    assert plan(NEED, free_bytes=enough(free), loaded_bytes=enough(loaded)).verdict is verdict


def test_two_models_side_by_side_or_one_after_the_other() -> None:
    total = NEED.total(8192)
    both = plan_together([NEED, NEED], free_bytes=2 * total)
    assert [made.verdict for made in both] == [Verdict.FITS, Verdict.FITS]
    turns = plan_together([NEED, NEED], free_bytes=total + MIB)
    assert [made.verdict for made in turns] == [Verdict.FITS, Verdict.ONE_AFTER_THE_OTHER]
    neither = plan_together([NEED, replace(NEED, weights_bytes=10 * total)], free_bytes=2 * total)
    assert [made.verdict for made in neither] == [Verdict.FITS, Verdict.TOO_BIG]


def test_what_fits_is_let_through() -> None:
    for free in (NEED.total(8192), NEED.total(4096)):
        refuse_too_big("Model", NEED, plan(NEED, free_bytes=free))


@pytest.mark.parametrize(
    ("free", "loaded", "sentences"),
    [
        (10 * MIB, 0, ["Model needs about 0.4 GiB", "0.01 GiB are free", "smaller model"]),
        (300 * MIB, 0, ["weights 0.4", "Choose the precision fp16"]),
        (0, 2**40, ["after the models that are loaded are unloaded", "1024.0 GiB"]),
    ],
)
def test_what_does_not_fit_is_refused_with_numbers_and_a_next_step(
    free: int, loaded: int, sentences: list[str]
) -> None:
    with pytest.raises(OutOfMemory) as caught:
        refuse_too_big("Model", NEED, plan(NEED, free_bytes=free, loaded_bytes=loaded))
    for sentence in sentences:
        assert sentence in str(caught.value)


def test_the_most_exact_precision_that_fits_is_named() -> None:
    assert smaller_precision(NEED, free_bytes=NEED.total(512) - 1) == "fp16"
    assert smaller_precision(NEED, free_bytes=170 * MIB) == "int8"
    assert smaller_precision(NEED, free_bytes=130 * MIB) == "int4"
    assert smaller_precision(NEED, free_bytes=50 * MIB) is None
    assert smaller_precision(replace(NEED, precision="int4"), free_bytes=2**40) is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"precision": "int2"}, "precision is 'int2'; there are: int4"),
        ({"context_length": 0}, "at least 1"),
        ({"concurrent": 0}, "at least 1"),
        ({"shape": replace(SHAPE, parameters=0)}, "Neither"),
    ],
)
def test_needs_that_make_no_sense(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(NEED, **changes)  # type: ignore[arg-type]


def test_every_runtime_plans_every_precision() -> None:
    for runtime in RUNTIMES.values():
        totals = [
            replace(NEED, runtime=runtime, precision=name).total(2048)
            for name in sorted(PRECISIONS, key=lambda name: PRECISIONS[name].bits)
        ]
        assert totals == sorted(totals)
