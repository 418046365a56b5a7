"""A canary through the running app: what the gate stops is on no wire, on no disk, in no log and in no title.

The echo engine says messages backwards here, so the question does not contain what its answer does, and everything
that a visitor, the disk and the log receive can be searched. The answer comes in pieces of one to five characters,
and of every size at each of its offsets: every place in the phrase is once the end of a piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor, disk_bytes

POLICY = """
extends = "standard"
[input]
profanity = "allow"
email = "allow"
[output]
profanity = { action = "block", threshold = 0.5 }
email = "redact"
"""
SIZES = (1, 2, 3, 4, 5)
WORD = "motherfucker"
PHRASE = "go fuck yourself"
ADDRESS = "linh.tran.canary@example.org"
MARK = "[e-mail removed]"
PLACES = {
    "in a sentence": ("The fox looked up and said: ", f"{WORD}, and went away."),
    "in code": ("Look:\n```python\nprint('hello')\nname = '", f"{WORD}'\n```\nThat was it."),
    "in a span of code": ("It is called `", f"{WORD}` in the source."),
    "between fences": ("Look:\n```\n", f"{WORD}\n```\nThat was it."),
    "over line ends": ("one two three\nfour five six seven\n", "go\nfuck\nyourself\neight nine"),
    "over the lines of a list": ("Three things to do:\n- ", "go\n- fuck\n- yourself\n- eight"),
    "at the end": ("And after all of that the fox said ", WORD),
    "at the start": ("", f"{PHRASE} said the fox, and went away."),
}
HIDDEN = {
    "in a sentence": ("Write to ", f" or to {ADDRESS}, and wait for an answer."),
    "in code": ("Look:\n```python\nname = '", f"'\nother = '{ADDRESS}'\n```\nThat was it."),
    "on lines of its own": ("Write to:\n", f"\nor to\n{ADDRESS}\nand wait for an answer."),
    "at the end": ("If you want to know more, write to ", ""),
    "at the start": ("", " is where to write, if you want to know more."),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with a backwards echo for every size of pieces, at the noisiest level of its log."""
    folder = tmp_path_factory.mktemp("canary")
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    echoes = {
        f"backwards-{size}": {"engine_options": {"piece_chars": size, "delay_seconds": 0.002 * size, "backwards": True}}
        for size in SIZES
    }
    models = write_models(folder / "models.toml", echoes)
    options = ["--policy", str(folder / "policy.toml"), "--models-file", str(models), "--default-model", "backwards-1"]
    with serve(*options, "--max-models", "8", "--log-level", "debug") as served:
        yield served


@pytest.fixture(scope="module")
def ordinary(app: Served) -> str:
    """What a harmless conversation leaves everywhere: in this there is nothing to find."""
    with Visitor(app.address) as visitor:
        for places in (PLACES, HIDDEN):
            visitor.talk("\n".join(before + "fox, in the other one" for before, _ in places.values())[::-1])
        return everywhere(app, visitor)


def everywhere(app: Served, *visitors: Visitor) -> str:
    """All text that got out of the gate, wherever it went: the wire, the disk, the log."""
    received = b"".join(bytes(visitor.received) for visitor in visitors)
    return (received + disk_bytes(app.data_dir) + app.log.read_bytes()).decode("utf-8", errors="ignore").casefold()


def telltales(text: str, ordinary: str) -> set[str]:
    """Every run of four characters in the words of `text` that harmless conversations do not contain."""
    runs = {word[start : start + 4] for word in text.split() for start in range(len(word) - 3)}
    return {run for run in runs if run not in ordinary}


def watch(visitor: Visitor, allowed: str) -> str:
    """Follow an answer; nothing may be displayed at any time that is not the beginning of `allowed`."""
    for text in visitor.answers():
        assert allowed.startswith(text)
    visitor.read_to_the_end()
    assert allowed.startswith(visitor.shown[-1])
    return visitor.shown[-1]


def cut_everywhere(size: int, before: str, place: int) -> str:
    """`before` with as many brackets in front as let pieces of `size` characters meet the phrase at offset `place`."""
    return "(" * ((place - len(before)) % size) + before


