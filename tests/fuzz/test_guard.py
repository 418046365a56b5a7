"""The output guard against the same text screened as a whole: no split lets anything out that the whole would not."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from playground.domain import Action, Direction
from playground.moderation.line_breaks import without_breaks, without_open_breaks
from playground.moderation.markup import without_marks, without_open_marks
from playground.moderation.moderator import PolicyModerator
from playground.moderation.normaliser import normalise
from playground.moderation.policy import builtin_policies
from playground.moderation.screening import scan_with
from tests.fuzz.depth import cuts, depths, hunt, pieces
from tests.moderation.streams import moderator, stream
from tests.moderation.test_stream_properties import FRAGMENTS

MARKS = ["<b>", "</b>", "<!--", "-->", "<br", "<", ">", "**", "`", "~~", "](x)", "[", "&#x66;", "&amp;", "\\", "| ",
    "\n> ", "\n- ",
         "\n1. ", "\r\n", "@exa-\nmple.com", "0912 345\n678", "　", "\u2028", "ＦＵＣＫ", "fu\u00adck",
         "\u202e"]  # fmt: skip
texts = st.lists(st.sampled_from([*FRAGMENTS, *MARKS]) | st.text(max_size=5), max_size=50).map("".join)
POLICIES = [name for name in builtin_policies() if name != "off"]


def first_blocked(gate: PolicyModerator, text: str) -> int:
    """Where the first thing begins that blocks, by the detectors with places, in the whole text; its end if none."""
    policy = gate.policy
    names = policy.detectors[Direction.OUTPUT]
    spanning = [gate.detectors[name] for name in names if gate.detectors[name].scope == "span"]
    findings = scan_with(spanning, text).findings
    quoted = "```" in text  # in fenced code an image is shown and not loaded
    blocking = [
        finding.span[0]
        for finding in findings
        if policy.rule(Direction.OUTPUT, finding).action is Action.BLOCK
        and not (quoted and finding.category == "remote_image")
    ]
    return min(blocking, default=len(text))


@depths
@pytest.mark.parametrize("policy", POLICIES)
def test_no_split_releases_what_the_whole_blocks(examples: int, policy: str) -> None:
    gate = moderator(policy)

    def check(text: str, sizes: list[int]) -> None:
        whole = stream(gate.guard(), [text])
        cut = stream(gate.guard(), pieces(text, sizes))
        assert (cut.text, cut.blocked) == (whole.text, whole.blocked)
        if not cut.covered:
            assert text.startswith(cut.text)
            assert len(cut.text) <= first_blocked(gate, text)
            assert cut.blocked or cut.text == text

    hunt(examples, check, texts, cuts)


@depths
def test_other_readings_keep_their_places_in_the_text(examples: int) -> None:
    def check(text: str) -> None:
        view = normalise(text)
        readings = [*without_marks(view, lines=True), *without_marks(view, lines=False), without_open_breaks(view)]
        readings += [without_open_marks(view, lines=True), without_open_marks(view, lines=False), without_breaks(view)]
        for reading in filter(None, readings):
            places = [reading.span(at, at + 1) for at in range(len(reading.text))]
            assert all(0 <= start < end <= len(text) for start, end in places)
            assert places == sorted(places)

    hunt(examples, check, texts)
