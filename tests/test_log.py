"""The log in both forms, as a process writes it: what is told, and that nobody's words are, whoever quotes them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from playground.log import FACTS, JsonFormatter, TextFormatter, about_request, known_id, request_id

ROOT = Path(__file__).parents[1]
WORDS = "zqxjvkw"

NOISE = f"""
import asyncio, logging, sys, threading, traceback, warnings
from playground.log import FACTS, about_request, begin_log, end_with, in_force

begin_log("info", sys.argv[1])
assert in_force() == ("info", sys.argv[1])
log = logging.getLogger("playground.room")
log.debug("not told")
with about_request("0123456789abcdef"):
    log.info("run %s: done", "r1", extra={{FACTS: {{"run": "r1", "seconds": 0.5, "level": "other"}}}})

def fail():
    raise ValueError("{WORDS}")

try:
    fail()
except ValueError:
    log.exception("it failed")
    traceback.print_exc()
    logging.getLogger("library").error("Failed\\nbecause of {WORDS}", exc_info=True)
logging.getLogger("library").info("{WORDS}")
print("{WORDS}", file=sys.stderr)
warnings.warn("{WORDS}")
thread = threading.Thread(target=fail, name="worker")
thread.start(); thread.join()

async def forgotten():
    asyncio.create_task(later())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

async def later():
    fail()

asyncio.run(forgotten())
import gc; gc.collect()
end_with("Choose another port.")
fail()
"""


def written(form: str) -> list[str]:
    command = [sys.executable, "-c", NOISE, form]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert WORDS not in ended.stderr
    return ended.stderr.splitlines()


def test_text_has_a_line_for_every_event_and_places_instead_of_words() -> None:
    lines = written("text")
    told = [line.split(" ", 2)[2] for line in lines if line.startswith("20")]
    assert told[0] == "INFO playground.room: run r1: done [0123456789abcdef]"
    assert told[1] == "ERROR playground.room: it failed"
    assert lines[2].startswith("    Traceback: ValueError at ")
    assert told[2] == "ERROR playground.stderr: Traceback, printed: ValueError at <string>:13 fail"
    assert told[3] == "ERROR library: Failed"
    assert any(line.startswith("WARNING py.warnings: ") and line.endswith(": UserWarning") for line in told)
    assert any(line.startswith("ERROR playground: thread worker. Traceback: ValueError at ") for line in told)
    assert any(line == "ERROR asyncio: Task exception was never retrieved" for line in told)
    assert "Choose another port." in lines
    assert told[-1].startswith("CRITICAL playground: the process ends. Traceback: ValueError at ")


def test_json_has_one_object_a_line() -> None:
    rows = [json.loads(line) for line in written("json")]
    first = rows[0]
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "playground.room",
        "message": "run r1: done",
        "request": "0123456789abcdef",
        "run": "r1",
        "seconds": 0.5,
    }
    assert rows[1]["error"].startswith("ValueError at ")
    assert rows[-2]["message"] == "Choose another port."
    assert "not told" not in {row["message"] for row in rows}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0123456789abcdef0123456789abcdef", True),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", True),
        ("", False),
        ("my secret words", False),
        ("deadbee", False),
        ("a" * 65, False),
        ("abcdef01\nINFO forged", False),
    ],
)
def test_only_an_id_is_taken_for_one(sent: str, kept: bool) -> None:
    taken = known_id(sent)
    assert (taken == sent) is kept
    assert known_id(taken) == taken


def test_a_request_is_told_within_it_only() -> None:
    record = logging.LogRecord("playground", logging.INFO, "", 0, "one\ntwo", (), None)
    setattr(record, FACTS, {"n": 1})
    with about_request("abcdef0123"):
        assert request_id() == "abcdef0123"
        assert TextFormatter().format(record).endswith("playground: one two [abcdef0123]")
        assert json.loads(JsonFormatter().format(record)) | {"time": ""} == {
            "time": "",
            "level": "info",
            "logger": "playground",
            "message": "one two",
            "request": "abcdef0123",
            "n": 1,
        }
    assert request_id() == ""
    assert TextFormatter().format(record).endswith("playground: one two")
