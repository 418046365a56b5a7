"""A card that is lent for each answer: streams, stops, failures in words, whose share is used, for how long."""

from __future__ import annotations

import contextvars
import pickle
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from playground.domain import Loading, Queued, SamplingParams, Stage
from playground.engines.contract import Delta, EngineOptions, Prompt, TransparentEngine, Turn
from playground.engines.lease import LONGEST_SECONDS, Failure, Job, Lease, Piece, affordable_tokens, seconds_for
from playground.engines.leased_engine import LeasedEngine, refusal
from playground.engines.lent_card import LentCard
from playground.engines.pool import EnginePool
from playground.errors import (
    EngineError,
    GpuQuotaSpent,
    GpuTimeSpent,
    ModelLoadError,
    NoGpuFree,
    NoProbabilities,
    OutOfMemory,
    WorkerDied,
)
from tests import oracle
from tests.engines.conftest import make_spec

ECHO = replace(make_spec("echo"), context_length=100)
PROMPT = Prompt((Turn("user", "Xin chào các bạn"),))
OPTIONS = EngineOptions(threads=1, max_batch=2, kv_cache_mb=64)
WHO = contextvars.ContextVar("who", default="nobody")


def engine(call: object, spec: object = ECHO) -> LeasedEngine:
    return LeasedEngine(spec, OPTIONS, Lease(call=call, engines=frozenset({"echo"})))  # type: ignore[arg-type]


def text(pieces: Iterator[Delta]) -> str:
    return "".join(piece.text for piece in pieces)


def test_an_answer_streams_and_stages_are_told() -> None:
    news: list[Loading | Queued] = []
    leased = engine(LentCard().answer)
    assert text(leased.generate(PROMPT, SamplingParams(), news.append)) == "Xin chào các bạn"
    assert [getattr(one, "stage", None) for one in news] == [Stage.LEASING, Stage.LOADING]
    assert text(leased.generate(PROMPT, SamplingParams(), news.append)) == "Xin chào các bạn"
    assert getattr(news[-1], "stage", None) is Stage.LEASING  # the engine stays: it is not loaded again


def test_the_share_of_whoever_asked_is_used() -> None:
    """The call is made on another thread, and must find the request there."""
    found: list[str] = []

    def call(job: Job) -> Iterator[Piece]:
        found.append(WHO.get())
        yield from LentCard().answer(job)

    WHO.set("anna")
    text(engine(call).generate(PROMPT, SamplingParams()))
    assert found == ["anna"]


def test_who_waits_for_a_card_is_heard_and_can_leave() -> None:
    free, given_back = threading.Event(), threading.Event()

    def call(job: Job) -> Iterator[Piece]:
        free.wait(60)
        try:
            yield Delta("a")
            yield Delta("b")
        finally:
            given_back.set()

    with closing(engine(call).generate(PROMPT, SamplingParams())) as pieces:  # type: ignore[type-var]
        assert next(pieces) == Delta("")  # a sign of life, although the call waits
    free.set()
    assert given_back.wait(60)  # nobody wants it any more: it is closed at its first piece


def test_stopping_closes_the_call() -> None:
    closed = threading.Event()

    def call(job: Job) -> Iterator[Piece]:
        try:
            while True:
                yield Delta("x")
        finally:
            closed.set()

    with closing(engine(call).generate(PROMPT, SamplingParams())) as pieces:  # type: ignore[type-var]
        assert next(pieces).text == "x"
    assert closed.wait(60)


@pytest.mark.parametrize(
    ("title", "message", "kind"),
    [
        ("ZeroGPU quota exceeded", "You have exceeded your free ZeroGPU quota (60s requested).", GpuQuotaSpent),
        ("ZeroGPU quota exceeded", "Space app has reached its GPU limit.", GpuQuotaSpent),
        ("ZeroGPU pending credits exceeded", "You have too many ZeroGPU credits allocated.", GpuQuotaSpent),
        ("ZeroGPU client error", "Expired ZeroGPU proxy token", GpuQuotaSpent),
        ("ZeroGPU quota exceeded", "No GPU was available after 60s.", NoGpuFree),
        ("ZeroGPU queue timeout", "Retry later", NoGpuFree),
        ("ZeroGPU client error", "No GPU was available", NoGpuFree),
        ("ZeroGPU illegal duration", "The requested GPU duration (900s) is larger than the maximum", GpuTimeSpent),
        ("ZeroGPU worker error", "GPU task aborted", GpuTimeSpent),
        ("ZeroGPU worker error", "RuntimeError", WorkerDied),
        ("Something", "else", EngineError),
    ],
)  # fmt: skip
def test_refusals_become_errors_with_the_next_step(title: str, message: str, kind: type[EngineError]) -> None:
    def call(job: Job) -> Iterator[Piece]:
        yield Delta("a")
        raise gr.Error(message, title=title)

    with pytest.raises(EngineError) as caught:
        text(engine(call).generate(PROMPT, SamplingParams()))
    assert type(caught.value) is kind
    assert message not in str(caught.value)
    assert type(refusal(RuntimeError("secret"))) is EngineError
    assert "secret" not in str(refusal(RuntimeError("secret")))


