"""How the log is written: every event as a line of text or as a JSON object, and never with anybody's words.

Messages of the playground's own name ids, categories, codes and times. What other libraries and failures say may quote
what people wrote. So of an exception only its type and its places in the code are kept, of another library's message
only the first line, and of what somebody writes to standard error past the log nothing but that it happened.

Every line tells the request it belongs to: the id goes from the web server through threads into the workers.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

OWN = "playground"
FACTS = "facts"
"""Key of `extra` under which a message's figures stand: `log.info(..., extra={FACTS: {...}})`, for the JSON form."""

_MOST_PLACES = 12
_MOST_FOREIGN = 300
_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,56}")
_WARNING = re.compile(r"[^\n]*?:\d+: \w+")
_ROOT = Path(__file__).resolve().parents[1]
_REQUEST: ContextVar[str] = ContextVar("request", default="")


def request_id() -> str:
    """The request that this thread or task works for; "" when it is none."""
    return _REQUEST.get()


def known_id(text: str) -> str:
    """An id that a client or a proxy sent, if it has the form of one (hexadecimal, as UUIDs); else a new one."""
    return text if _ID.fullmatch(text) else uuid4().hex


@contextmanager
def about_request(name: str) -> Iterator[None]:
    """What is logged in the body belongs to that request."""
    token = _REQUEST.set(name)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def places(error: BaseException, trace: TracebackType | None = None) -> str:
    """The type of an exception and where it passed, the innermost place first; not its text, which may quote people."""
    frames = traceback.extract_tb(trace or error.__traceback__)[-_MOST_PLACES:]
    passed = " < ".join(f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {passed}" if passed else type(error).__name__


def _short(file: str) -> str:
    path = Path(file)
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else "/".join(path.parts[-2:])


class TextFormatter(logging.Formatter):
    """`2026-11-25 20:20:41,123 INFO playground.chat: message [request]`."""

    form = "text"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, or two when there was an exception."""
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {_message(record)}"
        if name := request_id():
            line += f" [{name}]"
        error = _error(record)
        return f"{line}\n    Traceback: {places(error)}" if error is not None else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, request, and the message's facts."""

    form = "json"

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if name := request_id():
            told["request"] = name
        if (error := _error(record)) is not None:
            told["error"] = places(error)
        facts = getattr(record, FACTS, None)
        if isinstance(facts, Mapping):
            told |= {key: value for key, value in facts.items() if key not in told}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=str)


FORMS: dict[str, type[TextFormatter | JsonFormatter]] = {kind.form: kind for kind in (TextFormatter, JsonFormatter)}


def _message(record: logging.LogRecord) -> str:
    """One line. The messages of other libraries (asyncio's, about a failed task) quote exceptions further down."""
    message = record.getMessage()
    if record.name == "py.warnings":
        found = _WARNING.match(message)
        return found[0] if found else "a warning"
    if record.name == OWN or record.name.startswith(f"{OWN}."):
        return message.replace("\n", " ")
    return message.split("\n", 1)[0][:_MOST_FOREIGN]


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def begin_log(level: str, form: str) -> None:
    """Write the log of this process to standard error: `level` counts for what is ours, others only warn.

    Whatever else is written to standard error (traces that libraries print, warnings, exceptions that end a thread)
    comes as a line of the log, without its words.
    """
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(FORMS[form]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, getattr(logging, level.upper())))
    logging.getLogger(OWN).setLevel(level.upper())
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a log that cannot be written (the disk is full) cannot say so either
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.stderr = Stray()


def end_with(sentence: str) -> None:
    """Tell whoever started this process why it ends: the sentence alone, or a line of the log in JSON."""
    if in_force()[1] == JsonFormatter.form:
        logging.getLogger(OWN).critical("%s", sentence)
    elif sys.__stderr__ is not None:
        sys.__stderr__.write(f"{sentence}\n")


def in_force() -> tuple[str, str]:
    """Level and form that `begin_log` was called with last, for processes that are started from this one."""
    kept = [handler.formatter for handler in logging.getLogger().handlers]
    form = next((one.form for one in kept if isinstance(one, TextFormatter | JsonFormatter)), TextFormatter.form)
    return logging.getLevelName(logging.getLogger(OWN).getEffectiveLevel()).lower(), form


class Stray(io.TextIOBase):
    """Stands for standard error: tells that somebody wrote past the log, and kind and place of a printed exception."""

    _PLACE = re.compile(r'  File "(.+)", line (\d+), in (\S+)')
    _KIND = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit))\b")

    def __init__(self) -> None:
        self._trace = False
        self._place = ""
        self._busy = threading.local()

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Where faults of the interpreter itself, and programs that are started, write to."""
        stream = sys.__stderr__
        if stream is None:
            raise io.UnsupportedOperation("there is no standard error")
        return stream.fileno()

    def write(self, text: str) -> int:
        """Log what can be told of it."""
        if getattr(self._busy, "now", False):  # the log itself could not write, and says so here
            return len(text)
        self._busy.now = True
        try:
            for line in text.splitlines():
                self._tell(line)
        finally:
            self._busy.now = False
        return len(text)

    def _tell(self, line: str) -> None:
        log = logging.getLogger(f"{OWN}.stderr")
        if line.startswith("Traceback "):
            self._trace, self._place = True, ""
        elif self._trace and (place := self._PLACE.match(line)):
            self._place = f" at {_short(place[1])}:{place[2]} {place[3]}"
        elif self._trace and not line.startswith(" "):
            self._trace = False
            kind = self._KIND.match(line)
            log.error("Traceback, printed: %s%s", kind[1] if kind else "of unknown kind", self._place)
        elif line.strip() and not self._trace:
            log.debug("a library wrote %d characters", len(line))


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    del kind
    logging.getLogger(OWN).critical("the process ends. Traceback: %s", places(error, trace))


def _uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
        name = arguments.thread.name if arguments.thread is not None else "?"
        logging.getLogger(OWN).error(
            "thread %s. Traceback: %s", name, places(arguments.exc_value, arguments.exc_traceback)
        )