def kinds(visitor: Visitor) -> list[str]:
    """The kinds of notices under the last message."""
    return [notice["kind"] for notice in visitor.rows[-1]["notices"]]


@pytest.mark.parametrize("size", SIZES)
def test_not_one_character_of_a_blocked_phrase_gets_out(app: Served, ordinary: str, size: int) -> None:
    with Visitor(app.address) as visitor:
        visitor.use(f"backwards-{size}")
        for place, (before, rest) in enumerate(PLACES.values()):
            cut = cut_everywhere(size, before, place)
            visitor.start_anew()
            visitor.ask((cut + rest)[::-1])
            watch(visitor, cut)
            assert kinds(visitor) == ["blocked"]
    nothing_got_out(app, ordinary, f"{WORD} {PHRASE}", visitor)


@pytest.mark.parametrize("size", SIZES)
def test_not_one_character_of_an_address_gets_out(app: Served, ordinary: str, size: int) -> None:
    with Visitor(app.address) as visitor:
        visitor.use(f"backwards-{size}")
        for place, (before, rest) in enumerate(HIDDEN.values()):
            cut = cut_everywhere(size, before, place)
            visitor.start_anew()
            visitor.ask((cut + ADDRESS + rest)[::-1])
            allowed = cut + MARK + rest.replace(ADDRESS, MARK)
            assert watch(visitor, allowed) == allowed
            assert kinds(visitor) == ["redacted"]
    nothing_got_out(app, ordinary, ADDRESS, visitor)


def nothing_got_out(app: Served, ordinary: str, secret: str, *visitors: Visitor) -> None:
    """None of the runs of four characters of `secret` is anywhere."""
    runs = telltales(secret, ordinary)
    assert len(runs) > 8
    found = everywhere(app, *visitors)
    assert not [run for run in runs if run in found]


def test_retry_edit_reload_and_search_are_behind_the_gate_too(app: Served, ordinary: str) -> None:
    before, rest = "A story about a fox, which begins slowly.\nThe fox said: ", f"{WORD}, write to {ADDRESS}."
    text = before + rest
    with Visitor(app.address) as visitor:
        visitor.use("backwards-3")
        visitor.ask(text[::-1])
        watch(visitor, before)
        visitor.fire("thread", "retry", data={"id": visitor.rows[-1]["id"]})
        watch(visitor, before)
        assert visitor.rows[-1]["versions"]["of"] == 2
        visitor.fire("thread", "version", data={"id": visitor.rows[-1]["versions"]["previous"]})
        assert visitor.shown[-1] == visitor.value("thread")["rows"][-1]["text"]
        visitor.ask(("Well. " + text)[::-1], edit=visitor.rows[0]["id"])
        with visitor.tab(f"c={visitor.conversation}") as second:  # a reload while the answer is written
            watch(second, "Well. " + before)
        watch(visitor, "Well. " + before)
        assert visitor.shown == second.shown
        assert kinds(visitor) == ["blocked"]
        with visitor.tab() as third:  # it receives its own question again, so its wire is not looked through
            assert len(third.search("begins slowly")) == 1
            assert third.search(WORD) == third.search(ADDRESS[5:9]) == []
    nothing_got_out(app, ordinary, f"{WORD} {ADDRESS}", visitor, second)


def test_nothing_is_on_the_disk_when_the_server_is_killed_over_it(tmp_path: Path) -> None:
    """The phrase waits in the server's memory when the process ends: it was never written anywhere."""
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    slow = {"slow": {"engine_options": {"piece_chars": 1, "delay_seconds": 0.05, "backwards": True}}}
    models = write_models(tmp_path / "models.toml", slow)
    options = ("--policy", str(tmp_path / "policy.toml"), "--models-file", str(models), "--default-model", "slow")
    before = "one two three four five six seven.\n"
    with serve(*options, data_dir=tmp_path / "data") as app, Visitor(app.address) as visitor:
        visitor.ask((before + WORD + " " + "and so on, " * 50)[::-1])
        for text in visitor.answers():
            if text == before:
                break
        app.process.kill()
        app.process.wait(30)
        found = everywhere(app, visitor)
    assert "one two three" in found
    assert WORD[:4] not in found
