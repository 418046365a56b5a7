"""The shipped classifier, and what the gate makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.domain import Action, Direction
from playground.errors import DetectorUnavailable
from playground.moderation.classifier import MODEL, EmbeddedClassifier
from playground.moderation.linear_model import ScoreStream, save_model
from playground.moderation.moderator import PolicyModerator, build_moderator
from tests.moderation.streams import every_split, in_pieces, moderator, stream

CLASSIFIER = EmbeddedClassifier()


def score(text: str, label: str = "toxicity") -> float:
    return float(CLASSIFIER.model.score(text)[CLASSIFIER.model.labels.index(label)])


@pytest.mark.parametrize(
    "text",
    [
        "you are a complete idiot and everybody hates you",
        "what a pathetic loser, go away you moron",
        "shut up you stupid piece of trash",
        "đồ ngu như bò, im mồm đi",
        "thằng mất dạy, đồ súc vật",
    ],
)
def test_toxic(text: str) -> None:
    assert score(text) > 0.8


@pytest.mark.parametrize(
    "text",
    [
        "How do I kill a process in Linux?",
        "The model predicts the next token from the ones before it.",
        "Thank you, that was very kind of you!",
        "I am a proud black woman",
        "My neighbours are Muslim and we often have dinner together.",
        "She married her girlfriend last summer.",
        "Bạn có thể giải thích cách huấn luyện mô hình không?",
        "Cảm ơn bạn rất nhiều, bài viết rất hay và dễ hiểu.",
        "Hôm nay trời đẹp quá, mình đi dạo nhé.",
    ],
)
def test_not_toxic(text: str) -> None:
    assert score(text) < 0.5


def test_the_rules_normal_form_helps_the_classifier() -> None:
    plain = "you are a stupid idiot"
    for disguised in (
        "ｙｏｕ are a ｓｔｕｐｉｄ idiot",
        "you are a stu\u200bpid id\u2060iot",
        "yоu are a stupіd idiоt",
    ):
        assert score(disguised) == pytest.approx(score(plain))


def test_findings_point_at_the_words_that_speak_most() -> None:
    text = "I looked at the report, and you are an idiot, my friend."
    finding = next(finding for finding in CLASSIFIER.scan(text) if finding.category == "toxicity")
    assert "idiot" in text[slice(*finding.span)]
    assert (finding.detector, finding.explanation, finding.version) == ("embedded", "linear", CLASSIFIER.version)


@settings(deadline=None)
@given(st.text())
def test_spans_are_valid_whatever_the_text(text: str) -> None:
    for finding in CLASSIFIER.scan(text):
        assert 0 <= finding.span[0] < finding.span[1] <= len(text)


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_stream_scores_what_the_whole_text_scores(size: int) -> None:
    text = "You are an idiot.\nThế mà cũng nói được, đồ ngu! And so on, and so on. " * 5
    scored = ScoreStream(CLASSIFIER.model)
    for piece in in_pieces(text, size):
        scored.feed(piece)
    assert abs(scored.scores() - CLASSIFIER.model.score(text)).max() <= 1e-6


def test_the_file_is_small() -> None:
    assert MODEL.stat().st_size <= 6_000_000
    assert "Mean over Jigsaw's six labels" in (MODEL.parent / "README.md").read_text(encoding="utf-8")


def test_a_damaged_file_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(MODEL.read_bytes())
    with pytest.raises(DetectorUnavailable, match="cannot be verified"):
        EmbeddedClassifier(path)
    note = MODEL.with_suffix(".sha256").read_bytes()
    path.with_suffix(".sha256").write_bytes(note)
    assert EmbeddedClassifier(path).version == CLASSIFIER.version
    path.write_bytes(MODEL.read_bytes()[:1000])
    with pytest.raises(DetectorUnavailable, match="SHA-256 differs"):
        EmbeddedClassifier(path)


def test_another_model_of_the_right_shape_is_unavailable(tmp_path: Path) -> None:
    """One that finds nothing in anything would else pass everything in silence."""
    model = CLASSIFIER.model
    save_model(tmp_path / "model.npz", replace(model, table=model.table * 0))
    assert EmbeddedClassifier(tmp_path / "model.npz").scan("you stupid idiot") == []
    (tmp_path / "model.sha256").write_bytes(MODEL.with_suffix(".sha256").read_bytes())
    with pytest.raises(DetectorUnavailable, match="SHA-256 differs"):
        EmbeddedClassifier(tmp_path / "model.npz")


@pytest.fixture(scope="module")
def only_classifier(tmp_path_factory: pytest.TempPathFactory) -> PolicyModerator:
    path = Path(tmp_path_factory.mktemp("policy")) / "judge.toml"
    path.write_text(
        'extends = "standard"\n[detectors]\ninput = ["embedded"]\noutput = ["embedded"]\n'
        '[input]\ntoxicity = "block"\n[output]\ntoxicity = { action = "block", threshold = 0.8 }\n',
        encoding="utf-8",
    )
    return build_moderator(path)


def test_the_canary_for_a_classifier(only_classifier: PolicyModerator) -> None:
    before = "This comes first, and it is harmless. "
    text = f"{before}You are a stupid pathetic idiot. And then it goes on harmlessly. "
    for pieces in every_split(text, 5):
        result = stream(only_classifier.guard(), pieces)
        assert (result.blocked, result.text) == (True, before)


def test_one_bad_sentence_in_a_long_message_counts(only_classifier: PolicyModerator) -> None:
    filler = "The committee met again and talked about the new library for a while. " * 30
    assert not only_classifier.check_input(filler).blocked
    screened = only_classifier.check_input(f"{filler}You are a stupid pathetic idiot. {filler}")
    assert screened.blocked
    assert screened.verdict is not None
    assert screened.verdict.decisive is not None
    assert screened.verdict.decisive.finding.span[0] >= len(filler)


@pytest.mark.parametrize("policy", ["standard", "strict", "lenient"])
def test_the_built_in_policies_use_it(policy: str) -> None:
    for direction in Direction:
        assert "embedded" in moderator(policy).policy.detectors[direction]


def test_standard_notes_insults_that_no_list_has() -> None:
    screened = moderator().check_input("what a pathetic loser, go away you moron")
    assert screened.verdict is not None
    assert screened.verdict.action is Action.WARN
