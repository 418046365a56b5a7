"""The whole playground, and everything done in it that lets words out.

A scene is the real services and the echo engine, which says a question backwards, so that a question does not contain
what its answer does; and, where it has an address, the real pages on a socket of this machine. A model writes the
canary, in answers and in thoughts, cut in every way of `cuts`; people type it where people can type; every listener of
both pages and every command is used. What left is kept for the exits to be searched.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import socket
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from playground.arena.contract import Mode, SideRequest, TableChoice
from playground.chat import masking
from playground.chat.completions import CompletionRequest
from playground.chat.inspection import Subject
from playground.chat.run import Run
from playground.commands.program import main
from playground.config import Settings
from playground.domain import Blocked, ChatRequest, Direction, Message, SamplingParams, TokenScores
from playground.engines.registry import ENGINES
from playground.errors import InvalidRequest
from playground.log import FORMS
from playground.moderation.categories import CATEGORIES
from playground.server import build_app
from playground.services import Services, build
from tests import oracle
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor
from tests.engines.spelling import SPELLING
from tests.exits.api_client import call
from tests.exits.canaries import CANARIES, MARK, Canary, Site
from tests.exits.surface import listeners
from tests.moderation.endpoint import serving

SIZES = (1, 2, 3, 7)
SLOW = "slow"
ORACLE = "oracle"  # holds every canary possible at every place of what it says
SPELL = "spell"  # tells its tokens, with the canary among the alternatives
TAGS = ("<think>", "</think>")
OWNER = "0" * 32
TAIL = ", and so it goes on.\nMore of it follows."
LEAD = "this comes first and is harmless."
SAID = f"Well then, {LEAD}\n"  # by the oracle
AFTER = "After all of that thought, this is the answer."


def lead(place: int) -> str:
    """The harmless beginning, longer with every place: it ends where a unit ends."""
    return f"We{'l' * place}l then, {LEAD}\n"


def cuts() -> Iterator[tuple[int, int]]:
    """Pieces of every size, from every offset: each place in a text is once the end of a piece of each size.

    All two-piece cuts would be ten times as many and are tried on the guard itself (`tests/moderation`); the way from
    there on only joins what the guard releases.
    """
    return ((size, place) for size in SIZES for place in range(size))


# What the picker's listeners are sent; the hub of the scene is offline, so they answer with a sentence.
PICKED = {
    "search": {"query": "harmless", "size": "", "licence": "", "sort": "downloads"},
    "bring": {"reference": "nobody/nothing"},
    "fetch": {"id": "echo"},
    "halt": {"id": "echo"},
    "remove": {"id": "echo"},
}


_VISITS = count()  # no two visits begin the same batch: it would be the one that is graded already


@dataclass
class Scene:
    """What is on stage, and what left it. `address` is "" where no page is served."""

    canaries: tuple[Canary, ...]
    services: Services
    address: str
    blocks: bool
    placed: frozenset[Path] = frozenset()  # files of the operator's in the data folder
    log: list[str] = field(default_factory=list)
    runs: list[tuple[Run, str, str]] = field(default_factory=list)  # with the text and the thoughts that may be shown
    wire: dict[str, bytearray] = field(default_factory=dict)
    listeners: dict[tuple[str, int], str] = field(default_factory=dict)
    fired: set[tuple[str, int]] = field(default_factory=set)
    printed: dict[str, str] = field(default_factory=dict)
    compared: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    inside: list[object] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    api: dict[str, bytearray] = field(default_factory=dict)

    def play(self) -> None:
        """Everything, once."""
        self.thoughts[:] = [canary.text for canary in self.canaries]
        for canary in self.canaries:
            self._say_in_every_cut(canary)
            self._type(canary)
            self._compare(canary)
            self._tell_tokens(canary)
            if self.address:
                self._call(canary)
        self._look_inside()
        self._read_each_other()
        if self.address:
            self._visit()
        self._review()
        self._command()

    def _say_in_every_cut(self, canary: Canary) -> None:
        """One conversation, where every question replaces the first one, and every third answer is asked for twice.

        Where pages are served one cut will do: each detector has gone through all of them without.
        """
        conversation = self._answer("cut-1", "At first something harmless.", None).conversation_id
        for number, (size, place) in enumerate([(3, 0)] if self.address else cuts()):
            said = lead(place) + canary.text + TAIL
            run = self._answer(f"cut-{size}", said, conversation)
            self._expect(run, canary, said, "")
            if number % 3 == 0:
                again = ChatRequest(OWNER, f"cut-{size}", None, conversation, run.user_message_id)
                self._expect(self._wait(self.services.chat.start(again)), canary, said, "")
            thought = self._answer(f"cut-{size}", TAGS[0] + said + TAGS[1] + AFTER, conversation)
            self._expect(thought, canary, AFTER, said)

    def _answer(self, model: str, said: str, conversation: str | None) -> Run:
        return self._wait(self.services.chat.start(ChatRequest(OWNER, model, said[::-1], conversation)))

    @staticmethod
    def _wait(run: Run) -> Run:
        assert run.wait(60)
        return run

    def _expect(self, run: Run, canary: Canary, text: str, reasoning: str) -> None:
        if self.blocks:
            shown = [part.split(canary.text)[0] for part in (text, reasoning)]
            text, reasoning = ("" if reasoning else shown[0]), shown[1]
        self.runs.append((run, text, reasoning))

    def _type(self, canary: Canary) -> None:
        """What a person may type: a question, a system prompt, a title."""
        chat, typed = self.services.chat, lead(0) + canary.text + TAIL
        for request in (
            ChatRequest(OWNER, "echo", typed),
            ChatRequest(OWNER, "echo", "Good day.", system_prompt=typed),
        ):
            assert isinstance(self._wait(chat.start(request)).snapshot().end, Blocked) == self.blocks
        mine = self._answer("cut-7", "Something else, and harmless.", None).conversation_id or ""
        for change in (
            lambda: chat.rename(OWNER, mine, "A title: " + canary.text),
            lambda: chat.configure(OWNER, mine, system_prompt=typed),
        ):
            with pytest.raises(InvalidRequest) if self.blocks else contextlib.nullcontext():
                change()

    def _compare(self, canary: Canary) -> None:
        """The canary said on both sides of a comparison, in an answer and in a thought, and typed into one."""
        arena, said = self.services.arena, lead(0) + canary.text + TAIL
        sides = [SideRequest("cut-2"), SideRequest("cut-3")]
        comparison = arena.start(OWNER, Mode.NAMED, sides, "en")
        for text in (said[::-1], (TAGS[0] + said + TAGS[1] + AFTER)[::-1], "Good day."[::-1]):
            view = arena.ask(OWNER, comparison.id, text)
            while any(side.running for side in view.sides):
                self.compared.append(repr(view.sides))
                view = arena.wait(OWNER, comparison.id, view.version, 5)
            self.compared.append(repr(view.sides))
        arena.vote(OWNER, comparison.id, "tie")
        self.compared.append(repr((arena.listed(OWNER), arena.leaderboard(TableChoice(modes=("named",))))))
        chat_id = arena.detach(OWNER, comparison.id, 0)
        self.compared.append(repr(self.services.chat.thread(OWNER, chat_id).messages))
        self.services.chat.delete(OWNER, chat_id)
        typed = arena.start(OWNER, Mode.NAMED, [SideRequest("echo"), SideRequest("echo")], "en")
        asked = arena.ask(OWNER, typed.id, said)
        assert all(isinstance(side.end, Blocked) for side in asked.sides) == self.blocks
        with pytest.raises(InvalidRequest) if self.blocks else contextlib.nullcontext():
            arena.start(OWNER, Mode.NAMED, [sides[0], SideRequest("echo", None, said)], "en")

    def _look_inside(self) -> None:
        """All that can be seen of an answer whose model held every canary possible, and of those that were stopped."""
        whole = self._wait(self.services.chat.start(ChatRequest(OWNER, ORACLE, "Good day.")))
        inspector, params = self.services.inspector, SamplingParams(seed=1)
        about = Subject(OWNER, whole.conversation_id or "", whole.message_id or "")
        self.inside += [inspector.prompt(about), tokens := inspector.tokens(about).tokens]
        tokenizer = self.services.pool.tokenizer(self.services.catalog.get(ORACLE))
        assert tokenizer is not None
        for place in range(0, len(tokens), 7):
            self.inside += [inspector.place(about, place), inspector.step(about, place, (), params)]
        for canary in self.canaries:
            thought = tokenizer.encode(canary.text)
            self.inside.append(inspector.step(about, len(tokens) - 1, thought, params))
            beginning = inspector.beginning(about, len(tokens) - 1, thought)
            again = ChatRequest(OWNER, ORACLE, None, whole.conversation_id, whole.user_message_id, beginning=beginning)
            run = self._wait(self.services.chat.start(again))
            self._expect(run, canary, SAID + canary.text, "")
            if self.blocks:
                stopped = Subject(OWNER, run.conversation_id or "", run.message_id or "")
                self.inside.append(inspector.tokens(stopped).tokens)

    def _read_each_other(self) -> None:
        """An answer read by a model that would rather have written every canary, and that model's own."""
        arena, sides = self.services.arena, [SideRequest("cut-2"), SideRequest(ORACLE)]
        comparison = arena.start(OWNER, Mode.NAMED, sides, "en")
        view = arena.ask(OWNER, comparison.id, "Good day."[::-1])
        while any(side.running for side in view.sides):
            view = arena.wait(OWNER, comparison.id, view.version, 5)
        read = arena.surprise(OWNER, comparison.id, "en")
        foreign = read.readings[0][1]
        assert any(one.masked for one in foreign.rather.values()) == self.blocks
        self.inside += [read, tuple(foreign.rather.values())]

    def _tell_tokens(self, canary: Canary) -> None:
        """A client that is told the tokens of answers, from every offset, and what else they might have been."""
        for place in range(7):
            said = lead(place) + canary.text + TAIL
            turns = (Message("user", said[::-1]),)
            params = SamplingParams(max_tokens=1000, logprobs=3)
            (run,) = self.services.chat.complete(CompletionRequest(OWNER, SPELL, turns, params))
            scores = [event for event in self._wait(run).events() if isinstance(event, TokenScores)]
            tokens = [token for event in scores for token in event.tokens]
            self.tokens.append("".join(token.text for token in tokens))
            self.tokens += [text for token in tokens for text, _ in token.top]
            assert self.tokens[-1] == " and"

    def _call(self, canary: Canary) -> None:
        """A client of the API, with the canary in everything."""
        said = lead(0) + canary.text + TAIL
        thought = TAGS[0] + said + TAGS[1] + AFTER
        for way, heard in call(self.address, said, thought, teller=SPELL, thinker="cut-3"):
            self.api.setdefault(way, bytearray()).extend(heard)

    def _visit(self) -> None:
        """A person at the page: each canary said, thought and typed; then whatever else can be done there."""
        with Person(self.address) as person:
            for canary in self.canaries:
                self._converse(person, canary)
            self._manage(person)
            self._open_panel(person)
            self._keep("page", person)
        for canary in self.canaries:
            self._visit_arena(canary)
        with Person(self.address, root="/arena", query=f"models=cut-2,{ORACLE}") as person:
            person.ask("Good day."[::-1])
            self._watch(person)
            person.fire("stage", "surprise", data={"ticket": "t"})
            assert person.value("parcel")["found"]["answers"][0]["readings"][1]["tokens"]
            self._keep("arena", person)

    def _converse(self, person: Person, canary: Canary) -> None:
        said = lead(0) + canary.text + TAIL
        person.start_anew()
        person.use(SLOW)
        person.talk(said[::-1])
        person.talk((TAGS[0] + said + TAGS[1] + AFTER)[::-1], edit=person.rows[0]["id"])
        person.retry()
        with person.tab(f"c={person.conversation}") as reloaded:
            self._keep("page", reloaded)
        person.fire("conversations", "rename", data={"id": person.conversation, "title": canary.text})
        prompt = {"system_prompt": canary.text, "params": person.value("settings")["params"]}
        person.fire("settings", "save", data=prompt)
        person.use("echo")
        person.ask(said)
        person.read_to_the_end()

    def _visit_arena(self, canary: Canary) -> None:
        """A person at the arena: the canary said on both sides, thought and typed; every listener; all files."""
        said = lead(0) + canary.text + TAIL
        with Person(self.address, root="/arena", query="models=cut-2,cut-3") as person:
            for text in (said[::-1], (TAGS[0] + said + TAGS[1] + AFTER)[::-1]):
                person.ask(text)
                self._watch(person)
            for event in ("models", "differences", "earlier", "refresh"):
                person.fire("stage", event)
            person.fire("stage", "vote", data={"winner": "tie"})
            person.fire("stage", "detach", data={"position": 0})
            person.fire("stage", "retry", data={"position": 0})
            self._watch(person)
            person.fire("stage", "stop", data={"position": 0})
            person.fire("composer", "stop")
            comparison = person.value("stage")["comparison"]
            for file in (
                f"comparisons/{comparison}.md",
                f"comparisons/{comparison}.json",
                "votes/named.csv",
                "votes/named.jsonl",
            ):
                person.received += person.http.get(f"/arena/{file}").raise_for_status().content
            with person.tab(f"c={comparison}") as reloaded:
                self._keep("arena", reloaded)
            self._change_sides(person, canary.text)
            person.ask(said)
            self._watch(person)
            for island in ("notice", "stage"):
                person.fire(island, "report", data={"id": "0" * 32, "text": ""})
            person.fire("stage", "missed", data={"position": 0})
            person.fire("stage", "fresh")
            for tab in ("battle", "duels", "board"):
                person.fire("masthead", "tab", data={"tab": tab})
            for event in ("list", "remove", "restore", "open"):
                person.fire("history", event, data={"id": comparison})
            self._grade(person, said)
            person.fire("board", "choose", data={"choice": {"kind": "named", "ties": "half"}})
            self._keep("arena", person)

    @staticmethod
    def _grade(person: Person, said: str) -> None:
        """A batch of which a model says the canary, and thinks it, and whose file has it; and all that grading does."""
        asked = (said[::-1], (TAGS[0] + said + TAGS[1] + AFTER)[::-1], f"Good day, {next(_VISITS)}."[::-1], said)
        lines = "\n".join(json.dumps({"prompt": question}) for question in asked)
        file = base64.b64encode(lines.encode()).decode()
        person.fire("desk", "begin", data={"name": "some.jsonl", "data": file, "models": "cut-2,cut-3"})
        duel = person.value("desk")["begun"]
        assert duel
        Scene._await_batch(person)
        for event in ("halt", "go_on"):
            person.fire("desk", event, data={"id": duel})
        Scene._await_batch(person)
        person.fire("queue", "enter", data={"id": duel})
        for event in ("skip", "grade"):
            assert person.value("queue")["phase"] == "grading"
            person.fire("queue", event, data={"pair": person.value("stage")["comparison"], "winner": "a"})
        for event in ("undo", "enter"):
            person.fire("queue", event, data={"id": duel, "pair": person.value("stage")["comparison"]})
        graded = person.value("stage")["comparison"]
        person.fire("queue", "grade", data={"pair": graded, "winner": "b"})
        person.fire("queue", "reveal")
        person.fire("queue", "look", data={"id": graded})
        assert all(card["model"] for card in person.value("stage")["cards"])
        for event in ("results", "leave"):
            person.fire("queue", event)

    @staticmethod
    def _await_batch(person: Person) -> None:
        person.fire("desk", "list")
        while person.value("desk")["batches"][0]["working"]:
            time.sleep(0.05)
            person.fire("desk", "list")

    @staticmethod
    def _change_sides(person: Person, text: str) -> None:
        """A canary typed as a side's system prompt, a side more, a side less, and a question for one side."""
        params = person.value("stage")["seats"][1]["settings"]["params"]
        person.fire("stage", "settings", data={"position": 1, "system_prompt": text, "params": params})
        person.fire("stage", "choose", data={"position": 2, "id": "echo"})
        person.fire("stage", "remove", data={"position": 0})
        person.fire("stage", "aim", data={"position": 1})

    @staticmethod
    def _watch(person: Person) -> None:
        while person.value("stage")["busy"]:
            person.fire("stage", "follow")

    def _manage(self, person: Person) -> None:
        """Every other listener of the page."""
        refused, here = person.value("notice")["notice"], person.conversation
        person.fire("notice", "report", data={"id": refused["receipt"] if refused else "", "text": ""})
        message = next(row for row in person.rows if row and row["role"] == "assistant")
        told = message["notices"][0]["receipt"] if message["notices"] else ""
        person.fire("thread", "report", data={"id": told, "text": self.canaries[-1].text})
        person.fire("thread", "missed", data={"id": message["id"]})
        person.fire("thread", "version", data={"id": message["versions"]["previous"]})
        for event in ("refresh", "earlier"):
            person.fire("thread", event)
        person.fire("composer", "stop")
        person.fire("picker", "open")
        for event, data in PICKED.items():
            person.fire("picker", event, data=data)
        assert person.search("harmless")
        for event in ("remove", "restore", "choose"):
            person.fire("conversations", event, data={"id": here})

    def _open_panel(self, person: Person) -> None:
        """Every listener of the panel that looks inside an answer."""
        person.start_anew()
        person.use(ORACLE)
        person.talk("Good day.")
        answer = {"id": person.rows[-1]["id"], "ticket": "t", "place": 7, "params": {}}
        for event in ("tokens", "place", "step", "prompt"):
            person.fire("inside", event, data=answer | {"chosen": []})
            assert "error" not in person.value("inside")
        person.fire("inside", "branch", data=answer | {"chosen": person_tokens(self.services, self.canaries[0].text)})
        person.read_to_the_end()

    def _review(self) -> None:
        """Reports and their labels; and at the workbench every listener, with what it has when the page is opened."""
        desk, bench = self.services.reports, self.services.workbench
        for run, _, _ in self.runs[-6:]:
            _, answer = self.services.chat.select(OWNER, run.conversation_id or "", run.message_id or "").messages
            if answer.content:
                desk.report_answer(OWNER, answer, "en")
            for verdict in answer.verdicts:
                desk.report_decision(OWNER, verdict.id, self.canaries[0].text)
        waiting = bench.reports(labelled=False)
        for report in waiting[1:]:
            bench.label(report.id, "wrong")
        if self.address:
            self._visit_workbench(waiting[0].id)

    def _visit_workbench(self, report: str) -> None:
        with Person(self.address, root="/workbench") as operator:
            operator.fire("queue", "mark", data={"id": report, "label": "right"})
            for dependency in operator.config["dependencies"]:
                if dependency["backend_fn"] and dependency["id"] not in operator.fired:
                    for _ in operator.follow(dependency):
                        pass
            operator.received += operator.http.get("/workbench/cases.jsonl").raise_for_status().content
            self._keep("workbench", operator)
        with Person(self.address, root="/workbench") as tester:  # who pastes a text sees it again, and nobody else
            tester.values[tester.ids["testbox-text"]] = self.canaries[0].text
            tester.fire("testbox-run", "click")
            assert tester.value("examined")["action"] == ("block" if self.blocks else "allow")

    def _keep(self, place: str, person: Person) -> None:
        self.wire.setdefault(place, bytearray()).extend(person.received + json.dumps(person.config).encode())
        self.fired |= {(place, number) for number in person.fired}

    def _command(self) -> None:
        """Every sub-command, on a text or a file that has the canary in it."""
        folder = self.services.settings.data_dir.parent
        said = lead(0) + self.canaries[0].text + TAIL
        rows = folder / "rows.jsonl"
        rows.write_text(json.dumps({"text": said, "toxic": 1}) + "\n" + "{broken\n", encoding="utf-8")
        rules = folder / "some_rules.toml"
        rules.write_text(f'[[group]]\ncategory = "abuse"\nscore = 0.9\nwords = ["{MARK}"]\n', encoding="utf-8")
        for name, arguments in {
            "check": ("--text", said, "--json", "--direction", "output"),
            "evaluate": (
                "--data",
                str(rows),
                "--text",
                "text",
                "--label",
                "toxic",
                "--stream",
                "7",
                "--resamples",
                "5",
            ),
            "policies": (),
            "rules check": (str(rules),),
        }.items():
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                assert main(["moderation", *name.split(), *arguments]) in {0, 1}, out.getvalue()
            self.printed[name] = out.getvalue()


