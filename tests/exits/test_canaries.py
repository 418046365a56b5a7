"""A canary for every detector, let loose in the running product: nothing of it leaves by any exit.

First every detector stands alone in its policy, so that no other one does its work (of Detoxify's models, and of guard
models of one form, the first: they are the same code with another row of data). What its model writes arrives in
pieces of 1, 2, 3 and 7 characters, cut from every offset of each (`scene.cuts`): every place in the canary is the
end of a piece of each size, in the answer and in the thoughts, in edited and in repeated questions. All cuts in two are
tried on the guard itself (`tests/moderation/test_canary.py`), of which everything here is downstream. Then all
detectors of a run stand in one policy and every canary goes through the pages as well, as a person and the operator
use them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from playground.domain import Blocked, Finished
from playground.ui.words import load_words
from tests.exits.canaries import CANARIES, HARMLESS, ON_STAGE, Canary
from tests.exits.exits import EXITS, Exit, wordless_values
from tests.exits.scene import LEAD, Scene, staged

OFTEN = ("words", "personal_data", "embedded")
"""Detectors of every run, alone and together on the pages; all others join in the extended one."""


def _alone(canary: Canary) -> object:
    marks = () if canary.detector in OFTEN else pytest.mark.extended
    return pytest.param(canary, id=canary.detector, marks=marks)


@pytest.fixture(scope="module", params=[_alone(canary) for canary in ON_STAGE])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The playground with one detector, after everything was done in it."""
    with staged(request.param, folder=tmp_path_factory.mktemp("scene")) as played:
        played.play()
        yield played


@pytest.fixture(
    scope="module",
    params=[
        pytest.param([canary for canary in ON_STAGE if canary.detector in OFTEN], id="often"),
        pytest.param(ON_STAGE, id="all", marks=pytest.mark.extended),
    ],
)
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The playground with several detectors, in the extended run with all, and its pages."""
    with staged(*request.param, folder=tmp_path_factory.mktemp("pages"), pages=True) as played:
        played.play()
        yield played


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, str]]:
    """The playground without any detector, and what had left by all exits before the canary came."""
    with staged(HARMLESS, folder=tmp_path_factory.mktemp("unguarded"), blocks=False, pages=True) as played:
        played.play()
        before = "".join(one.read(played) for one in EXITS).casefold()
        played.canaries = (CANARIES["words"],)
        played.play()
        yield played, before


@pytest.fixture(scope="module")
def ordinary(unguarded: tuple[Scene, str]) -> str:
    """What leaves when nothing but harmless words are said, and all that the pages can say by themselves."""
    return "".join((unguarded[1], *load_words("en").table.values(), *load_words("vi").table.values())).casefold()


def nothing_left(scene: Scene, way_out: Exit, ordinary: str) -> None:
    """No run of characters that gives a canary away, and the harmless words before it only where words are to be."""
    left = way_out.read(scene).casefold()
    if way_out.holds == "answers":
        assert LEAD in left
    if way_out.holds == "no words":
        assert not {word for word in ("harmless", "harmless"[::-1]) if word in left}
    for canary in scene.canaries:
        tells = {tell for tell in canary.tells if tell not in ordinary}
        assert len(tells) > 2  # one or two may stand among ordinary words and identifiers by chance
        if way_out.name == "disk":  # three letters turn up in a file of a database by chance, five do not
            tells = {tell for tell in tells if len(tell) > 3} | {
                canary.mark[at : at + 5] for at in range(len(canary.mark) - 4)
            }
        assert not [tell for tell in tells if tell in left], canary.detector


def test_exactly_what_comes_before_the_canary_is_shown(scene: Scene) -> None:
    for run, text, reasoning in scene.runs:
        end = run.snapshot().end
        assert isinstance(end, Blocked)
        assert (run.snapshot().text, run.snapshot().reasoning) == (text, reasoning)
        assert not end.verdict.unavailable
        assert {ruling.finding.detector for ruling in end.verdict.rulings} == {scene.canaries[0].detector}


@pytest.mark.parametrize("way_out", [one for one in EXITS if not one.page], ids=lambda one: one.name)
def test_nothing_of_a_canary_leaves(scene: Scene, way_out: Exit, ordinary: str) -> None:
    nothing_left(scene, way_out, ordinary)


def test_columns_without_words_have_none(scene: Scene) -> None:
    assert "harmless" not in wordless_values(scene)


@pytest.mark.parametrize("way_out", EXITS, ids=lambda one: one.name)
def test_nothing_of_any_canary_leaves_by_the_pages(pages: Scene, way_out: Exit, ordinary: str) -> None:
    nothing_left(pages, way_out, ordinary)


def test_every_listener_of_the_pages_was_used(pages: Scene) -> None:
    assert len(pages.listeners) > 30
    assert not {name for key, name in pages.listeners.items() if key not in pages.fired}


def test_without_a_detector_the_canary_is_seen_at_every_exit_that_shows_words(unguarded: tuple[Scene, str]) -> None:
    """The tests above mean something."""
    scene, _ = unguarded
    for run, text, reasoning in scene.runs:
        assert isinstance(run.snapshot().end, Finished)
        assert (run.snapshot().text, run.snapshot().reasoning) == (text, reasoning)
    for way_out in EXITS:
        if way_out.holds == "answers":
            assert scene.canaries[0].text in way_out.read(scene), way_out.name
