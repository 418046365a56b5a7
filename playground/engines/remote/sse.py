"""Server-sent events from bytes that arrive in any portions.

The form is that of the HTML standard, "Interpreting an event stream" (html.spec.whatwg.org, section 9.2.6).
"""

from __future__ import annotations

import re

from playground.engines.remote.faults import Malformed

LONGEST_EVENT = 2**20  # bytes
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Gives out the `data` of each event. Other fields and comments are read over.

    Lines may end in CRLF, LF or CR; a character may be split between two portions.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._data: list[bytes] = []
        self._size = 0
        self._fresh = True

    def feed(self, portion: bytes) -> list[str]:
        """The data of the events that are complete by now.

        Raises Malformed for an event of more than `LONGEST_EVENT` bytes, or one that is not UTF-8.
        """
        self._buffer += portion
        if self._fresh:
            if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
                return []
            if self._buffer.startswith(_BOM):
                del self._buffer[: len(_BOM)]
            self._fresh = False
        events: list[str] = []
        at = 0
        # a CR at the very end may be the first half of CRLF: it waits for the next portion
        known = len(self._buffer) - self._buffer.endswith(b"\r")
        for start, end in [found.span() for found in _LINE_END.finditer(self._buffer, self._scanned, known)]:
            self._take(bytes(self._buffer[at:start]), events)
            at = end
        del self._buffer[:at]
        self._scanned = known - at  # nothing is looked at twice, however small the portions
        if len(self._buffer) + self._size > LONGEST_EVENT:
            raise Malformed("an event is too long")
        return events

    def finish(self) -> list[str]:
        """The event that the stream ended in: some servers leave out the last blank line."""
        events: list[str] = []
        self._take(bytes(self._buffer.removesuffix(b"\r")), events)
        self._take(b"", events)
        self._buffer.clear()
        self._scanned = 0
        return events

    def _take(self, line: bytes, events: list[str]) -> None:
        if not line:
            if self._data:
                events.append(_text(b"\n".join(self._data)))
            self._data, self._size = [], 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(line)
            if self._size > LONGEST_EVENT:
                raise Malformed("an event is too long")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("an event is not UTF-8") from None