def person_tokens(services: Services, text: str) -> list[int]:
    """The oracle's tokens of a text, as somebody could send them who knows its vocabulary."""
    tokenizer = services.pool.tokenizer(services.catalog.get(ORACLE))
    assert tokenizer is not None
    return tokenizer.encode(text)


@dataclass
class Person(Visitor):
    """A visitor who remembers which listeners were used."""

    fired: set[int] = field(default_factory=set)

    def _call(self, dependency: dict[str, Any], data: Any, component: int | None) -> Iterator[dict[int, Any]]:
        self.fired.add(dependency["id"])
        return super()._call(dependency, data, component)


class _Lines(logging.Handler):
    """Every line of every log at the noisiest level: as it came, and as it is written in each form."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._lines = lines
        self._forms = [form() for form in FORMS.values()]

    def emit(self, record: logging.LogRecord) -> None:
        self._lines += [self.format(record), *(form.format(record) for form in self._forms)]


@contextlib.contextmanager
def staged(*canaries: Canary, folder: Path, blocks: bool = True, pages: bool = False) -> Iterator[Scene]:
    """The playground with the canaries' detectors and no other; without any when it does not block."""
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch, serving() as endpoint:
        site = Site(folder / "data", patch, endpoint)
        settings = _settings(site, canaries, blocks=blocks)
        placed = frozenset(site.data_dir.rglob("*"))
        patch.chdir(folder)
        patch.setattr(masking, "SCREENING_SECONDS", 120.0)  # on a busy machine, too, everything is screened
        for name in ("data_dir", "policy", "moderation_url"):
            patch.setenv(f"PLAYGROUND_{name.upper()}", str(getattr(settings, name)))
        lines: list[str] = []
        with _logged(lines), _built(settings) as services:
            scene = Scene(canaries, services, "", blocks, placed, lines, thoughts=site.thoughts)
            with _served(scene) if pages else contextlib.nullcontext():
                yield scene


