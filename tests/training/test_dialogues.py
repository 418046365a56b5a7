"""The generator: seeded, shaped as promised, and roughened without harm."""

import random
import re

import pytest

from training.chat import content
from training.chat.dialogues import Dialogues
from training.chat.exchange import chosen
from training.chat.names import as_typed, drawn_name, listed
from training.chat.noise import reworded, roughen, without_marks
from training.chat.outside import OutsideQuestions
from training.chat.sums import SMALL, is_learned


def test_same_seed_gives_the_same_conversations() -> None:
    first, second, other = (list(Dialogues(seed).conversations(50)) for seed in (1, 1, 2))
    assert first == second != other


def test_conversations_alternate_and_end_with_an_answer() -> None:
    for turns in Dialogues(3).conversations(500):
        roles = [role for role, _ in turns if role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(text for _, text in turns)


def test_wordings_kept_back_are_asked_by_nobody_else() -> None:
    patterns = content.intents("en")[0].questions
    learned, kept = (set(chosen(patterns, held_out)) for held_out in (False, True))
    assert learned
    assert kept
    assert not learned & kept
    assert learned | kept == set(patterns)
    assert chosen(patterns[:1], True) == chosen(patterns[:1], False) == patterns[:1]


def test_up_to_eight_exchanges_and_some_system_prompts() -> None:
    conversations = list(Dialogues(4).conversations(2000))
    exchanges = [sum(role == "user" for role, _ in turns) for turns in conversations]
    with_system = sum(turns[0][0] == "system" for turns in conversations)
    assert max(exchanges) == 8
    assert 0.12 < with_system / len(conversations) < 0.18


def test_no_slot_is_left_open() -> None:
    for turns in Dialogues(5).conversations(3000):
        for _, text in turns:
            assert not set("{}[]|") & set(text), text


def test_sums_are_right() -> None:
    dialogues = Dialogues(6)
    for _ in range(300):
        answer = dialogues.sums.small().answer
        left, sign, right, _, value = answer.rstrip(".").split(" ")
        assert int(value) == {"+": int.__add__, "-": int.__sub__, "x": int.__mul__}[sign](int(left), int(right))


def test_sums_beyond_what_was_learned_are_declined_also_where_one_number_is_small() -> None:
    sums = Dialogues(6).sums
    declines = {*content.outside("en").answers_sum, *content.outside("vi").answers_sum}
    asked = [sums.large() for _ in range(2000)]
    assert {exchange.answer for exchange in asked} == declines
    pairs = [sorted(map(int, found)) for one in asked if len(found := re.findall(r"\d+", one.question)) == 2]
    assert sum(small <= SMALL < large for small, large in pairs) > len(pairs) / 3
    learned = ((20, "+", 20), (20, "-", 20), (10, "x", 10), (0, "x", 7))
    beyond = ((1, "+", 21), (21, "-", 1), (3, "-", 8), (11, "x", 2), (2, "x", 11), (40, "+", 50))
    assert all(is_learned(*one) for one in learned)
    assert not any(is_learned(*one) for one in beyond)


def test_sums_are_asked_around_their_numbers_too() -> None:
    dialogues = Dialogues(10)
    asked = {dialogues.sums.question(12, sign, 5)[0] for sign in "+-x" for _ in range(5000)}
    assert {"add 12 and 5", "subtract five from twelve", "nhân 12 với 5"} < asked
    assert {"add 5 from 12", "subtract 12 from 5"}.isdisjoint(asked)


def test_extra_questions_are_used_when_given() -> None:
    extra = OutsideQuestions((("joke", "say the funny thing"),), ("which way is up",))
    users = [text.lower() for turns in Dialogues(7, extra).conversations(500) for role, text in turns if role == "user"]
    assert any("the funny thing" in text for text in users)
    assert any("which way is up" in text for text in users)


def test_noise_keeps_numbers() -> None:
    source = random.Random(8)
    for _ in range(300):
        assert [letter for letter in roughen("What is 37 + 48?", "en", source) if letter.isdigit()] == list("3748")


def test_words_are_exchanged_for_what_means_the_same_and_nothing_else_is() -> None:
    source = random.Random(9)
    drawn = {reworded("How do I delete the answer about 3 cats?", "en", source) for _ in range(1000)}
    assert {"How do I erase the answer about 3 cats?", "How do I remove the reply about 3 cats?"} < drawn
    assert all(text.endswith(" about 3 cats?") for text in drawn)
    assert {reworded("Ngày mai trời nắng", "vi", source) for _ in range(20)} == {"Ngày mai trời nắng"}
    assert any(reworded("Mình xoá nó ở đâu", "vi", source).startswith(("Tôi ", "Tui ", "Em ")) for _ in range(100))


def test_synonyms_are_written_as_they_are_found() -> None:
    for language in ("en", "vi"):
        for word, others in content.synonyms(language).items():
            assert word == word.lower().strip()
            assert others
            assert word not in others
            assert all(other == other.strip() for other in others)


def test_without_marks() -> None:
    assert without_marks("Lượng tử hóa để làm gì") == "Luong tu hoa de lam gi"


def test_stories_are_left_to_the_storyteller() -> None:
    for _ in range(20):
        exchange = Dialogues(9).story()
        assert "Fable" in exchange.answer


def test_a_name_is_repeated_and_remembered() -> None:
    names = 0
    for seed in range(40):
        turns = Dialogues(seed).memory()
        greeted = re.fullmatch(r"(?:Nice to meet you|Rất vui được gặp bạn), (.+)!", turns[1][1])
        if greeted:
            names += 1
            assert all(greeted[1] in text for _, text in (turns[0], turns[-1]))
    assert names > 15


@pytest.mark.parametrize("language", ["en", "vi"])
def test_most_names_are_on_no_list(language: str) -> None:
    source = random.Random(1)
    drawn = [drawn_name(language, source) for _ in range(2000)]
    new = [name for name in drawn if name not in listed("en") + listed("vi")]
    assert 0.4 < len(new) / len(drawn) < 0.65
    assert len(set(new)) > 0.6 * len(new)
    assert all(name == name.strip() and name[0].isupper() for name in drawn)


def test_small_letters_come_only_where_it_is_said_that_there_is_a_name() -> None:
    def typed(sentence: str) -> set[str]:
        return {as_typed("Gareth", sentence, random.Random(seed)) for seed in range(99)}

    assert typed("I'm {n}") == {"Gareth"}
    assert typed("my name is {n}") == typed("tên mình là {n}") == {"Gareth", "gareth"}
