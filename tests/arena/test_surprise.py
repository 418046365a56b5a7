"""Answers as other models read them: where they part ways, and what the gate keeps to itself."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.arena.contract import Mode, SideRequest, Surprise, SurpriseView
from playground.arena.surprise import MOST_TOKENS, CrossReader, Reader
from playground.catalog.catalog import SHIPPED, Catalog
from playground.catalog.servers import ModelServer
from playground.chat.look_book import LookBook
from playground.chat.trail_book import Trail, TrailBook, TrailToken
from playground.config import Settings
from playground.domain import Message, SamplingParams
from playground.engines.contract import EngineOptions, LegibleTokenizer, Look, Prompt
from playground.engines.pool import EnginePool
from playground.moderation.moderator import build_moderator
from playground.services import Services, build
from tests import oracle
from tests.catalogue import write_models

Built = Callable[..., Services]
PIP = SHIPPED[0].parents[1] / "embedded" / "pip" / "int8"


@pytest.fixture
def thinking(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Built]:
    """Makes a playground of an echo and an oracle: what the latter says, what it holds possible."""
    built: list[Services] = []

    def make(says: str, *holds: str, tags: list[str] | None = None) -> Services:
        oracle.install(monkeypatch, [says], holds)
        (isolated / "policy.toml").write_text(oracle.POLICY, encoding="utf-8")
        rows = {
            "oracle": {"engine": "oracle"} | ({"reasoning_tags": tags} if tags else {}),
            "plain": {"engine": "oracle"},
        }
        models = write_models(isolated / "models.toml", rows)
        settings = Settings(
            data_dir=isolated / "data", models_file=models, default_model="echo", policy=str(isolated / "policy.toml")
        )
        built.append(build(settings))
        return built[-1]

    yield make
    for services in built:
        services.close()


def read(services: Services, question: str, models: tuple[str, ...] = ("echo", "oracle")) -> SurpriseView:
    arena = services.arena
    comparison = arena.start("anna", Mode.NAMED, [SideRequest(name) for name in models], "en")
    arena.ask("anna", comparison.id, question)
    for _ in range(1000):
        view = arena.view("anna", comparison.id)
        if not any(side.running for side in view.sides):
            break
        arena.wait("anna", comparison.id, view.version, 0.5)
    return arena.surprise("anna", comparison.id, "en")


def foreign(view: SurpriseView) -> Surprise:
    """The echo's answer as the oracle reads it."""
    return view.readings[0][1]


def test_where_they_part_ways_and_what_it_would_rather_have_written(thinking: Built) -> None:
    view = read(thinking("Good morning.", "lovely"), "Good evening.")
    reading = foreign(view)
    assert reading.parting == len("Good ")
    assert reading.rather[len("Good ")].text in {"lovely", "<|im_end|>"}
    assert reading.rather[len("Good ")].probability == pytest.approx(0.25)
    pairs = zip("Good evening.", "Good morning.", strict=True)
    assert set(reading.rather) == {at for at, (written, own) in enumerate(pairs) if written != own}
    same = len("Good evening.") - len(reading.rather)
    bits = same * 1 + len(reading.rather) * -math.log2(0.01)
    assert reading.bits_per_token == pytest.approx(bits / len("Good evening."))
    assert reading.bits_per_character == pytest.approx(bits / len("Good evening."))  # a token a byte
    own = view.readings[1][1]
    assert (own.parting, own.bits_per_token) == (None, pytest.approx(1.0))


def test_a_side_that_shows_no_probabilities_says_so_and_is_read_all_the_same(thinking: Built) -> None:
    view = read(thinking("Good morning.", "lovely"), "Good evening.")
    for row in view.readings:
        assert row[0].trouble is not None
        assert row[0].trouble.code == "no_probabilities"
        assert row[1].trouble is None
    assert view.tokens_per_word[0] == {}
    assert view.tokens_per_word[1]["en"] > 4  # a token a byte


def test_what_the_policy_blocks_is_masked_wherever_it_would_have_stood(thinking: Built) -> None:
    reading = foreign(read(thinking("?", "motherfucker", "zoe.quinn@zq.example", "lovely"), "You are a mothership."))
    told = {one.text for one in reading.rather.values()}
    assert any(one.masked for one in reading.rather.values())
    assert told <= {"", "lovely", "<|im_end|>"}
    assert "fuck" not in repr(reading)
    assert "quinn" not in repr(reading)


