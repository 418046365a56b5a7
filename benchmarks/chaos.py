"""Everything that can break, while people use the playground: `python -m benchmarks.chaos --minutes 10`.

Workers are killed, the database is locked by another program, the disk takes no more bytes (RLIMIT_FSIZE of the
server's process), clients vanish, the clock jumps (see `shifted_clock`); at the end the server itself is killed. Then
what pages and clients had been told is held against the database: no message, vote or decision may be missing, nothing
unscreened may have left, and every client must have had an answer or an error.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.ledger import Ledger
from benchmarks.page_client import PageClient, PageError
from benchmarks.rows import Row
from benchmarks.served import Served, serve
from benchmarks.shifted_clock import ShiftedClock, make_clock
from benchmarks.timed import run

MINUTES = float(os.environ.get("BENCH_CHAOS_MINUTES", "1"))
PATIENCE = 90.0
PAUSE = 3.0
FORBIDDEN = "motherfucker"
BACKWARDS, SLOW = "backwards", "slow"
ROW = """
[[models]]
id = "{id}"
name = "{id}"
family = "Echo"
engine = "echo"
context_length = 32768
licence = "Apache-2.0"
languages = ["en"]
engine_options = {{ piece_chars = 3, backwards = true, delay_seconds = {delay} }}
description = {{ en = "Says it backwards.", vi = "Nói ngược." }}
"""
# What is asked may be anything: the model says it backwards, and only the answer is then looked at.
POLICY = 'extends = "standard"\n[output]\nprofanity = {{ action = "block", threshold = 0.5 }}\n{models}'
FREE = "\n".join(f'{name} = "allow"' for name in ("profanity", "slur"))
Role = Callable[[Served, Ledger, int, threading.Event], None]


def measure(minutes: float = MINUTES) -> Iterator[Row]:
    """People and faults together for so long; then the account."""
    with tempfile.TemporaryDirectory() as folder:
        place, ledger = Path(folder), Ledger(FORBIDDEN.encode())
        clock = make_clock(place)
        data = place / "data"
        with serve(*_options(place), data_dir=data, environment=clock.variables if clock else {}) as app:
            faults = _live_through(app, ledger, clock, minutes)
            recovered = _answers_again(app)
            app.process.kill()
            app.process.wait(20)
            lost = ledger.lost(data / "playground.db")
        with serve(*_options(place), data_dir=data) as app:
            again = _answers_again(app)
    yield from _account(ledger, faults, lost)
    yield Row("answers after the last fault, after a killed server", recovered + again, "of 2", 2)


def _account(ledger: Ledger, faults: Counter[str], lost: Mapping[str, list[str]]) -> Iterator[Row]:
    told = ", ".join(f"{name} {count}" for name, count in sorted(ledger.outcomes.items()))
    yield Row("requests that ended", ledger.outcomes.total(), "", 1, detail=told)
    done = ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    yield Row("faults", faults.total(), "", 1, detail=done)
    detail = "; ".join(ledger.troubles[:3])
    yield Row("clients without answer or error", len(ledger.troubles), "", 0, at_least=False, detail=detail)
    yield Row("unscreened texts", ledger.leaks, "", 0, at_least=False)
    for kind, known in (("messages", ledger.messages), ("votes", ledger.votes), ("decisions", ledger.decisions)):
        detail = f"of {len(known)} acknowledged; {'; '.join(lost[kind][:3])}"
        yield Row(f"{kind} lost", len(lost[kind]), "", 0, at_least=False, detail=detail)


def _options(place: Path) -> list[str]:
    rows = "".join(ROW.format(id=name, delay=delay) for name, delay in ((BACKWARDS, 0.0), (SLOW, 0.02)))
    (place / "models.toml").write_text(rows, encoding="utf-8")
    models = "".join(f'[models."{name}".input]\n{FREE}\n' for name in (BACKWARDS, SLOW))
    (place / "policy.toml").write_text(POLICY.format(models=models), encoding="utf-8")
    limits = ["--api-requests-per-minute", "0", "--api-concurrent", "0"]
    files = ["--models-file", str(place / "models.toml"), "--policy", str(place / "policy.toml")]
    return [*files, *limits, "--default-model", BACKWARDS]


def _live_through(app: Served, ledger: Ledger, clock: ShiftedClock | None, minutes: float) -> Counter[str]:
    stop, faults = threading.Event(), Counter[str]()
    crowd: list[tuple[Role, int]] = [(chatting, 4), (voting, 2), (calling, 4), (asking_pip, 4), (vanishing, 3)]
    people = [
        threading.Thread(target=_keep_on, args=(role, app, ledger, number, stop), daemon=True)
        for role, count in crowd
        for number in range(count)
    ]
    for person in people:
        person.start()
    end = time.monotonic() + 60 * minutes
    for name, fault in itertools.cycle(_faults(app, clock).items()):
        if stop.wait(PAUSE) or time.monotonic() >= end:
            break
        fault()
        faults[name] += 1
    if clock is not None:
        clock.jump(0)
    stop.set()
    for person in people:
        person.join(PATIENCE + 30)
        if person.is_alive():
            ledger.fail("a client waits for ever", person.name)
    return faults


def _faults(app: Served, clock: ShiftedClock | None) -> dict[str, Callable[[], None]]:
    found: dict[str, Callable[[], None]] = {
        "workers killed": lambda: _kill_workers(app),
        "database locked": lambda: _lock(app.data_dir / "playground.db", 7.0),
        "disk full": lambda: _fill(app, 5.0),
    }
    if clock is not None:
        jumps = itertools.cycle((86_400, -86_400, 3_600, 0))
        found["clock jumped"] = lambda: clock.jump(next(jumps))
    return found


def _kill_workers(app: Served) -> None:
    for child in app.process.children(recursive=True):
        if "playground.engines.worker" in " ".join(child.cmdline()):
            child.kill()


def _lock(database: Path, seconds: float) -> None:
    """Longer than the playground waits for it."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        other.execute("ROLLBACK")