def test_errors_of_the_engine_keep_their_kind_and_words(tmp_path: Path) -> None:
    broken = make_spec("torch", tmp_path)
    with pytest.raises(ModelLoadError, match="model folder"):
        text(engine(LentCard().answer, broken).generate(PROMPT, SamplingParams()))
    with pytest.raises(OutOfMemory, match="too big"):
        text(engine(lambda _: iter([Failure("out_of_memory", "too big")])).generate(PROMPT, SamplingParams()))
    with pytest.raises(EngineError):
        engine(LentCard().answer).score([1, 2])


def test_what_crosses_over_can_be_pickled() -> None:
    job = Job(ECHO, OPTIONS, PROMPT, SamplingParams(stop=("x",)))
    pieces: list[Piece] = [Delta("a"), Loading(Stage.LOADING), Failure("engine_error", "No.")]
    assert pickle.loads(pickle.dumps(job)) == job
    assert pickle.loads(pickle.dumps(pieces)) == pieces


def job(parameters: int, prompt: int, answer: int) -> Job:
    spec = replace(ECHO, parameters=parameters)
    return Job(spec, OPTIONS, Prompt((), tuple(range(prompt))), SamplingParams(max_tokens=answer))


def test_the_card_is_asked_for_as_long_as_the_answer_may_take() -> None:
    short, long, larger = job(10**9, 100, 100), job(10**9, 100, 1000), job(8 * 10**9, 100, 1000)
    assert 10 <= seconds_for(short) < seconds_for(long) < seconds_for(larger) <= LONGEST_SECONDS
    assert seconds_for(job(10**9, 20_000, 1000)) > seconds_for(long)
    assert seconds_for(job(8 * 10**9, 10, 10**6)) == LONGEST_SECONDS
    assert affordable_tokens(larger) < affordable_tokens(long)
    assert seconds_for(job(8 * 10**9, 100, affordable_tokens(larger))) <= LONGEST_SECONDS


def test_a_longer_answer_than_the_card_can_be_had_for_is_not_begun() -> None:
    asked: list[Job] = []

    def call(job: Job) -> Iterator[Piece]:
        asked.append(job)
        yield Delta("a")

    spec = replace(ECHO, parameters=8 * 10**9)
    text(engine(call, spec).generate(PROMPT, SamplingParams(max_tokens=10**6)))
    assert 100 < asked[0].params.max_tokens < 10**4
    assert seconds_for(asked[0]) <= LONGEST_SECONDS


def test_the_pool_lends_to_the_engines_of_the_lease_only() -> None:
    lease = Lease(call=LentCard().answer, engines=frozenset({"echo"}))
    kinds = []
    for chosen in (lease, replace(lease, engines=frozenset({"torch"})), None):
        pool = EnginePool(OPTIONS, max_models=1, idle_seconds=0, start_seconds=60, stall_seconds=60, lease=chosen)
        with pool.acquire(ECHO) as found:
            kinds.append(type(found).__name__)
        pool.close()
    assert kinds == ["LeasedEngine", "EchoEngine", "EchoEngine"]


def test_a_machine_with_a_lent_card_is_planned_for() -> None:
    lease = Lease(call=LentCard().answer)
    gpu = lease.read_machine().gpu
    assert gpu is not None
    assert gpu.memory.free_bytes == lease.memory_bytes
    assert lease.setup.cuda
    assert lease.setup.cuda_engines == {"torch"}


def test_an_engine_makes_room_on_the_card_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    card = LentCard()
    list(card.answer(Job(ECHO, OPTIONS, PROMPT, SamplingParams())))
    tries = []
    make = card._make

    def crowded(job: Job) -> object:
        tries.append(len(card._engines))
        if card._engines:
            raise OutOfMemory("full")
        return make(job)

    monkeypatch.setattr(card, "_make", crowded)
    other = replace(ECHO, id="other")
    pieces = list(card.answer(Job(other, OPTIONS, PROMPT, SamplingParams())))
    assert tries == [1, 0]
    assert not [piece for piece in pieces if isinstance(piece, Failure)]


def test_a_look_is_a_call_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle.install(monkeypatch, ["Good"], ["lovely"])
    spec, jobs = replace(ECHO, engine="oracle"), list[Job]()

    def call(job: Job) -> Iterator[Piece]:
        jobs.append(pickle.loads(pickle.dumps(job)))
        for piece in LentCard().answer(jobs[-1]):
            yield pickle.loads(pickle.dumps(piece))

    leased = engine(call, spec)
    assert isinstance(leased, TransparentEngine)
    said = oracle.make_tokenizer(["lovely"]).encode("Good")
    looks = leased.look(Prompt((), (1, *said), len(said)), SamplingParams(max_tokens=5000), first=1, count=2)
    assert [look.stands and look.stands.token_id for look in looks] == [*said[1:], None]
    assert seconds_for(jobs[0]) < seconds_for(replace(jobs[0], reading=None))  # nothing is written
    with pytest.raises(NoProbabilities):
        engine(LentCard().answer).look(PROMPT, SamplingParams(), first=0, count=2)
    with pytest.raises(WorkerDied):
        engine(lambda _: (piece for piece in ())).look(PROMPT, SamplingParams(), first=0, count=2)