def test_that_the_gate_had_no_time_for_all_of_it_is_told(thinking: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    assert foreign(read(thinking("Good morning.", "lovely"), "Good evening.")).rather_whole
    monkeypatch.setattr("playground.chat.masking.SCREENING_SECONDS", -1.0)
    reading = foreign(read(thinking("Good morning.", "lovely"), "Good evening."))
    assert (len(reading.rather), reading.rather_whole) == (0, False)


def test_what_only_comes_about_with_the_text_before_is_masked_too(thinking: Built) -> None:
    reading = foreign(read(thinking("?", "fucker"), "You are a mothership, a mothership."))
    place = len("You are a mother")
    assert {reading.rather[at].text for at in (place, place + 1)} <= {"", "<|im_end|>"}


def test_what_the_gate_covered_counts_in_no_figure(thinking: Built) -> None:
    reading = foreign(read(thinking("?", "lovely"), "Write to zoe.quinn@zq.example now."))
    hidden = [token for token in reading.tokens if token.kind == "covered"]
    assert "".join(token.text for token in hidden) == "[e-mail removed]"
    assert {token.probability for token in hidden} == {None}
    assert reading.bits_per_token == pytest.approx(-math.log2(0.01))
    places = {at for at, token in enumerate(reading.tokens) if token.kind == "covered"}
    assert not places & set(reading.rather)


def test_of_a_long_answer_the_beginning_is_read(thinking: Built) -> None:
    reading = foreign(read(thinking("?", "lovely"), "long " * 200))
    assert len(reading.tokens) == MOST_TOKENS
    assert not reading.whole


def test_a_side_without_an_answer_has_no_readings(thinking: Built) -> None:
    view = read(thinking("motherfucker", "lovely"), "Good evening.")
    assert view.readings[1] == ()
    assert foreign(view).tokens


def test_models_that_were_fetched_read_and_those_that_cannot_say_so(isolated: Path) -> None:
    source: dict[str, object] = {"format": "genai"}
    shutil.copytree(PIP, isolated / "broken", ignore=shutil.ignore_patterns("model.onnx"))
    rows = {
        "fetched": {"engine": "auto", "path": str(PIP), "source": source},
        "broken": {"engine": "onnx", "path": str(isolated / "broken")},
        "absent": {"engine": "auto", "source": source | {"repo": "o/absent"}},
    }
    models = write_models(isolated / "models.toml", rows)
    services = build(Settings(data_dir=isolated / "data", models_file=models, default_model="echo", offline=True))
    try:
        view = read(services, "Who are you?", ("echo", *rows))
        troubles = [reading.trouble and reading.trouble.code for reading in view.readings[0]]
        assert troubles == ["no_probabilities", None, "model_load_error", "model_absent"]
        assert view.readings[0][1].bits_per_character
        assert view.readings[1][1].tokens
        assert len(services.library.jobs()) == 1  # the question asked for it, reading does not
        assert view.tokens_per_word[2] == view.tokens_per_word[1] != {}  # the tokenizer is there, whatever else is not
    finally:
        services.close()


def test_thoughts_are_read_before_the_answer_by_models_that_think(
    thinking: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = thinking("<think>\nhm\n</think>\n\nYes.", "lovely", tags=["<think>", "</think>"])
    read_prompts: list[tuple[int, ...]] = []
    look = oracle.Oracle.look

    def watched(self: oracle.Oracle, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        read_prompts.append(prompt.token_ids)
        return look(self, prompt, params, first=first, count=count)

    monkeypatch.setattr(oracle.Oracle, "look", watched)
    view = read(services, "Really?", ("oracle", "plain"))
    tokenizer = services.pool.tokenizer(services.catalog.get("oracle"))
    assert isinstance(tokenizer, LegibleTokenizer)
    told = ["".join(tokenizer.texts(prompt)).partition("assistant: ")[2] for prompt in read_prompts]
    own, other = view.readings[0]
    assert "".join(token.text for token in own.tokens) == "".join(token.text for token in other.tokens) == "Yes."
    assert told[0] == "<think>\nhm\n</think>\n\nYes."
    assert "Yes." in told
    assert (own.thoughtless, other.thoughtless) == (False, True)


def test_a_model_on_a_server_reads_its_own_answer_as_it_was_told() -> None:
    far = replace(Catalog.load().get("echo"), id="far", servers=(ModelServer(url="http://127.0.0.1:9"),))
    asked, book = Message("user", "hello"), TrailBook()
    answer, other = Message("assistant", "Hello there"), Message("assistant", "Hi")
    tokens = (
        TrailToken(0, 5, "Hello", math.log(0.5), (("Hello", math.log(0.5)), ("Hey", math.log(0.25)))),
        TrailToken(5, 11, " there", math.log(0.125), ((" you", math.log(0.5)), (" there", math.log(0.125)))),
    )
    book.keep(answer.id, "c1", Trail(tokens, whole=True, text_hash=hash("Hello there"), size=1))
    moderator = build_moderator("standard")
    engines = EnginePool(EngineOptions(), max_models=1, idle_seconds=0, start_seconds=1, stall_seconds=1)
    cross = CrossReader(engines, None, moderator, trails=book, looks=LookBook())
    readers = [Reader(far, SamplingParams(), conversation_id=name) for name in ("c1", "c2")]
    view = cross.read(readers, [(asked, answer), (asked, other)], "en")
    own, elsewhere = view.readings[0]
    assert [(token.text, token.probability) for token in own.tokens] == [
        ("Hello", pytest.approx(0.5)),
        (" there", pytest.approx(0.125)),
    ]
    assert (own.bits_per_token, own.bits_per_character) == (pytest.approx(2.0), pytest.approx(4 / 11))
    assert {place: one.text for place, one in own.rather.items()} == {1: " you"}
    assert (own.trouble, own.whole) == (None, True)
    for reading in (elsewhere, *view.readings[1]):  # no other answer, and none of which nothing is kept
        assert reading.trouble is not None
        assert reading.trouble.code == "runs_elsewhere"
