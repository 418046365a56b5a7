"""A look inside answers: of the model that ships, in numbers; and of one whose thoughts the gate has to hide."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.catalog import SHIPPED
from playground.chat.inspection import MOST_TOKENS, Inspector, Subject
from playground.chat.run import Run
from playground.chat.token_views import StepView
from playground.config import Settings
from playground.domain import ChatRequest, FinishReason, Message, SamplingParams
from playground.engines.contract import Turn
from playground.errors import Busy, InvalidRequest, ModelAbsent, NoProbabilities, UnknownConversation
from playground.services import Services, build
from tests import oracle
from tests.catalogue import write_models

ANNA = "0" * 32
PIP = SHIPPED[0].parents[1] / "embedded" / "pip"
PARAMS = SamplingParams(temperature=0.9, top_p=0.95, top_k=40, max_tokens=24, seed=11)


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The playground on the model that ships, in full precision."""
    services = build(Settings(data_dir=tmp_path_factory.mktemp("pip"), default_model="pip-fp32", engine_threads=1))
    yield services
    services.close()


def ask(services: Services, text: str | None, model: str = "pip-fp32", after: Run | None = None, **more: object) -> Run:
    request = ChatRequest(ANNA, model, text, params=PARAMS)
    if after is not None:
        parent = after.message_id if text is not None else after.user_message_id
        request = replace(request, conversation_id=after.conversation_id, parent_id=parent)
    run = services.chat.start(replace(request, **more))  # type: ignore[arg-type]
    assert run.wait(120)
    return run


def subject_of(run: Run) -> Subject:
    return Subject(ANNA, run.conversation_id or "", run.message_id or "")


def answer_of(services: Services, run: Run) -> Message:
    return services.chat.select(ANNA, run.conversation_id or "", run.message_id or "").messages[-1]


def test_the_tokens_of_an_answer_with_their_probabilities(pip: Services) -> None:
    run = ask(pip, "What can you do?")
    views = pip.inspector.tokens(subject_of(run)).tokens
    content = answer_of(pip, run).content
    assert "".join(view.text for view in views) == content
    assert [view.kind for view in views[:-1]] == ["text"] * (len(views) - 1)
    assert (views[-1].kind, views[-1].probability) == ("end", None)
    spec = pip.catalog.get("pip-fp32")
    tokenizer = pip.pool.tokenizer(spec)
    assert tokenizer is not None
    with pip.pool.acquire(spec) as engine:
        prompt = tokenizer.encode_chat([Turn("user", "What can you do?")])
        scores = engine.score(prompt + tokenizer.encode(content))[len(prompt) - 1 :]
    assert [view.probability for view in views[:-1]] == pytest.approx([math.exp(score) for score in scores], abs=1e-4)


