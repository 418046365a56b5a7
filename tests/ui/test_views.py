"""What stands around a message: notices, figures, versions, stages, cards, the list."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from playground.catalog.hub import HubRow
from playground.catalog.memory_plan import MemoryPlan
from playground.catalog.memory_plan import Verdict as MemoryVerdict
from playground.catalog.servers import ModelServer
from playground.chat.run import RunSnapshot
from playground.domain import (
    Action,
    Checking,
    Conversation,
    Direction,
    Download,
    Finding,
    FinishReason,
    Loading,
    Message,
    Queued,
    Ruling,
    Stage,
    Timings,
    Usage,
    Verdict,
)
from playground.engines.choice import EngineChoice
from playground.engines.contract import ServerHealth
from playground.errors import Cancelled, DiskFull, PlaygroundError
from playground.library.jobs import JobView
from playground.services import Services
from playground.ui.conversations_view import LONGEST_LIST, listed
from playground.ui.live_view import Live, live_line
from playground.ui.message_view import chat_messages, message_rows, message_stats
from playground.ui.notice_view import end_notice, failure_notice, message_notices, verdict_notice
from playground.ui.picker_view import JobLine, Situation, choosable, found_cards, model_cards, short_count, short_size
from playground.ui.words import Words, load_words


def verdict(action: Action, direction: Direction = Direction.INPUT, **more: object) -> Verdict:
    finding = Finding("profanity", 0.97, (0, 4), "words", "1", "word_list:en")
    return Verdict(direction, action, (Ruling(finding, action, 0.5),), "standard", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    ("action", "kind"), [(Action.BLOCK, "blocked"), (Action.WARN, "warned"), (Action.REDACT, "redacted")]
)
def test_a_decision_names_category_score_threshold_detector_and_policy(
    words: Words, direction: Direction, action: Action, kind: str
) -> None:
    notice = verdict_notice(verdict(action, direction), words)
    assert notice is not None
    assert notice.kind == kind
    assert "coarse language" in notice.text
    facts = dict(notice.facts)
    assert facts["Category"] == "profanity"
    assert facts["Score"] == "0.97 (limit 0.50)"
    assert facts["Detector"] == "words 1"
    assert facts["Reason"] == "on the English word list"
    assert facts["Policy"] == "standard"


def test_a_check_that_could_not_run_is_not_a_broken_rule(words: Words) -> None:
    broken = verdict_notice(verdict(Action.BLOCK), words)
    for direction in Direction:
        unavailable = Verdict(direction, Action.BLOCK, degraded=("words",), unavailable=True)
        notice = verdict_notice(unavailable, words)
        assert notice is not None
        assert broken is not None
        assert notice.kind == "unavailable"
        assert "You broke no rule" in notice.text
        assert notice.title != broken.title
        assert dict(notice.facts)["Detector"] == "words"


def test_a_degraded_check_is_told_and_a_clean_one_is_not(words: Words) -> None:
    degraded = verdict_notice(Verdict(Direction.INPUT, Action.ALLOW, degraded=("toxicity",)), words)
    assert degraded is not None
    assert "toxicity" in degraded.text
    assert verdict_notice(Verdict(Direction.INPUT, Action.ALLOW), words) is None


def test_the_ways_an_answer_ends_are_told_apart(words: Words) -> None:
    def end(reason: FinishReason, error: str | None = None) -> str | None:
        notice = end_notice(Message("assistant", "x", finish_reason=reason, error=error), words)
        return notice and f"{notice.kind}: {notice.title} {notice.text} {notice.retry}"

    assert end(FinishReason.STOP) is None
    seen = [end(reason) for reason in (FinishReason.CANCELLED, FinishReason.INTERRUPTED, FinishReason.LENGTH)]
    seen.append(end(FinishReason.ERROR, "worker_died"))
    assert len(set(seen)) == 4
    assert all(text and text.endswith("True") for text in (seen[0], seen[1], seen[3]))
    assert "started anew" in (seen[3] or "")


def test_a_vietnamese_failure_has_no_english_sentence() -> None:
    words = load_words("vi")
    assert failure_notice("out_of_memory", "There is not enough memory.", words).text == words("error.out_of_memory")
    assert failure_notice("never_heard_of", "Strange.", words).text == words("error.error")
    assert failure_notice("never_heard_of", "Strange.", load_words("en")).text == "Strange."


def test_a_message_can_carry_several_notices(words: Words) -> None:
    decisions = (verdict(Action.REDACT, Direction.OUTPUT), verdict(Action.BLOCK, Direction.OUTPUT))
    message = Message("assistant", "x", verdicts=decisions, finish_reason=FinishReason.CONTENT_FILTER)
    assert [notice.kind for notice in message_notices(message, words)] == ["redacted", "blocked"]


def test_cards_that_say_the_same_are_one_with_every_receipt(words: Words) -> None:
    covered = tuple(verdict(Action.REDACT, Direction.OUTPUT) for _ in range(3))
    message = Message("assistant", "x", verdicts=(*covered, verdict(Action.WARN, Direction.OUTPUT)))
    redacted, warned = message_notices(message, words)
    assert (redacted.kind, warned.kind) == ("redacted", "warned")
    facts = dict(redacted.facts)
    assert redacted.receipt == covered[0].id
    assert facts["Receipt"] == ", ".join(one.id for one in covered)
    assert facts["Category"] == dict(warned.facts)["Category"]


def test_figures_of_an_answer(words: Words) -> None:
    usage = Usage(prompt_tokens=1200, completion_tokens=101, cached_tokens=1000)
    message = Message("assistant", "x", usage=usage, timings=Timings(first_token=0.25, decoding=2.0, queued=1.5))
    assert [text for text, _ in message_stats(message, words)] == [
        "50.0 tokens/s",
        "first token in 250 ms",
        "101 tokens",
        "prompt: 1,200, 1,000 cached",
        "waited 1.5 s",
    ]
    assert message_stats(Message("user", "x"), words) == ()
    shortened = message_stats(replace(message, dropped_messages=4), words)
    assert "4 earlier messages left out" in [text for text, _ in shortened]


def test_rows_and_chat_messages_stand_in_the_same_order(words: Words) -> None:
    question = Message("user", "  indented")
    answer = Message("assistant", "42", reasoning="Hmm.", parent_id=question.id, model_id="pip")
    shown = chat_messages([question, answer], words)
    versions = {answer.id: ("old", answer.id, "new")}
    rows = message_rows([question, answer], versions, {"pip": "Pip"}, words)
    assert [message["role"] for message in shown] == ["user", "assistant", "assistant"]
    assert shown[0]["content"] == [{"type": "text", "text": "  indented"}]
    assert [row and row.text for row in rows] == ["  indented", None, "42"]
    last = rows[2]
    assert last is not None
    assert last.versions is not None
    assert [text for text, _ in last.stats] == ["Pip"]
    assert (last.versions.at, last.versions.of, last.versions.previous, last.versions.next) == (2, 3, "old", "new")


@pytest.mark.parametrize(
    ("stage", "text", "tokens", "line"),
    [
        (Queued(3), "", 0, Live("Waiting in line, place 3…")),
        (Loading(Stage.LOADING, 0.5), "", 0, Live("Loading Pip…", 0.5)),
        (Loading(Stage.PREFILLING), "", 0, Live("Pip is reading…")),
        (Checking(12), "", 5, Live("Checking the answer before it is shown…")),
        (Checking(12), "Some", 5, Live()),
        (None, "", 0, Live("Pip is reading…")),
        (None, "", 4, Live("Pip is writing…")),
        (None, "Some", 4, Live()),
    ],
)
def test_the_stage_of_an_answer(
    words: Words, stage: Queued | Loading | Checking | None, text: str, tokens: int, line: Live
) -> None:
    snapshot = RunSnapshot(1, text, "", stage, (), tokens, 0.1, None, None)
    assert live_line(snapshot, "Pip", words) == line


def test_guards_and_models_that_cannot_run_are_not_offered(services: Services) -> None:
    offered = {spec.id for spec in choosable(services.catalog)}
    assert {"pip", "echo", "qwen3-0.6b"} <= offered
    assert not {"qwen3guard-gen-0.6b", "mpt-7b"} & offered


def test_cards_say_what_a_model_is(services: Services, words: Words) -> None:
    choices = {"pip": EngineChoice("onnx", "cpu", "int8", "only"), "echo": EngineChoice("echo", None, "", "only")}
    now = Situation(loaded={"echo": "loaded"}, speeds={"echo": 41.4}, choices=choices)
    cards = {card.id: card for card in model_cards(services.catalog, now, words)}
    assert set(cards) == {spec.id for spec in services.catalog}
    assert cards["echo"].state == "loaded"
    assert dict(cards["echo"].facts)["Measured on this machine"] == "41 tokens/s"
    assert cards["pip"].state == "ready"
    facts = dict(cards["pip"].facts)
    assert facts["Licence"] == "Apache-2.0"
    assert facts["How it runs on this machine"] == "int8 on CPU, ONNX Runtime"
    assert facts["Languages"] == "English, Vietnamese"
    vietnamese = {card.id: card for card in model_cards(services.catalog, Situation(), load_words("vi"))}
    assert vietnamese["pip"].description != cards["pip"].description


def test_what_can_answer_at_once_comes_first_and_only_the_operator_can_fetch(services: Services, words: Words) -> None:
    specs = [services.catalog.get(model_id) for model_id in ("qwen3-0.6b", "llama3.2-1b", "echo")]
    states = {spec.id: services.library.state(spec) for spec in specs}
    for operator in (True, False):
        echo, *absent = model_cards(specs, Situation(states, operator=operator), words)
        assert echo.id == "echo"
        assert [card.state for card in absent] == ["absent", "absent"]
        assert [card.fetch for card in absent] == (["Download"] * 2 if operator else ["", ""])
        assert "agreement" in absent[1].note


@pytest.mark.parametrize(
    ("news", "error", "line", "note"),
    [
        (Queued(2), None, JobLine("Waiting in line, place 2…", None), ""),
        (Loading(Stage.CONVERTING, 0.5), None, JobLine("Preparing for this machine…", 0.5), ""),
        (
            Loading(Stage.DOWNLOADING, 0.25, download=Download(250_000_000, 10**9, 5e6, 150.0)),
            None,
            JobLine("250.0 MB of 1.0 GB, 5.0 MB/s, 2 min left", 0.25),
            "",
        ),
        (Loading(Stage.DOWNLOADING, None, download=Download(1000, 2000)), None, JobLine("1 kB of 2 kB", None), ""),
        (Loading(Stage.DOWNLOADING), DiskFull("The disk is full."), None, "The disk is full."),
        (Loading(Stage.DOWNLOADING), Cancelled("Stopped."), None, ""),
    ],
)
def test_a_card_tells_what_is_being_done(
    services: Services, news: Loading | Queued, error: PlaygroundError | None, line: JobLine | None, note: str
) -> None:
    spec = services.catalog.get("qwen3-0.6b")
    job = JobView("1", spec.id, news, done=error is not None, error=error, waiters=0)
    states = {spec.id: services.library.state(spec)}
    (card,) = model_cards([spec], Situation(states, jobs={spec.id: job}), load_words("en"))
    assert card.job == line
    assert card.note == note
    assert card.state == ("working" if line else "absent")


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (MemoryVerdict.FITS, "Fits into memory. Needs 3.0 GB, 8.0 GB free."),
        (
            MemoryVerdict.FITS_WITH_LESS_CONTEXT,
            "Fits with a shorter context of 2,048 tokens. Needs 3.0 GB, 8.0 GB free.",
        ),
        (MemoryVerdict.TOO_BIG, "Too big for this machine. Needs 3.0 GB, 8.0 GB free."),
    ],
)
def test_a_card_tells_whether_the_model_fits(
    services: Services, words: Words, verdict: MemoryVerdict, sentence: str
) -> None:
    spec = services.catalog.get("qwen3-0.6b")
    plan = MemoryPlan(verdict, 2_000_000_000, 500_000_000, 500_000_000, 8_000_000_000, 2048)
    (card,) = model_cards([spec], Situation(plans={spec.id: plan}), words)
    assert card.plan == (verdict.value, sentence)
    (card,) = model_cards([spec], Situation(plans={spec.id: plan}, loaded={spec.id: "loaded"}), words)
    assert card.plan is None


def test_a_search_s_finds_say_what_they_are(words: Words) -> None:
    row = HubRow("o/m", 1_234_567, 3, None, "apache-2.0", True, 1_500_000_000, "text-generation", ("safetensors",))
    (card,) = found_cards([row], words)
    assert card.repo == "o/m"
    assert [text for _, text in card.facts] == ["1.5B parameters", "apache-2.0", "1.2M downloads", "Agreement needed"]


def test_a_download_tells_its_numbers(words: Words) -> None:
    stage = Loading(Stage.DOWNLOADING, 0.5, download=Download(10**9, 2 * 10**9, 2e7, 50.0))
    line = live_line(RunSnapshot(1, "", "", stage, (), 0, 0.1, None, None), "Qwen3", words)
    assert line == Live("Downloading Qwen3… 1.0 GB of 2.0 GB, 20.0 MB/s, 50 s left", 0.5)


def test_sizes_are_short(words: Words) -> None:
    assert [short_count(count, words) for count in (7, 5_500_000, 135_000_000, 7_600_000_000)] == [
        "7", "5.5M", "135M", "7.6B",
    ]  # fmt: skip
    assert [short_size(size, words) for size in (4_100, 3_600_000, 2_500_000_000)] == ["4 kB", "3.6 MB", "2.5 GB"]


def test_the_list_names_every_conversation_and_is_bounded(words: Words) -> None:
    many = [Conversation("o", title=f"No {number}") for number in range(LONGEST_LIST + 5)]
    view = listed([Conversation("o", title=""), *many], many[0].id, words, "query")
    assert len(view.items) == LONGEST_LIST
    assert view.items[0].title == "New conversation"
    assert (view.active, view.query) == (many[0].id, "query")


def test_cards_say_where_a_remote_model_runs_and_how_its_servers_do(services: Services, words: Words) -> None:
    here = ModelServer(url="http://127.0.0.1:1/v1")
    away = ModelServer(url="https://gpu.example.org/v1"), ModelServer(url="https://gpu.example.org:8443/v1")
    specs = [
        replace(services.catalog.get("echo"), id=name, servers=servers)
        for name, servers in (("near", (here,)), ("far", (here, *away)))
    ]
    when = datetime(2026, 11, 25, 17, 2, tzinfo=UTC)
    health = (
        ServerHealth("a", up=True, since=when, in_flight=2, first_token=0.25),
        ServerHealth("b", up=False, since=when, error="server_unreachable"),
        ServerHealth("c", up=True, since=when),
    )
    near, far = model_cards(specs, Situation(servers={"far": health}), words)
    assert (near.location, dict(near.facts)["Runs on"]) == ("", "this machine")
    assert (far.location, dict(far.facts)["Runs on"]) == ("gpu.example.org", "gpu.example.org")
    hint, count = far.facts[-1]
    assert count == "2 of 3 servers answer"
    assert hint.split("\n") == [
        "a: answers; 2 requests in flight, first token after 0.25 s",
        "b: down since 2026-11-25 17:02:00 UTC (server_unreachable)",
        "c: not asked yet",
    ]
    assert len(near.facts) == len(far.facts) - 1
    assert dict(model_cards(specs, Situation(), load_words("vi"))[1].facts)["Chạy trên"] == "gpu.example.org"
