"""The texts: enough of them, well formed, and free of the exam's questions."""

import random
from functools import cache

import pytest

from tests.training.wordings import declined_wordings, filled, normalised, scope_wordings
from training.chat import content
from training.chat.exam import DIALOGUES, IN_SCOPE, OUTSIDE, SETS, read_questions, right_answers
from training.chat.tally import EIGHT

LANGUAGES = ("en", "vi")


def count(patterns: tuple[str, ...]) -> int:
    return sum(1 for pattern in patterns for _ in content.wordings(pattern))


@cache
def answered() -> frozenset[str]:
    return frozenset(normalised(wording) for wording in scope_wordings())


@cache
def declined(language: str) -> frozenset[str]:
    return frozenset(normalised(wording) for wording in declined_wordings(language))


def test_phrase_is_one_of_the_wordings() -> None:
    pattern = "[Hello|Hi] there[, [Pip|you]|]".replace("[, [Pip|you]|]", "[, Pip|]")
    every = set(content.wordings(pattern))
    assert every == {"Hello there, Pip", "Hi there, Pip", "Hello there", "Hi there"}
    assert {content.phrase(pattern, random.Random(seed)) for seed in range(40)} == every


@pytest.mark.parametrize(("name", "least"), [("definition_en", 40), ("simple_en", 25), ("definition_vi", 25)])
def test_definitions_have_many_wordings(name: str, least: int) -> None:
    assert count(content.phrasings(name)) >= least


@pytest.mark.parametrize(("language", "least"), [("en", 1500), ("vi", 400)])
def test_many_different_questions_are_declined(language: str, least: int) -> None:
    assert len(declined(language)) >= least


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_intent_has_several_wordings_and_an_answer(language: str) -> None:
    for intent in content.intents(language):
        assert count(intent.questions) >= 8, intent.id
        assert intent.answers, intent.id


def test_intents_have_ids_of_their_own() -> None:
    for language in LANGUAGES:
        ids = [intent.id for intent in content.intents(language)]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("language", LANGUAGES)
def test_own_wordings_belong_to_terms(language: str) -> None:
    assert content.asks(language).keys() <= {term.names[0] for term in content.terms()}


def test_both_languages_have_the_same_talk_and_help() -> None:
    ids = [{intent.id for intent in content.intents(language)} for language in LANGUAGES]
    english, vietnamese = ({name for name in found if not name.startswith(("fact_", "list_"))} for found in ids)
    assert vietnamese <= english


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_daily_belongs_to_intents(language: str) -> None:
    assert {intent for intent, _ in content.everyday(language)} <= {intent.id for intent in content.intents(language)}


def test_terms_have_distinct_names_and_explanations() -> None:
    names = [name for term in content.terms() for name in term.names]
    assert len(names) == len(set(names))
    for term in content.terms():
        assert len({term.english, term.simple, term.vietnamese}) == 3


def test_no_question_is_both_answered_and_declined() -> None:
    assert not answered() & (declined("en") | declined("vi"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["name", "colour"])
def test_what_is_told_to_be_remembered_is_not_small_talk(kind: str, language: str) -> None:
    values = content.words()[f"{kind}s" if language == "en" else f"{kind}s_vi"].split(", ")
    told = {normalised(text) for text in filled(content.phrasings(f"{kind}_given_{language}"), "n", values)}
    assert len(told) > 500
    for intent in content.intents(language):
        assert not told & {normalised(text) for pattern in intent.questions for text in content.wordings(pattern)}


def test_generator_cannot_word_the_exam() -> None:
    drawn = answered() | declined("en") | declined("vi")
    exam = {normalised(question.turns[-1]) for name in SETS for question in read_questions(name)}
    assert not exam & drawn


def test_exam_is_as_large_as_promised() -> None:
    scope = [question for name in IN_SCOPE for question in read_questions(name)]
    assert len(scope) >= 330
    assert sum(question.language == "vi" for question in scope) >= 0.4 * len(scope)
    assert len(read_questions(OUTSIDE)) >= 160
    dialogues = read_questions(DIALOGUES)
    assert len(dialogues) >= 45
    assert sum(len(question.turns) == EIGHT for question in dialogues) >= 20
    assert all(len(question.turns) > 1 for question in dialogues)


@pytest.mark.parametrize("name", SETS)
def test_exam_asks_nothing_twice(name: str) -> None:
    asked = [(question.language, *map(normalised, question.turns)) for question in read_questions(name)]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("name", SETS)
def test_exam_expects_answers_that_exist(name: str) -> None:
    for question in read_questions(name):
        for expectation in question.expect:
            if not expectation.startswith("contains:"):
                assert right_answers(expectation, question.language), expectation