def _settings(site: Site, canaries: Sequence[Canary], *, blocks: bool) -> Settings:
    echoes = {f"cut-{size}": {"piece_chars": size} for size in SIZES} | {
        SLOW: {"piece_chars": 5, "delay_seconds": 0.005}
    }
    rows: dict[str, dict[str, object]] = {
        name: {"reasoning_tags": TAGS, "engine_options": options | {"backwards": True}}
        for name, options in echoes.items()
    }
    rows[ORACLE] = {"engine": ORACLE}
    spelled = " ".join(canary.text for canary in canaries)
    rows[SPELL] = {"engine": "spell", "engine_options": {"backwards": True, "alternative": spelled}}
    site.patch.setitem(ENGINES, "spell", SPELLING)  # type: ignore[misc]
    more: dict[str, Any] = {}
    for canary in canaries:
        canary.install(site)
        more |= canary.settings(site)
    folder = site.data_dir.parent
    detectors = [canary.detector for canary in canaries]
    oracle.install(
        site.patch, [SAID], site.thoughts, ORACLE, [canary.text for canary in (*canaries, CANARIES["words"])]
    )
    return Settings(
        offline=True,
        data_dir=site.data_dir,
        models_file=write_models(folder / "models.toml", rows),
        default_model="echo",
        policy=str(_policy(folder / "policy.toml", detectors, rows)) if blocks else "off",
        keep_flagged_text=True,
        **more,
    )