def _fill(app: Served, seconds: float) -> None:
    """No file of the server may grow."""
    app.process.rlimit(psutil.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    time.sleep(seconds)
    app.process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _keep_on(role: Role, app: Served, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """Play a role again and again. What people are told as an error is fine, silence and lost connections are not."""
    name = f"{role.__name__} {number}"
    threading.current_thread().name = name
    while not stop.is_set():
        try:
            role(app, ledger, number, stop)
        except PageError:
            ledger.count(f"{role.__name__}: error told")
        except (httpx.HTTPError, KeyError, ValueError) as error:
            ledger.fail(name, error)
        time.sleep(0.2)


_NUMBERS = itertools.count()


def _sentence(role: str, *, bad: bool = False) -> str:
    """A question of its own whose answer, said backwards, begins harmlessly."""
    ending = f" And so you {FORBIDDEN}, it goes on." if bad else " And so it goes on."
    return f"Number {next(_NUMBERS)} of {role} has something to say.{ending}"[::-1]


def chatting(app: Served, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """A person at the page, who asks again and again; every third answer has to be stopped by the gate."""
    with PageClient(app.address) as visitor:
        for turn in range(6):
            if stop.is_set():
                break
            question = _sentence("chat", bad=(turn + number) % 3 == 0)
            visitor.ask(question)
            taken = visitor.value("composer")["outcome"] == "taken"
            ledger.count(f"chatting: {'taken' if taken else 'refused'}")
            if not taken:
                continue
            with ledger.lock:
                ledger.messages.add(("user", question))
            end = time.monotonic() + PATIENCE
            while visitor.value("thread")["busy"]:
                for _ in visitor.answers():
                    pass
                if time.monotonic() > end:
                    ledger.fail("chatting", "the answer does not end")
                    break
            answer = visitor.answer()
            if answer == question[::-1]:
                with ledger.lock:
                    ledger.messages.add(("assistant", answer))
        ledger.look_through(bytes(visitor.received))


def voting(app: Served, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """A person at the arena: asks two models and votes."""
    del number, stop
    with PageClient(app.address, root="/arena", query=f"models={BACKWARDS},{SLOW}") as visitor:
        visitor.ask(_sentence("arena"))
        if visitor.value("composer")["outcome"] != "taken":
            ledger.count("voting: question refused")
            return
        end = time.monotonic() + PATIENCE
        while visitor.value("stage")["busy"] and time.monotonic() < end:
            visitor.fire("stage", "follow")
        visitor.fire("stage", "vote", data={"winner": "tie"})
        stage = visitor.value("stage")
        voted = stage["ballot"]["chosen"] == "tie"
        ledger.count(f"voting: {'voted' if voted else 'vote refused'}")
        if voted:
            with ledger.lock:
                ledger.votes.add(stage["comparison"])
        ledger.look_through(bytes(visitor.received))


def calling(app: Served, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """A client of the API, whole answers and streams, every other one to be stopped by the gate."""
    del stop
    for bad in (False, True):
        body = _body(BACKWARDS, _sentence("call", bad=bad)) | {"stream": number % 2 == 0}
        answer = httpx.post(f"{app.address}/v1/chat/completions", json=body, timeout=PATIENCE)
        ledger.look_through(answer.content)
        _note_answer(ledger, "calling", answer)


def asking_pip(app: Served, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """A client whose model computes in a worker that is killed now and then."""
    del number, stop
    body = _body("pip", "What is a token?") | {"stream": True}
    _note_answer(ledger, "pip", httpx.post(f"{app.address}/v1/chat/completions", json=body, timeout=PATIENCE))


def vanishing(app: Served, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """A client that goes away in the middle of its answer."""
    del stop
    body = _body(SLOW, _sentence("vanish") * 3) | {"stream": True}
    with httpx.stream("POST", f"{app.address}/v1/chat/completions", json=body, timeout=PATIENCE) as answer:
        for place, chunk in enumerate(answer.iter_bytes()):
            ledger.look_through(chunk)
            if place >= number:
                break
    ledger.count("vanishing: gone")


def _body(model: str, question: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 400}


def _note_answer(ledger: Ledger, role: str, answer: httpx.Response) -> None:
    """How it ended; receipts in it are acknowledged decisions."""
    streamed = answer.headers.get("content-type", "").startswith("text/event-stream")
    blocks = answer.text.split("\n\n") if streamed else [f"data: {answer.text}"]
    objects = [json.loads(block[6:]) for block in blocks if block.startswith("data: {")]
    problem = next((one["error"]["code"] for one in objects if "error" in one), "")
    choices = [choice for one in objects for choice in one.get("choices", ())]
    reason = next((choice["finish_reason"] for choice in reversed(choices) if choice.get("finish_reason")), "")
    told = [decision["id"] for choice in choices for decision in (choice.get("moderation") or {}).get("decisions", ())]
    with ledger.lock:
        ledger.decisions.update(told)
    if reason or problem:
        ledger.count(f"{role}: {problem or reason}")
    else:
        ledger.fail(role, f"neither an end nor an error, status {answer.status_code}")


def _answers_again(app: Served) -> bool:
    """Whether it is ready, and both a worker's model and the page's answer, within half a minute."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            ready = httpx.get(f"{app.address}/readyz", timeout=30).status_code == 200
            pip = httpx.post(f"{app.address}/v1/chat/completions", json=_body("pip", "Hello!"), timeout=30)
            with PageClient(app.address) as visitor:
                visitor.ask(_sentence("recovery"))
                if ready and pip.status_code == 200 and visitor.value("composer")["outcome"] == "taken":
                    return True
        except (httpx.HTTPError, PageError):
            pass
        time.sleep(0.5)
    return False


if __name__ == "__main__":
    sys.exit(run("chaos", measure, MINUTES))
