"""The exam: how answers are judged, counted and written down, by a real folder in the playground's own engine."""

import json
from pathlib import Path

import pytest

from training.chat.candidate import GREEDY, SETTINGS, USUAL, Candidate, Sitting, Speed
from training.chat.card import BEGIN, END, SHOWN, exam_text, renew_card, unselected
from training.chat.exam import SETS, Mark, Question, is_right, is_vietnamese, read_questions, right_answers
from training.chat.lexicon import strange_words
from training.chat.tally import BOTH, IN_SCOPE_ROW, WORDS_ROW, Result, Results, count, losses, tally, verdicts
from training.evaluate import main


def silent(done: int) -> None:
    """Tell nobody."""


def answered(topic: str, answer: str, expect: str = "exact:Yes.") -> Mark:
    return Mark(Question(topic, "en", ("Is it?",), (expect,)), (answer,))


def results_of(**forms: tuple[Mark, ...]) -> Results:
    return {form: Sitting(dict.fromkeys(SETTINGS, marks), Speed(0.01, 1000.0)) for form, marks in forms.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The capital of Paraguay is Asunción.", False),
        ('"Water" in Vietnamese is "nước".', False),
        ("Your name is Hương.", False),
        ("Thủ đô của Peru là Lima.", True),
        ("Python, JavaScript và C++.", True),
        ("Vi mạch. Đúng đó!", True),
    ],
)
def test_language_is_told_by_words_that_are_no_names(text: str, expected: bool) -> None:
    assert is_vietnamese(text) is expected


def test_a_word_is_garbled_that_nobody_said() -> None:
    assert strange_words(["A token is a small pieceword."], ["token?"]) == ("pieceword",)
    assert strange_words(["Your name is Zorblat, 12 + 3 = 15."], ["I am Zorblat"]) == ()
    assert strange_words(["A zorb\N{REPLACEMENT CHARACTER}"], []) == ("zorb", "\N{REPLACEMENT CHARACTER}")


def test_no_right_answer_is_garbled_or_in_the_wrong_language() -> None:
    for question in (question for name in SETS for question in read_questions(name)):
        for expectation in question.expect:
            for answer in () if expectation.startswith("contains:") else right_answers(expectation, question.language):
                mark = Mark(question, (answer,))
                assert mark.right
                assert not mark.garbled
                assert not mark.worded or mark.language_kept, answer


def test_any_of_several_right_answers_counts() -> None:
    question = Question("dialogues", "en", ("and my name?",), ("contains:Olga", "exact:It is you."))
    assert is_right("Your name is Olga.", question)
    assert is_right(" It is you. ", question)
    assert not is_right("It is you", question)


def test_interval_is_wilsons() -> None:
    low, high = Result("any", "en", 8, 10).interval
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-3)  # by hand from Wilson's formula with z = 1.96
    assert Result("any", "en", 0, 0).interval == (0.0, 1.0)


def test_count_takes_the_language() -> None:
    marks = [answered("talk", "Yes."), answered("talk", "No.")]
    assert count("talk", "en", marks) == Result("talk", "en", 1, 2)
    assert count("talk", "vi", marks) == Result("talk", "vi", 0, 0)


def test_bars_are_met_or_missed_in_both_settings() -> None:
    good, bad = answered("talk", "Yes."), answered("talk", "Zorblatted.")
    lines = verdicts(results_of(fp32=(good,) * 10, int4=(good,) * 9 + (bad,)))
    assert f"met    fp32, {GREEDY}: {IN_SCOPE_ROW} (en) 100.0% (72% to 100%), at least 88%" in lines
    assert any(line.startswith(f"missed int4, {USUAL}: {WORDS_ROW} ({BOTH}) 90.0%") for line in lines)
    assert f"missed int4, {GREEDY}: +10.0 points lost against fp32, at most 2" in lines
    assert losses(results_of(int4=(good,)), GREEDY) == []


def test_card_is_renewed_between_its_marks(tmp_path: Path) -> None:
    marks = tuple(answered(topic, "Yes.\nNo.") for topic in SETS for _ in range(5))
    results = results_of(int8=marks)
    (tmp_path / "README.md").write_text(f"before\n{BEGIN} old {END}\nafter\n", encoding="utf-8")
    renew_card(tmp_path, results)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("before\n")
    assert card.endswith("after\n")
    assert " old " not in card
    assert exam_text(results) in card
    assert card.count("> **Is it?**") == SHOWN == len(unselected(marks))


def test_a_conversation_is_held_with_the_models_own_answers(embedded: Path) -> None:
    question = Question("dialogues", "en", ("My name is Tom", "what is a token", "what is my name?"), ("contains:Tom",))
    with Candidate(embedded / "int8", threads=1) as candidate:
        first, second = candidate.sit([question, question], GREEDY, silent)
        usual = [candidate.hold(question, SETTINGS[USUAL]) for _ in range(2)]
        speed = candidate.time(["hello"])
    assert first == second
    assert usual[0] == usual[1]
    assert len(first.answers) == 3
    assert "Tom" in first.answers[0]
    assert speed.first_token > 0


def test_command_prints_json_for_the_chosen_form(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", str(embedded), "--forms", "int8", "--limit", "1", "--threads", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert list(told["forms"]) == ["int8"]
    rows = {(row["name"], row["language"]): row for row in told["forms"]["int8"]["settings"][GREEDY]}
    assert rows["terms", "vi"]["asked"] == 1
    assert rows[IN_SCOPE_ROW, "en"]["asked"] == 7
    low, high = rows[IN_SCOPE_ROW, "en"]["interval"]
    assert low <= rows[IN_SCOPE_ROW, "en"]["share"] <= high
    assert any(line.startswith(("met", "missed")) for line in told["bars"])


def test_command_names_a_form_that_is_not_there(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--model", str(embedded), "--forms", "int1"])
    assert "it lacks int1" in capsys.readouterr().err


def test_tally_leaves_out_what_was_not_asked() -> None:
    assert [row.name for row in tally([answered("talk", "Yes.")])].count("dialogues") == 0
