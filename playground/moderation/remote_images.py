"""Images from elsewhere in a model's markdown: a way to leak, because loading one tells its server what was said.

Found are the few characters that make a link an image, so that covering them leaves a plain link: the beginning of a
markdown image, the colon of a link definition (which an image may refer to), and the bracket of an HTML tag that loads
something. Images embedded as data stay. Text inside fenced code is not rendered; `Fences` follows where that is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from playground.domain import Finding

_LABEL = r"(?:[^\[\]\\]|\\.|\[(?:[^\[\]\\]|\\.|\[(?:[^\[\]\\]|\\.|\[[^\[\]]{0,200}\]){0,200}\]){0,200}\]){0,500}+"
_IMAGE = re.compile(
    rf"!\[(?:(?={_LABEL}\](?:\((?!\s{{0,9}}<?data:image/)|\[))|(?=(?:[^\[\]]{{0,200}}\[){{4}}))", re.DOTALL
)
_DEFINITION = re.compile(
    r"^[ \t>*+\d.-]{0,12}\[(?!\^)[^\[\]\n]{1,200}(?P<colon>\]:)(?=\s{0,9}<?[^\s>]{0,80}[/&\\:])", re.MULTILINE
)
_TAG = re.compile(
    r"<(?=(?:[a-z][a-z0-9-]{0,20})[\s/][^<>]{0,2000}?(?:src|srcset|poster|background|data|href|style)\s{0,9}=)"
    r"(?!a[\s/])",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"!(?:\[[^\n]{0,500}(?:\n[^\n]{1,500}){0,2})?\Z"
    r"|<[a-z][^<>]{0,1000}\Z"
    r"|(?:^|\n)[ \t>*+\d.-]{0,12}\[[^\n]{0,200}\s{0,9}<?\S{0,80}\Z",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(`{3,}|~{3,})([^\n]*)")
_RAW_HTML = re.compile(r"^ {0,3}<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)


class RemoteImageDetector:
    """Finds what would load an image (or other media) from elsewhere when the text is rendered as markdown."""

    name = "remote_images"
    version = "1"
    reach = 1024

    def scan(self, text: str) -> list[Finding]:
        """One finding for every place to disarm; its explanation is "markdown_image", "html_tag" or
        "link_definition"."""
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
        if not any(char in tail for char in "![<"):
            return 0
        match = _OPEN.search(tail)
        return len(tail) - match.start() if match else 0


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
        self.line = lines[-1][:200]

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
