"""Images from elsewhere in a model's markdown: a way to leak, because loading one tells its server what was said.

Found are the few characters that make a link an image, so that covering them leaves a plain link: the beginning of a
markdown image, the colon of a link definition (which an image may refer to), and the bracket of an HTML tag that loads
something. Images embedded as data stay. Text inside fenced code is not rendered; `Fences` follows where that is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import regex

from playground.domain import Finding
from playground.moderation.contract import Scope

# What stands between the brackets of an image: balanced brackets three deep, no empty line.
_PLAIN = r"[^\[\]\\\n]|\n(?![ \t]*\n)|\\."
_NESTED = rf"\[(?:{_PLAIN}|\[(?:{_PLAIN}|\[(?:{_PLAIN}){{0,200}}\]){{0,200}}\]){{0,200}}\]"
_LABEL = rf"(?:{_PLAIN}|{_NESTED}){{0,500}}+"
_DEEP = r"(?:(?:[^\[\]\n]|\n(?![ \t]*\n)){0,200}\[){4}"
# By `regex`: before 3.11.5 Python's own `re` reads possessive groups with choices in them wrongly (cpython#106052).
_IMAGE = regex.compile(rf"!\[(?:(?={_LABEL}\](?:\((?!\s{{0,9}}<?data:image/)|\[))|(?={_DEEP}))", regex.DOTALL)
_LABEL_READ = regex.compile(_LABEL, regex.DOTALL)
_TARGET_OPEN = re.compile(r"(?:\(\s{0,9}<?(?:d(?:a(?:t(?:a(?::(?:i(?:m(?:a(?:g(?:e)?)?)?)?)?)?)?)?)?)?)?")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_DEFINITION = re.compile(
    r"^[ \t>*+\d.-]{0,12}\[(?!\^)[^\[\]\n]{1,200}(?P<colon>\]:)(?=\s{0,9}<?[^\s>/&\\:]{0,80}[/&\\:])", re.MULTILINE
)
_DEFINITION_OPEN = re.compile(
    r"^[ \t>*+\d.-]{0,12}(?:\[[^\[\]\n]{0,200}(?:\](?::\s{0,9}<?[^\s>/&\\:]{0,80})?)?)?\Z", re.MULTILINE
)
_TAG = re.compile(
    r"<(?!a[\s/])(?=[a-z][a-z0-9-]{0,20}[\s/][^<>]{0,900}?(?:src|srcset|poster|background|data|href|style)\s{0,9}=)",
    re.IGNORECASE,
)
_TAG_OPEN = re.compile(r"<(?:[a-z][^<>]{0,950})?\Z", re.IGNORECASE)
_FENCE = re.compile(r"(`{3,}|~{3,})([^\n]*)")
_RAW_HTML = re.compile(r"^ {0,3}<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)


class RemoteImageDetector:
    """Finds what would load an image (or other media) from elsewhere when the text is rendered as markdown."""

    name = "remote_images"
    version = "1"
    reach = 1024
    prompt = True
    scope: Scope = "span"

    def scan(self, text: str) -> list[Finding]:
        """One finding per place to disarm, explained as "markdown_image", "html_tag" or "link_definition"."""
        spans = []
        if "![" in text:
            spans += [(match.start(), match.start() + 2, "markdown_image") for match in _IMAGE.finditer(text)]
        if "]:" in text:
            spans += [(*match.span("colon"), "link_definition") for match in _DEFINITION.finditer(text)]
        if "<" in text:
            spans += [(match.start(), match.start() + 1, "html_tag") for match in _TAG.finditer(text)]
        return [
            Finding("remote_image", 1.0, (start, end), self.name, self.version, kind)
            for start, end, kind in sorted(spans)
        ]

    def unsettled(self, text: str) -> int:
        """From the start of an image, definition or tag that is still being written."""
        tail = text[-self.reach :]
        starts = [len(tail)]
        if "!" in tail:
            starts += [match.start() for match in re.finditer("!", tail) if _image_open(tail, match.start())][:1]
        if "<" in tail:
            starts += [match.start() for match in [_TAG_OPEN.search(tail)] if match]
        if "[" in tail:
            starts += [match.start() for match in [_DEFINITION_OPEN.search(tail)] if match]
        return len(tail) - min(starts)


def _image_open(tail: str, start: int) -> bool:
    """Whether the exclamation mark at `start` may still become the beginning of an image."""
    if start + 1 == len(tail):
        return True
    if tail[start + 1] != "[":
        return False
    read = _LABEL_READ.match(tail, start + 2)
    end = read.end() if read else start + 2
    if end == len(tail):
        return True
    if tail[end] == "]":
        return _TARGET_OPEN.fullmatch(tail, end + 1) is not None
    return tail[end] in "[\\" and not _EMPTY_LINE.search(tail, end)


def _shortened(line: str) -> str:
    """The beginning of an unfinished line, and of the rest what matters: whether it has a backtick, or anything."""
    rest = line[200:]
    return line[:200] + ("`" if "`" in rest else "x" if rest.strip() else "")


@dataclass(slots=True)
class Fences:
    """Where fenced code is, as far as that is certain.

    Only a fence at the very beginning of a line, after an empty line, counts, and none after raw HTML: whatever a
    renderer may see differently is taken for text, where images are disarmed.
    """

    fence: str = ""
    blank: bool = True
    certain: bool = True
    line: str = ""

    def advance(self, text: str) -> None:
        """Read on: `text` follows what was read before."""
        lines = (self.line + text).split("\n")
        for line in lines[:-1]:
            self._read(line)
        self.line = _shortened(lines[-1])

    def inside_after(self, text: str) -> bool:
        """Whether a position would be inside a fence after reading on; this state stays as it is."""
        ahead = Fences(self.fence, self.blank, self.certain, self.line)
        ahead.advance(text)
        return bool(ahead.fence)

    def _read(self, line: str) -> None:
        match = _FENCE.match(line)
        if self.fence:
            if match and match[1].startswith(self.fence) and not match[2].strip():
                self.fence = ""
        elif _RAW_HTML.match(line):
            self.certain = False
        elif match and self.blank and self.certain and "`" not in match[2]:
            self.fence = match[1]
        self.blank = not line.strip()
