"""A look inside answers of models on servers: what a server told while it wrote, over real HTTP, behind the gate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.arena.contract import Mode, SideRequest
from playground.chat.completions import CompletionRequest
from playground.chat.inspection import Inspector, Subject
from playground.chat.run import Run
from playground.domain import Blocked, ChatRequest, Finished, FinishReason, Message, SamplingParams, TokenScores
from playground.errors import NoProbabilities, RunsElsewhere, TrailGone, UnknownConversation
from playground.services import Services
from playground.ui import inside_view
from playground.ui.words import load_words
from tests.engines.remote.scripted_server import HEAD, ScriptedServer, Step, answer, piece, refusal, scored

Serve = Callable[..., ScriptedServer]
House = Callable[..., Services]
END = piece(finish="stop")
GREETING = [HEAD, scored("Hello", others=("Hey", -2.5)), scored(" there", -0.7, others=(" you", -0.8)), END]


def ask(services: Services, text: str = "hello", **more: Any) -> Run:
    run = services.chat.start(ChatRequest("anna", "far", text, **more))
    assert run.wait(60)
    return run


def subject_of(run: Run) -> Subject:
    return Subject("anna", run.conversation_id or "", run.message_id or "")


def content(services: Services, run: Run) -> str:
    return services.chat.thread("anna", run.conversation_id or "").messages[-1].content


def test_tokens_and_alternatives_are_those_the_server_told(serve: Serve, remote_house: House) -> None:
    server = serve(GREETING)
    services = remote_house(server)
    run = ask(services)
    assert (server.posts[0].body["logprobs"], server.posts[0].body["top_logprobs"]) == (True, 5)
    assert not any(isinstance(event, TokenScores) for event in run.events())
    view = services.inspector.tokens(subject_of(run))
    assert view.told
    assert [(token.text, token.kind, token.entropy) for token in view.tokens] == [
        ("Hello", "text", None),
        (" there", "text", None),
    ]
    assert [token.probability for token in view.tokens] == pytest.approx([math.exp(-0.1), math.exp(-0.7)])
    place = services.inspector.place(subject_of(run), 1)
    assert place.token == view.tokens[1]
    assert [(one.text, one.token_id) for one in place.alternatives] == [(" there", -1), (" you", -1)]
    assert [one.probability for one in place.alternatives] == pytest.approx([math.exp(-0.7), math.exp(-0.8)])


def test_what_needs_a_model_here_says_so(serve: Serve, remote_house: House) -> None:
    services = remote_house(serve(GREETING))
    subject = subject_of(ask(services))
    looks: list[Callable[[Inspector], object]] = [
        lambda inspector: inspector.step(subject, 0, (), SamplingParams()),
        lambda inspector: inspector.beginning(subject, 0, (1,)),
        lambda inspector: inspector.prompt(subject),
    ]
    for look in looks:
        with pytest.raises(RunsElsewhere, match="choose a model that runs here"):
            look(services.inspector)


def test_alternatives_that_the_policy_blocks_are_masked(serve: Serve, remote_house: House) -> None:
    leaking = [" motherfucker", -1.0, " zoe.quinn@zq.example", -2.0, " dear", -3.0]
    services = remote_house(serve([HEAD, scored("My"), scored(" friend", -0.5, others=leaking), END]))
    run = ask(services)
    seen = services.inspector.place(subject_of(run), 1)
    assert [one.text for one in seen.alternatives] == [" friend", "", "", " dear"]
    assert [one.masked for one in seen.alternatives] == [False, True, True, False]
    assert "fuck" not in repr(seen)
    assert "quinn" not in repr(seen)


def test_an_answer_that_was_stopped_is_shown_as_far_as_it_was_released(
    serve: Serve, remote_house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = ["It", " is", " what", " it", " is", ", and", " nothing", " else", ".", "\n", "zqx"]
    texts += [" you", " mother", "fucker", " zqx", ".", "\n", "More", "."]
    services = remote_house(serve([HEAD, *(scored(text, others=(" slut", -3)) for text in texts), END]))
    run = ask(services)
    assert isinstance(run.snapshot().end, Blocked)
    shown = content(services, run)
    views = services.inspector.tokens(subject_of(run)).tokens
    assert "".join(view.text for view in views) == shown
    assert shown.startswith("It is what it is")
    places = [services.inspector.place(subject_of(run), at) for at in range(len(views))]
    for word in ("fuck", "mother", "slut"):
        assert word not in repr((views, places)) + caplog.text
    stored = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("playground.db*"))
    assert b"slut" not in stored
    assert b"mother" not in stored


def test_covered_places_stay_covered(serve: Serve, remote_house: House) -> None:
    texts = ["Write", " to", " zoe", ".quinn", "@zq", ".example", " now", ",", " please", "."]
    services = remote_house(serve([HEAD, *(scored(text, others=(".quinn", -3)) for text in texts), END]))
    run = ask(services)
    assert content(services, run) == "Write to [e-mail removed] now, please."
    views = services.inspector.tokens(subject_of(run)).tokens
    assert [(view.text, view.kind) for view in views if view.kind != "text"] == [(" [e-mail removed]", "covered")]
    assert [view.text for view in views if view.kind == "text"] == ["Write", " to", " now", ",", " please", "."]
    (hidden,) = [at for at, view in enumerate(views) if view.kind == "covered"]
    assert services.inspector.place(subject_of(run), hidden).alternatives == ()
    assert "zoe" not in repr(views)


def test_characters_in_several_tokens_and_text_without_any(serve: Serve, remote_house: House) -> None:
    fox = "🦊".encode()
    steps: list[Step] = [
        HEAD,
        scored("A"),
        scored("?", data=fox[:2], says="", others=("�", -3.0)),
        scored("?", data=fox[2:], says="🦊"),
        piece(" who says"),
        scored(" hi"),
        END,
    ]
    services = remote_house(serve(steps))
    run = ask(services)
    views = services.inspector.tokens(subject_of(run)).tokens
    assert [(view.text, view.kind) for view in views] == [
        ("A", "text"),
        ("", "fragment"),
        ("🦊", "text"),
        (" who says", "untold"),
        (" hi", "text"),
    ]
    assert services.inspector.place(subject_of(run), 1).alternatives[1].kind == "fragment"


def test_of_parts_of_characters_that_go_by_one_name_one_stands_there(serve: Serve, remote_house: House) -> None:
    fox = "🦊".encode()
    parts = [scored("\ufffd", -1.0, data=fox[:2], says="", others=("\ufffd", -0.5, "\ufffd", -3.0)), piece("🦊")]
    services = remote_house(serve([HEAD, scored("A"), *parts, scored(" hi"), END]))
    subject = subject_of(ask(services))
    views = services.inspector.tokens(subject).tokens
    at = next(at for at, view in enumerate(views) if view.probability == pytest.approx(math.exp(-1.0)))
    place = services.inspector.place(subject, at)
    assert [one.probability for one in place.alternatives] == pytest.approx([math.exp(-v) for v in (0.5, 1.0, 3.0)])
    rows = inside_view.place_data(place, load_words("en"))["alternatives"]
    assert [row.stood for row in rows] == [False, True, False]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [(("zoe", ".quinn", "@zq", ".example"), "covered"), (("\u0120the", "\u0120end"), "untold")],
    ids=["wholly covered", "spelled otherwise"],
)
def test_a_server_is_not_blamed_for_what_it_did_tell(
    serve: Serve, remote_house: House, tokens: tuple[str, ...], kind: str
) -> None:
    services = remote_house(serve([HEAD, *(scored(token, says=token.lstrip("\u0120")) for token in tokens), END]))
    run = ask(services)
    subject = subject_of(run)
    (view,) = services.inspector.tokens(subject).tokens
    assert (view.text, view.kind, view.probability) == (content(services, run), kind, None)
    assert services.inspector.place(subject, 0).alternatives == ()


def test_thoughts_have_no_tokens(serve: Serve, remote_house: House) -> None:
    thought = piece(delta={"reasoning_content": "Hm."}, logprobs={"content": [{"token": "Hm.", "logprob": -1}]})
    services = remote_house(serve([HEAD, thought, *GREETING[1:]]))
    view = services.inspector.tokens(subject_of(ask(services)))
    assert [token.text for token in view.tokens] == ["Hello", " there"]


def test_a_server_that_tells_nothing_is_named(serve: Serve, remote_house: House) -> None:
    message = "logprobs is not supported with this model"
    server = serve(refusal(400, {"error": {"message": message}}), answer("Hello."))
    services = remote_house(server)
    for run in (ask(services), ask(services)):
        assert isinstance(run.snapshot().end, Finished)
        with pytest.raises(NoProbabilities, match="The server of Far does not tell") as caught:
            services.inspector.tokens(subject_of(run))
        assert caught.value.code == "no_probabilities"
    assert ["logprobs" in request.body for request in server.posts] == [True, False, False]


def test_the_operator_can_switch_it_off(serve: Serve, remote_house: House) -> None:
    server = serve(answer("Hello."))
    services = remote_house(server, options="alternatives = 0")
    run = ask(services)
    assert "logprobs" not in server.posts[0].body
    with pytest.raises(NoProbabilities, match="does not tell"):
        services.inspector.tokens(subject_of(run))


def test_what_is_gone_says_what_to_do(serve: Serve, remote_house: House) -> None:
    server = serve(GREETING)
    run = ask(remote_house(server))
    later = remote_house(server)  # as after a restart: the same database, nothing in memory
    with pytest.raises(TrailGone, match="Press “Try again”"):
        later.inspector.tokens(subject_of(run))
    with pytest.raises(TrailGone):
        later.inspector.place(subject_of(run), 0)
    again = ask(later, text=None, conversation_id=run.conversation_id, parent_id=run.user_message_id)
    assert later.inspector.tokens(subject_of(again)).told


def test_it_goes_with_the_conversation(serve: Serve, remote_house: House) -> None:
    services = remote_house(serve(GREETING))
    run = ask(services)
    subject = subject_of(run)
    with pytest.raises(UnknownConversation):
        services.inspector.tokens(replace(subject, owner="bert"))
    services.chat.delete("anna", subject.conversation_id)
    with pytest.raises(UnknownConversation):
        services.inspector.tokens(subject)
    services.chat.restore("anna", subject.conversation_id)
    with pytest.raises(TrailGone):
        services.inspector.tokens(subject)


def test_an_answer_that_was_cut_can_be_looked_into(serve: Serve, remote_house: House) -> None:
    services = remote_house(serve([HEAD, scored("One."), scored(" Two")]))
    run = ask(services)
    message = services.chat.thread("anna", run.conversation_id or "").messages[-1]
    assert message.finish_reason is FinishReason.INTERRUPTED
    assert "".join(token.text for token in services.inspector.tokens(subject_of(run)).tokens) == message.content


@pytest.mark.parametrize("wanted", [None, 2])
def test_clients_of_the_api_get_what_they_asked_for(serve: Serve, remote_house: House, wanted: int | None) -> None:
    server = serve(GREETING)
    services = remote_house(server)
    params = SamplingParams(logprobs=wanted)
    (run,) = services.chat.complete(CompletionRequest("anna", "far", (Message("user", "hello"),), params))
    assert run.wait(60)
    assert server.posts[0].body.get("top_logprobs") == wanted
    assert any(isinstance(event, TokenScores) for event in run.events()) == (wanted is not None)


def test_a_side_of_a_comparison_can_be_looked_into_as_a_chat(serve: Serve, remote_house: House) -> None:
    services = remote_house(serve(GREETING))
    comparison = services.arena.start("anna", Mode.NAMED, [SideRequest("far"), SideRequest("echo")], "en")
    services.arena.ask("anna", comparison.id, "hello")
    assert services.chat.wait_idle(60)
    opened = services.arena.detach("anna", comparison.id, 0)
    message = services.chat.thread("anna", opened).messages[-1]
    view = services.inspector.tokens(Subject("anna", opened, message.id))
    assert [token.text for token in view.tokens] == ["Hello", " there"]