def test_alternatives_are_the_most_probable_first(pip: Services) -> None:
    subject = subject_of(ask(pip, "Who are you?"))
    views = pip.inspector.tokens(subject).tokens
    for place in (0, len(views) // 2, len(views) - 1):
        seen = pip.inspector.place(subject, place)
        probabilities = [one.probability for one in seen.alternatives]
        assert seen.token == views[place]
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0 < sum(probabilities) <= 1.0001
        assert not any(one.masked for one in seen.alternatives)
    with pytest.raises(InvalidRequest, match="has no place"):
        pip.inspector.place(subject, len(views))


def stepped(inspector: Inspector, subject: Subject, params: SamplingParams, steps: int) -> StepView:
    chosen: list[int] = []
    for _ in range(steps):
        view = inspector.step(subject, 0, chosen, params)
        assert view.drawn is not None
        assert view.drawn.token_id is not None
        chosen.append(view.drawn.token_id)
    return inspector.step(subject, 0, chosen, params)


@pytest.mark.parametrize(
    ("model", "seed"), [("pip-fp32", 3), ("pip-fp32", 11), ("pip", 3), ("pip", 11), ("pip-int4", 3), ("fable", 3)]
)
def test_stepping_with_a_seed_writes_the_answer_that_the_seed_writes(pip: Services, model: str, seed: int) -> None:
    params = replace(PARAMS, seed=seed, max_tokens=12)
    run = ask(pip, "Bạn là ai?", model, params=params)
    answer = answer_of(pip, run)
    assert answer.usage is not None
    last = stepped(pip.inspector, subject_of(run), params, answer.usage.completion_tokens)
    assert last.text == answer.content
    assert last.ended == (answer.finish_reason is FinishReason.STOP)


def test_settings_reshape_what_may_come_next(pip: Services) -> None:
    subject = subject_of(ask(pip, "Tell me about yourself."))
    wide = pip.inspector.step(subject, 2, (), SamplingParams(temperature=2.0, top_p=1.0, seed=1))
    narrow = pip.inspector.step(subject, 2, (), SamplingParams(temperature=0.5, top_p=1.0, top_k=3, seed=1))
    assert wide.kept > 1000 > narrow.kept == 3
    assert [one.probability for one in wide.candidates] == [one.probability for one in narrow.candidates]
    assert narrow.candidates[0].share > wide.candidates[0].share
    assert [one.share > 0 for one in narrow.candidates] == [True] * 3 + [False] * 7
    greedy = pip.inspector.step(subject, 2, (), SamplingParams(temperature=0.0))
    assert (greedy.drawn, greedy.kept) == (greedy.candidates[0], 1)


def test_another_token_begins_another_version_of_the_answer(pip: Services) -> None:
    run = ask(pip, "Who are you?")
    subject = subject_of(run)
    views = pip.inspector.tokens(subject).tokens
    place = 2
    other = next(
        one
        for one in pip.inspector.place(subject, place).alternatives
        if one.kind == "text" and one.text != views[place].text and one.token_id is not None
    )
    beginning = pip.inspector.beginning(subject, place, (other.token_id or 0,))
    branch = ask(pip, None, after=run, beginning=beginning)
    text = "".join(view.text for view in views[:place]) + other.text
    thread = pip.chat.thread(ANNA, run.conversation_id or "")
    assert thread.messages[-1].id == branch.message_id
    assert thread.versions[branch.message_id or ""] == (run.message_id, branch.message_id)
    assert answer_of(pip, branch).content.startswith(text)
    assert len(answer_of(pip, branch).content) > len(text)
    again = pip.inspector.tokens(subject_of(branch)).tokens
    assert "".join(view.text for view in again[: place + 1]) == text


def test_what_the_model_received(pip: Services) -> None:
    first = ask(pip, "Xin chào", system_prompt="Be kind.")
    history = answer_of(pip, first).content
    second = ask(pip, "What is this?", after=first, system_prompt="Be kind.")
    view = pip.inspector.prompt(subject_of(second))
    said = [
        (piece.source, "".join(token.text for token in piece.tokens)) for piece in view.pieces if piece.role is not None
    ]
    assert ("system", "Be kind.") in said
    assert [text.strip() for source, text in said if source == "history"] == ["Xin chào", history.strip()]
    assert said[-1] == ("you", "What is this?")
    usage = answer_of(pip, second).usage
    assert usage is not None
    assert view.total == sum(view.counts.values()) == usage.prompt_tokens
    assert min(view.counts.values()) > 0
    assert view.context_length == 512
    assert not view.changed
    assert not view.cut
    assert 1 < view.tokens_per_word["en"] < 3
    assert 1 < view.tokens_per_word["vi"] < 3
    pip.chat.configure(ANNA, second.conversation_id or "", system_prompt="Be very kind and patient.")
    assert pip.inspector.prompt(subject_of(second)).changed


def test_another_prompt_of_the_same_length_is_another_one(thinking: Built) -> None:
    services = thinking("lovely day", "lovely")
    run = ask(services, "Hello", "oracle", system_prompt="Be kind.")
    before = services.inspector.prompt(subject_of(run))
    assert not before.changed
    services.chat.configure(ANNA, run.conversation_id or "", system_prompt="Be rude.")
    after = services.inspector.prompt(subject_of(run))
    assert after.total == before.total
    assert after.changed


def test_what_did_not_fit_is_named(pip: Services) -> None:
    run = ask(pip, "The first question of many", params=replace(PARAMS, max_tokens=200))
    for number in range(7):
        run = ask(pip, f"And number {number}? " + "more words " * 20, after=run, params=replace(PARAMS, max_tokens=200))
    view = pip.inspector.prompt(subject_of(run))
    answer = answer_of(pip, run)
    assert 0 < answer.dropped_messages == len(view.cut)
    assert (view.cut[0].role, view.cut[0].opening, view.cut[0].reason) == ("user", "The first question of many", "room")


Built = Callable[..., Services]


@pytest.fixture
def thinking(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Built]:
    """Makes the playground on an oracle: what it says, what it holds possible."""
    built: list[Services] = []

    def make(says: str | list[str], *holds: str, tags: tuple[str, str] | None = None) -> Services:
        oracle.install(monkeypatch, [says] if isinstance(says, str) else says, holds)
        (isolated / "policy.toml").write_text(oracle.POLICY, encoding="utf-8")
        row = {"engine": "oracle"} | ({"reasoning_tags": tags} if tags else {})
        models = write_models(isolated / "models.toml", {"oracle": row})
        settings = Settings(
            data_dir=isolated / "data", models_file=models, default_model="oracle", policy=str(isolated / "policy.toml")
        )
        built.append(build(settings))
        return built[-1]

    yield make
    for services in built:
        services.close()


def test_alternatives_that_the_policy_blocks_are_masked(thinking: Built) -> None:
    services = thinking("Have a nice day.", "motherfucker", "zoe.quinn@zq.example", "lovely")
    subject = subject_of(ask(services, "Hello", "oracle"))
    views = services.inspector.tokens(subject).tokens
    for place in (0, 7, len(views) - 1):
        seen = services.inspector.place(subject, place)
        assert sorted(one.masked for one in seen.alternatives) == [False, False, False, True, True]
        assert {one.text for one in seen.alternatives if one.masked} == {""}
        assert "lovely" in {one.text for one in seen.alternatives}
        assert all(one.probability > 0 for one in seen.alternatives)
        assert "fuck" not in repr(seen)
        assert "quinn" not in repr(seen)
    step = services.inspector.step(subject, 7, (), PARAMS)
    assert sorted(one.masked for one in step.candidates) == [False, False, False, True, True]
    assert "fuck" not in repr(step)


def test_what_only_comes_about_with_the_text_before_is_masked_too(thinking: Built) -> None:
    services = thinking("You are a motherly friend", "fucker", "ship")
    subject = subject_of(ask(services, "Hello", "oracle"))
    place = len("You are a mother")
    told = {at: {one.text for one in services.inspector.place(subject, at).alternatives} for at in (0, place)}
    assert "fucker" not in told[place]
    assert "ship" in told[place]


def test_once_the_gate_was_asked_long_enough_the_rest_is_masked(
    thinking: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = thinking("Have a nice day.", "lovely", "ugly", "kind")
    subject = subject_of(ask(services, "Hello", "oracle"))
    monkeypatch.setattr("playground.chat.masking.SCREENING_SECONDS", 1e-9)  # one question takes longer
    seen = services.inspector.place(subject, 7)
    assert next(one.text for one in seen.alternatives if not one.masked) == seen.token.text == "n"
    assert [one.masked for one in seen.alternatives if one.kind == "text"].count(True) == 2  # one was asked about
    step = services.inspector.step(subject, 7, (), PARAMS)
    assert step.drawn is not None
    assert not step.drawn.masked  # what is drawn is asked about first
    assert all(one.masked for one in step.candidates[1:] if one.kind == "text")


def test_looking_is_in_no_figure_about_waiting_for_the_gate(thinking: Built) -> None:
    services = thinking("Have a nice day.", "lovely")
    subject = subject_of(ask(services, "Hello", "oracle"))
    before = services.metrics.told()[0].decode()
    held = services.moderator.meter.held()
    services.inspector.place(subject, 7)
    services.inspector.step(subject, 7, (), PARAMS)
    assert services.moderator.meter.held() == held
    after = services.metrics.told()[0].decode()
    counts = [[line for line in told.splitlines() if "gate_seconds_count" in line] for told in (before, after)]
    assert counts[0] == counts[1] != []


def test_a_blocked_answer_is_shown_as_far_as_it_was_released_and_not_beyond(thinking: Built) -> None:
    services = thinking("This is fine. And you motherfucker.", "motherfucker")
    run = ask(services, "Hello", "oracle")
    answer = answer_of(services, run)
    assert answer.finish_reason is FinishReason.CONTENT_FILTER
    views = services.inspector.tokens(subject_of(run)).tokens
    assert "".join(view.text for view in views) == answer.content
    assert "end" not in {view.kind for view in views}
    with pytest.raises(InvalidRequest):
        services.inspector.place(subject_of(run), len(views))
    step = services.inspector.step(subject_of(run), len(views), (), PARAMS)
    assert (step.text, step.stopped, step.candidates) == (answer.content, True, ())


def test_stepping_into_what_the_gate_stops_ends_there(thinking: Built) -> None:
    services = thinking("Good day.", "motherfucker")
    subject = subject_of(ask(services, "Hello", "oracle"))
    tokenizer = services.pool.tokenizer(services.catalog.get("oracle"))
    assert tokenizer is not None
    tokens = tokenizer.encode("And you motherfucker")
    view = services.inspector.step(subject, 9, tokens, PARAMS)
    assert view.stopped
    assert not view.candidates
    assert view.drawn is None
    assert "fuck" not in repr(view)
    run = ask(
        services,
        None,
        "oracle",
        conversation_id=subject.conversation_id,
        parent_id=question(services, subject),
        beginning=services.inspector.beginning(subject, 0, tokens),
    )
    assert answer_of(services, run).finish_reason is FinishReason.CONTENT_FILTER
    assert "fuck" not in answer_of(services, run).content


def test_a_token_that_is_no_text_can_only_be_the_last(thinking: Built) -> None:
    services = thinking("Good day.", "lovely")
    subject = subject_of(ask(services, "Hello", "oracle"))
    tokenizer = services.pool.tokenizer(services.catalog.get("oracle"))
    assert tokenizer is not None
    end, *_ = tokenizer.encode_pieces([(oracle.END, True)])
    more = tokenizer.encode("!")
    assert services.inspector.step(subject, 9, (*more, end), PARAMS).ended
    for look in (
        lambda chosen: services.inspector.step(subject, 9, chosen, PARAMS),
        lambda chosen: services.inspector.beginning(subject, 9, chosen),
    ):
        with pytest.raises(InvalidRequest, match="Nothing can follow"):
            look((end, *more))


def question(services: Services, subject: Subject) -> str:
    return services.inspector.question(subject).id


def test_covered_places_stay_covered(thinking: Built) -> None:
    services = thinking("Write to zoe.quinn@zq.example now.", "lovely")
    run = ask(services, "Hello", "oracle")
    views = services.inspector.tokens(subject_of(run)).tokens
    hidden = [view for view in views if view.kind == "covered"]
    assert "".join(view.text for view in hidden) == "[e-mail removed]"
    assert {view.probability for view in hidden} == {None}
    assert services.inspector.tokens(subject_of(run)).recut  # the mark is not what the model wrote
    place = next(at for at, view in enumerate(views) if view.kind == "covered")
    assert services.inspector.place(subject_of(run), place).alternatives == ()


def test_of_a_very_long_answer_the_beginning_is_looked_at(thinking: Built) -> None:
    services = thinking("long " * 400, "lovely")
    views = services.inspector.tokens(subject_of(ask(services, "Hello", "oracle"))).tokens
    assert len(views) == MOST_TOKENS + 1
    assert views[-1].kind == "more"
    assert services.inspector.place(subject_of(ask(services, "Hello", "oracle")), MOST_TOKENS).token.kind == "more"


def test_a_question_whose_answer_was_stopped_is_named_among_what_was_cut(thinking: Built) -> None:
    services = thinking("This is fine. And you motherfucker.", "lovely")
    first = ask(services, "The first one", "oracle")
    second = ask(services, "The second one", "oracle", after=first)
    view = services.inspector.prompt(subject_of(second))
    assert [(cut.role, cut.reason) for cut in view.cut] == [("user", "stopped"), ("assistant", "stopped")]
    assert "".join(token.text for piece in view.pieces for token in piece.tokens) == "user: The second one\nassistant: "


def test_other_tokens_than_the_model_wrote_are_admitted(thinking: Built) -> None:
    services = thinking("lovely day", "lovely")
    assert not services.inspector.tokens(subject_of(ask(services, "Hello", "oracle"))).recut
    services.close()
    services = thinking(["lo", "vely", " day"], "lovely")
    view = services.inspector.tokens(subject_of(ask(services, "Hello", "oracle")))
    assert view.tokens[0].text == "lovely"
    assert view.recut


def test_thoughts_are_tokens_too(thinking: Built) -> None:
    services = thinking("<think>hm</think>Yes.", "lovely", tags=("<think>", "</think>"))
    views = services.inspector.tokens(subject_of(ask(services, "Hello", "oracle"))).tokens
    assert "".join(view.text for view in views) == "<think>hm</think>Yes."


def test_thoughts_that_the_template_opened_are_no_answer(thinking: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "TEMPLATE", oracle.TEMPLATE.replace("assistant: ", "assistant: <think>\n"))
    services = thinking("hm\n</think>\n\nYes.", "lovely", tags=("<think>", "</think>"))
    run = ask(services, "Hello", "oracle")
    answer = answer_of(services, run)
    assert (answer.reasoning, answer.content) == ("hm\n", "Yes.")
    view = services.inspector.tokens(subject_of(run))
    assert "".join(token.text for token in view.tokens) == "hm\n</think>\n\nYes."
    assert not view.recut


def test_what_cannot_be_looked_into_says_so(pip: Services) -> None:
    echoed = subject_of(ask(pip, "Hello", "echo"))
    for look in (pip.inspector.tokens, pip.inspector.prompt):
        with pytest.raises(NoProbabilities, match="Choose a model that runs here"):
            look(echoed)
    mine = subject_of(ask(pip, "Who are you?"))
    with pytest.raises(UnknownConversation):
        pip.inspector.tokens(replace(mine, owner="1" * 32))
    for wrong in ("f" * 32, pip.inspector.question(mine).id):
        with pytest.raises(InvalidRequest, match="no such answer"):
            pip.inspector.tokens(replace(mine, message_id=wrong))
    for place, chosen in ((-1, ()), (10_000, ()), (0, (10**9,)), (0, (-5,)), (0, (7,) * 2000)):
        with pytest.raises(InvalidRequest):
            pip.inspector.step(mine, place, chosen, PARAMS)


@pytest.fixture
def fetched(isolated: Path) -> Iterator[Services]:
    """The playground on a model whose engine is chosen when its files are here, and one whose files are not."""
    source: dict[str, object] = {"format": "genai"}
    rows = {
        "local": {"engine": "auto", "path": str(PIP / "int8"), "source": source},
        "absent": {"engine": "auto", "source": source | {"repo": "o/absent"}},
    }
    models = write_models(isolated / "models.toml", rows)
    services = build(Settings(data_dir=isolated / "data", models_file=models, default_model="local"))
    yield services
    services.close()


def test_a_model_that_was_fetched_is_looked_into(fetched: Services) -> None:
    subject = subject_of(ask(fetched, "Who are you?", "local"))
    views = fetched.inspector.tokens(subject).tokens
    assert all(view.probability for view in views[:-1])
    assert fetched.inspector.place(subject, 0).token == views[0]
    assert fetched.inspector.step(subject, 1, (), PARAMS).drawn is not None
    assert fetched.inspector.prompt(subject).total > 0
    assert fetched.inspector.beginning(subject, 1, ())


def test_nothing_is_downloaded_for_a_look(fetched: Services) -> None:
    subject = subject_of(ask(fetched, "Who are you?", "local"))
    object.__setattr__(fetched.catalog.get("local"), "source", fetched.catalog.get("absent").source)
    with pytest.raises(ModelAbsent, match=r"is not on this machine yet\. Ask it something"):
        fetched.inspector.tokens(subject)
    assert not fetched.library.jobs()


def test_an_answer_being_written_is_not_looked_into(isolated: Path) -> None:
    slow = {"slow": {"engine_options": {"delay_seconds": 0.05, "piece_chars": 1}}}
    models = write_models(isolated / "models.toml", slow)
    services = build(Settings(data_dir=isolated / "data", models_file=models, default_model="slow"))
    try:
        run = services.chat.start(ChatRequest(ANNA, "slow", "x" * 400))
        with pytest.raises(Busy):
            services.inspector.tokens(subject_of(run))
        run.cancel()
    finally:
        services.close()
