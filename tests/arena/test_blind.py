"""Blind battles: nothing tells who answers before the vote, and everything does after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise

import pytest

from playground.arena.contract import ComparisonView, Mode, Schedule, SideRequest, TableChoice
from playground.arena.masking import MASK
from playground.domain import Failed, Finished, FinishReason, Loading, SamplingParams, Usage
from playground.errors import InvalidRequest
from tests.arena.conftest import FINGERPRINT, MODELS, Hall, Room
from tests.arena.test_service import Broken
from tests.chat.conftest import OUTPUT_ONLY, Saying

TWO: dict[str, dict[str, object]] = {name: {} for name in MODELS[:2]}
TELLING = ("quorvex", "zandrel", "acme", " 7b")
SAYINGS = (
    "I am Quorvex, a model by Acme Labs. How can I help?",
    "Hello! My name is ZANDREL 7B and I was made by Acme.",
    "As q-u-o-r-v-e-x I cannot know that. It is Monday.",
    "Well, **Zan**drel here, at your service. What else?",
    "Tôi là Quorvex, do Acme tạo ra. Tôi có thể giúp gì?",
    "Xin chào, tên tôi là Zandrel 7B. Bạn cần gì?",
    "Mình là trợ lý được phát triển bởi Acme. Chào bạn.",
    "Em là mô hình Quórvêx phiên bản 2. Em chào anh.",
    "QUORVEX-ONE says hello to everybody. Good day to you.",
    "Call me Zandrel, please. It is short for nothing.",
)


def identifying(view: ComparisonView) -> list[str]:
    """What in any field of a view tells a model, its figures, or where its words are."""
    wire = repr(asdict(view)).lower().replace("hidden", "")
    found = [name for name in (*TELLING, *MODELS) if name in wire]
    for side in view.sides:
        found += [name for name in ("tokens", "memory_bytes") if getattr(side, name)]
        found += [name for name in ("tokens_per_second", "first_token") if getattr(side, name) is not None]
        found += ["answer" for message in side.messages if message.model_id or message.usage or message.timings]
        found += ["reasoning" for message in side.messages if message.reasoning]
        found += ["end" for _ in [0] if isinstance(side.end, Finished) and side.end.usage.completion_tokens]
        found += ["stage" for _ in [0] if isinstance(side.stage, Loading) and side.stage.detail]
    found += [side.conversation_id for side in view.comparison.sides if side.conversation_id or side.params]
    return found


def usages(hall: Hall, comparison_id: str, position: int) -> list[Usage]:
    """What each answer of a side took."""
    messages = hall.arena.view("anna", comparison_id).sides[position].messages
    return [message.usage for message in messages if message.usage is not None]


def watched(hall: Hall, comparison_id: str) -> list[ComparisonView]:
    """Every view until the battle is settled."""
    views = [hall.arena.view("anna", comparison_id)]
    while any(side.running for side in views[-1].sides):
        views.append(hall.arena.wait("anna", comparison_id, views[-1].version, 0.5))
    return views


@pytest.mark.parametrize("says", SAYINGS)
@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_a_model_that_says_its_name_stays_unknown_until_the_vote(
    build_hall: Callable[..., Hall], says: str, piece: int
) -> None:
    tags = ("<think>", "</think>")
    rows = {name: {**keys, "reasoning_tags": tags} for name, keys in TWO.items()}
    talking = Saying(piece_chars=piece, delay_seconds=0.001, says=f"<think>I am Quorvex.</think>{says}")
    hall = build_hall(dict.fromkeys(TWO, talking), models=rows)
    battle = hall.blind()
    assert not identifying(hall.arena.view("anna", battle.id))
    hall.arena.ask("anna", battle.id, "Who are you?")
    views = watched(hall, battle.id)
    assert not [found for view in views for found in identifying(view)]
    last = views[-1]
    assert last.may_vote
    assert all(MASK in side.messages[-1].content for side in last.sides)
    assert not [found for one in hall.arena.listed("anna") for found in MODELS if found in repr(one)]
    told = hall.arena.vote("anna", battle.id, "tie")
    assert {side.model_id for side in told.sides} == set(TWO)
    assert {side.messages[-1].content for side in told.sides} == {says}
    assert all(side.tokens and side.messages[-1].reasoning for side in told.sides)
    kept = hall.votes.of_comparison(battle.id)
    assert kept is not None
    assert not kept.tainted, "what was hidden well does not keep a vote from the table"


@pytest.mark.parametrize(
    ("says", "tainted"),
    [
        ("My name is spelled q------u------o-r-v-e-x. Hello!", True),
        ("Tên em gồm chữ Q, U, O, rồi R, V, E và X.", True),
        ("Read it backwards: lerdnaz.", True),
        ("ChatGPT is by OpenAI, and Mibbart by Tolwick.", False),
        ("I am Quorvex, made by Acme Labs. Hello!", False),
        ("A fable is a short story, and granite is a rock.", False),
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 5])
def test_a_vote_is_kept_apart_when_a_name_slipped_through(
    build_hall: Callable[..., Hall], says: str, tainted: bool, piece: int
) -> None:
    hall = build_hall(dict.fromkeys(TWO, Saying(piece_chars=piece, says=says)), models=TWO)
    battle = hall.blind()
    views = watched_answer(hall, battle.id)
    assert not [view for view in views if view.comparison.tainted], "not told before the vote, which would tell it, too"
    hall.arena.vote("anna", battle.id, "tie")
    kept = hall.votes.of_comparison(battle.id)
    assert kept is not None
    assert kept.tainted is tainted
    assert hall.arena.view("anna", battle.id).comparison.tainted is tainted


def watched_answer(hall: Hall, comparison_id: str) -> list[ComparisonView]:
    """Every view of one question and its answers."""
    hall.arena.ask("anna", comparison_id, "Who are you?")
    return watched(hall, comparison_id)


def test_what_is_hidden_does_not_depend_on_the_pair(build_hall: Callable[..., Hall]) -> None:
    """Whoever had names repeated saw those of the pair hidden, and so knew them."""
    says = "Repeat: granite, pip, phi and falcon; Granite 3, the Pip, Phi-4 and the model Falcon."
    names = ("granite", "pip", "phi", "falcon")
    hall = build_hall(dict.fromkeys(names, Saying(says=says)), models={name: {} for name in names})
    seen, pairs = set(), set()
    for _ in range(12):
        battle = hall.blind()
        pairs.add(tuple(sorted(side.model_id for side in hall.comparisons.get("anna", battle.id).sides)))
        seen |= {side.messages[-1].content for side in watched_answer(hall, battle.id)[-1].sides}
    assert len(pairs) > 1
    assert seen == {f"Repeat: granite, pip, phi and falcon; {MASK}, the {MASK}, {MASK} and the model {MASK}."}


@pytest.mark.parametrize("tags", [("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷"), ("<seed:think>", "</seed:think>")])
def test_a_thought_in_tags_that_no_row_names_is_not_seen(
    build_hall: Callable[..., Hall], tags: tuple[str, str]
) -> None:
    opens, closes = tags
    thinking = Saying(piece_chars=2, delay_seconds=0.001, says=f"{opens}Hm, let me see.{closes}\n\nIt is so.")
    hall = build_hall({MODELS[0]: thinking, MODELS[1]: Saying(says="It is so.")}, models=TWO)
    views = watched_answer(hall, hall.blind().id)
    seen = {side.messages[-1].content for view in views for side in view.sides if side.messages[1:]}
    assert all("It is so.".startswith(text) for text in seen)
    assert [side.messages[-1].content for side in views[-1].sides] == ["It is so."] * 2


def growing(views: Sequence[ComparisonView]) -> None:
    for earlier, later in pairwise(views):
        for before, after in zip(earlier.sides, later.sides, strict=True):
            if before.messages:
                assert after.messages[-1].content.startswith(before.messages[-1].content)
        assert later.version > earlier.version or later == earlier


def test_both_sides_appear_at_one_pace_and_end_together(build_hall: Callable[..., Hall]) -> None:
    quick = Saying(piece_chars=40, says="It is so. " * 12)
    slow = Saying(piece_chars=4, delay_seconds=0.01, says="It may be. " * 8)
    hall = build_hall({MODELS[0]: quick, MODELS[1]: slow}, models=TWO, speed=400)
    battle = hall.blind()
    hall.arena.ask("anna", battle.id, "Is it?")
    views = watched(hall, battle.id)
    growing(views)
    for view in views[:-1]:
        left, right = (len(side.messages[-1].content) for side in view.sides)
        assert abs(left - right) == 0 or min(left, right) == 88  # all of the shorter one is there
        assert [side.running for side in view.sides] == [True, True]
        assert [side.end for side in view.sides] == [None, None]
        assert not view.may_vote
    assert views[-1].may_vote
    assert len(views) > 2


def test_a_failure_tells_nothing_and_can_be_mended(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall({MODELS[0]: Broken()}, models=TWO)
    battle = hall.blind()
    view = hall.answered(battle)
    (failed,) = [side for side in view.sides if isinstance(side.end, Failed)]
    assert failed.end == Failed("engine_error", "This side could not answer. Ask again, or start another battle.")
    assert not identifying(view)
    assert not view.may_vote
    with pytest.raises(InvalidRequest, match="both sides have answered"):
        hall.arena.vote("anna", battle.id, "model_a")
    hall.engines.engines[MODELS[0]] = Saying()
    hall.arena.retry("anna", battle.id, failed.position)
    assert hall.settle(battle).may_vote


def test_a_retried_side_of_a_battle_is_shown_no_further_and_no_faster_than_the_other(
    build_hall: Callable[..., Hall],
) -> None:
    hall = build_hall({MODELS[0]: Broken()}, models=TWO, speed=400)
    battle = hall.blind()
    view = hall.answered(battle, "It is so. " * 20)
    (failed,) = [side.position for side in view.sides if isinstance(side.end, Failed)]
    with pytest.raises(InvalidRequest, match="Vote first"):
        hall.arena.retry("anna", battle.id, 1 - failed)
    hall.engines.engines[MODELS[0]] = Saying(piece_chars=7, delay_seconds=0.005)
    hall.arena.retry("anna", battle.id, failed)
    views = watched(hall, battle.id)
    assert len(views) > 3
    for one in views[:-1]:
        left, right = (side.messages[-1].content for side in one.sides)
        assert left == right
        assert [(side.running, side.end) for side in one.sides] == [(True, None)] * 2
        assert not identifying(one)
    assert views[-1].may_vote


def test_stopping_one_side_of_a_battle_stops_both_and_tells_of_neither(build_hall: Callable[..., Hall]) -> None:
    slow = Saying(piece_chars=1, delay_seconds=0.02, says="So it goes. " * 50)
    hall = build_hall({MODELS[0]: Saying(says="All is well."), MODELS[1]: slow}, models=TWO)
    battle = hall.blind()
    view = hall.arena.ask("anna", battle.id, "Go.")
    while not all(side.messages and side.messages[-1].content for side in view.sides):
        view = hall.arena.wait("anna", battle.id, view.version, 1)
    kept = hall.comparisons.get("anna", battle.id).sides
    (quick,) = [position for position, side in enumerate(kept) if side.model_id == MODELS[0]]
    hall.arena.stop("anna", battle.id, quick)
    view = hall.settle(battle)
    assert len(view.sides[1 - quick].messages[-1].content) < 600
    assert {side.messages[-1].finish_reason for side in view.sides} == {FinishReason.STOP}
    assert {side.end.reason for side in view.sides if isinstance(side.end, Finished)} == {FinishReason.STOP}
    told = hall.arena.vote("anna", battle.id, "tie")
    assert told.sides[1 - quick].messages[-1].finish_reason is FinishReason.CANCELLED


def test_after_a_stop_nobody_waits_for_what_was_written_ahead(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall({MODELS[0]: Saying(says="All is well. " * 40)}, models=TWO, speed=1)
    battle = hall.blind()
    view = hall.arena.ask("anna", battle.id, "Go.")
    while not all(side.messages and side.messages[-1].content for side in view.sides):
        view = hall.arena.wait("anna", battle.id, view.version, 1)
    assert all(side.running for side in view.sides)
    hall.arena.stop("anna", battle.id)
    view = hall.settle(battle)  # one character a second otherwise: more minutes than are waited for
    assert {len(side.messages[-1].content) for side in view.sides} == {len("All is well. ") * 40, len("Go.")}
    assert view.may_vote


def test_a_block_on_one_side_tells_nothing_of_the_model(build_hall: Callable[..., Hall]) -> None:
    policy = OUTPUT_ONLY + f'[models."{MODELS[0]}".output]\nprofanity = {{ action = "block", threshold = 0.123 }}\n'
    hall = build_hall({MODELS[0]: Saying(says="You fucking cunt. Oh no.")}, models=TWO, policy=policy)
    view = hall.answered(hall.blind())
    assert "0.123" not in repr(view)
    assert not identifying(view)


def test_what_a_blind_battle_refuses(hall: Hall) -> None:
    battle = hall.blind()
    hall.answered(battle)
    for refused in (
        lambda: hall.arena.change_side("anna", battle.id, 0, SideRequest(MODELS[0])),
        lambda: hall.arena.detach("anna", battle.id, 0),
        lambda: hall.arena.ask("anna", battle.id, "You?", only=0),
        lambda: hall.arena.retry("anna", battle.id, 0),
    ):
        with pytest.raises(InvalidRequest, match=r"[Vv]ote"):
            refused()


def test_a_vote_can_be_changed_until_the_next_question(hall: Hall) -> None:
    battle = hall.blind()
    hall.answered(battle)
    assert hall.arena.vote("anna", battle.id, "model_a").comparison.winner == "model_a"
    assert hall.arena.vote("anna", battle.id, "tie (bothbad)").comparison.winner == "tie (bothbad)"
    assert [vote.winner for vote in hall.votes.every()] == ["tie (bothbad)"]
    view = hall.answered(battle, "And now?")
    assert not view.may_vote
    with pytest.raises(InvalidRequest):
        hall.arena.vote("anna", battle.id, "model_b")
    with pytest.raises(InvalidRequest, match="one of"):
        hall.arena.vote("anna", battle.id, "both")  # type: ignore[arg-type]


def test_a_vote_keeps_what_is_needed_to_judge_again_and_no_words(hall: Hall) -> None:
    battle = hall.blind()
    hall.answered(battle, "Xin chào, bạn có khỏe không?")
    hall.answered(battle, "Viết hàm sắp xếp bằng python.")
    hall.arena.vote("anna", battle.id, "model_b")
    vote = hall.votes.of_comparison(battle.id)
    assert vote is not None
    sides = hall.arena.view("anna", battle.id).comparison.sides
    assert (vote.model_a, vote.model_b, vote.winner) == (sides[0].model_id, sides[1].model_id, "model_b")
    assert (vote.mode, vote.schedule, vote.turns, vote.tainted) == ("blind", "together", 2, False)
    assert (vote.language, vote.category) == ("vi", "general")
    said = ("Xin chào, bạn có khỏe không?", "Viết hàm sắp xếp bằng python.")
    assert vote.session == FINGERPRINT("session anna")
    assert vote.prompt_hash == FINGERPRINT("\n\n".join(said))
    for position, side in enumerate((vote.side_a, vote.side_b)):
        assert (side.position, side.revision) == (position, f"commit of {sides[position].model_id}")
        assert (side.precision, side.engine) == ("int4", "onnx")
        assert {"temperature": 0.7, "top_p": 0.95, "top_k": 0, "max_tokens": 512}.items() <= dict(side.params).items()
        turns = "\n\n".join(f"user: {text}\n\nassistant: {text}" for text in said)
        assert side.conversation_hash == FINGERPRINT(turns)
        assert side.style == {"length": 29, "headers": 0, "lists": 0, "bold": 0}
        assert side.tokens == sum(usage.completion_tokens for usage in usages(hall, battle.id, position)) > 0
        assert (side.finish_reasons, side.system_prompt_hash) == (("stop", "stop"), "")
    row = repr(vote)
    assert not [word for word in ("anna", "python", "chào") if word in row]


def test_a_vote_tells_settings_system_prompts_and_how_answers_ended(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(max_models=1)
    short = SideRequest(MODELS[1], SamplingParams(temperature=0.0, max_tokens=2, seed=7), "Be brief.")
    comparison = hall.arena.start("anna", Mode.NAMED, [SideRequest(MODELS[0]), short], "vi")
    hall.answered(comparison, "One two three four.")
    hall.arena.vote("anna", comparison.id, "model_a")
    vote = hall.votes.of_comparison(comparison.id)
    assert vote is not None
    assert (vote.schedule, vote.mode, vote.language) == ("in_turn", "named", "en")
    assert (vote.side_a.finish_reasons, vote.side_b.finish_reasons) == (("stop",), ("length",))
    assert {"temperature": 0.0, "max_tokens": 2, "seed": 7}.items() <= dict(vote.side_b.params).items()
    assert vote.side_a.system_prompt_hash == ""
    assert vote.side_b.system_prompt_hash == FINGERPRINT("system prompt Be brief.")
    (row,) = hall.arena.standings.rows()
    assert (row["schedule"], row["finish_reasons_b"], row["revision_b"]) == (
        "in_turn",
        "length",
        "commit of zandrel-7b",
    )
    assert len(row["system_prompt_hash_b"]) == 32
    assert row["system_prompt_hash_b"] != vote.side_b.system_prompt_hash


def test_models_that_cannot_answer_do_not_stop_blind_battles(build_hall: Callable[..., Hall]) -> None:
    """One fits not into memory, and one always fails: the first is never drawn, the second not for ever."""
    hall = build_hall({MODELS[0]: Broken()}, room=Room(refused=MODELS[3]))
    drawn = []
    for _ in range(40):
        battle = hall.blind()
        drawn.append({side.model_id for side in hall.comparisons.get("anna", battle.id).sides})
        if hall.answered(battle).may_vote:
            hall.arena.vote("anna", battle.id, "tie")
    assert not [pair for pair in drawn if MODELS[3] in pair]
    assert sum(MODELS[0] in pair for pair in drawn[-20:]) < 10
    assert hall.comparisons.fruitless("blind")[MODELS[0]] == sum(MODELS[0] in pair for pair in drawn)


def test_two_browsers_vote_at_the_same_time(hall: Hall) -> None:
    battle = hall.blind()
    hall.answered(battle)
    gate = threading.Barrier(4)

    def vote(number: int) -> None:
        gate.wait()
        hall.arena.vote("anna", battle.id, ("model_a", "model_b", "tie", "tie (bothbad)")[number])  # type: ignore[arg-type]

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (kept,) = hall.votes.every()
    assert kept.winner == hall.arena.view("anna", battle.id).comparison.winner


def test_the_server_killed_between_answer_and_vote(build_hall: Callable[..., Hall]) -> None:
    before = build_hall({name: Saying(says="I am Quorvex. It is so.") for name in TWO}, models=TWO)
    battle = before.blind()
    before.answered(battle)
    after = build_hall(models=TWO)
    view = after.arena.view("anna", battle.id)
    assert view.may_vote
    assert not identifying(view)
    assert after.arena.vote("anna", battle.id, "model_a").comparison.revealed


def test_in_turn_the_order_is_drawn_and_not_told(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(models=TWO, max_models=1)
    first = set()
    for _ in range(30):
        battle = hall.blind()
        assert battle.schedule is Schedule.IN_TURN
        hall.engines.order.clear()
        hall.answered(battle)
        live = hall.comparisons.get("anna", battle.id)
        first.add(hall.engines.order[0] == live.sides[0].model_id)
        if len(first) == 2:
            return
    raise AssertionError("always the same order")


def test_a_battle_needs_two_models(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(models={MODELS[0]: {}, "far": {"tags": ["guard"]}})
    with pytest.raises(InvalidRequest, match="Fetch another one"):
        hall.blind()


def test_the_leaderboard_counts_blind_votes_only_and_follows_them(hall: Hall) -> None:
    choice = TableChoice()
    with pytest.raises(InvalidRequest, match="no votes"):
        hall.arena.leaderboard(choice)
    named = hall.named()
    hall.answered(named)
    hall.arena.vote("anna", named.id, "model_a")
    with pytest.raises(InvalidRequest, match="no votes"):
        hall.arena.leaderboard(choice)
    for _ in range(3):
        battle = hall.blind()
        hall.answered(battle)
        hall.arena.vote("anna", battle.id, "model_a")
    table = hall.arena.leaderboard(choice)
    assert table.battles == 3
    assert hall.arena.leaderboard(choice) is table
    hall.arena.vote("anna", battle.id, "tie")
    changed = hall.arena.leaderboard(choice)
    assert (changed.battles, changed.ties) == (3, 1)
    assert hall.arena.leaderboard(TableChoice(modes=("named",))).battles == 1
    assert hall.arena.leaderboard(TableChoice(style=True)).battles == 3
    with pytest.raises(InvalidRequest, match="imported"):
        hall.arena.leaderboard(TableChoice(modes=("odd",)))