def _policy(path: Path, detectors: Sequence[str], models: Iterable[str]) -> Path:
    """Whatever a detector finds is blocked, but a question to a model that says it backwards is not looked at."""
    block = "\n".join(f'{category} = {{ action = "block", threshold = 0.5 }}' for category in CATEGORIES)
    allow = "\n".join(f'{category} = "allow"' for category in CATEGORIES)
    names = json.dumps(detectors)
    parts = [f'extends = "standard"\n[detectors]\ninput = {names}\noutput = {names}']
    parts += [f"[{way}]\n{block}" for way in Direction]
    parts += [f'[models."{model}".input]\n{allow}' for model in models]
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


@contextlib.contextmanager
def _logged(lines: list[str]) -> Iterator[None]:
    handler, root = _Lines(lines), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@contextlib.contextmanager
def _built(settings: Settings) -> Iterator[Services]:
    services = build(settings)
    try:
        yield services
    finally:
        services.close()


@contextlib.contextmanager
def _served(scene: Scene) -> Iterator[None]:
    """The pages on a socket, and all their listeners, in the scene."""
    app = build_app(scene.services)
    scene.listeners = listeners(app)
    with socket.create_server(("127.0.0.1", 0)) as listener, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gradio about its own libraries; other tests of the page see them
        config = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            scene.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield
        finally:
            server.should_exit = True
            thread.join(30)
