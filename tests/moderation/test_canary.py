"""The canary: for every detector, something that must not get out, streamed in every way it can be cut.

Not one character of the unit it stands in may be released when it is blocked, and not one of its own when it is
covered; everything before it arrives as it was written.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from playground.domain import Direction
from playground.moderation.moderator import PolicyModerator, build_moderator
from playground.moderation.own_rules import OwnRulesDetector
from playground.moderation.registry import DETECTORS
from tests.moderation.streams import every_split, in_pieces, moderator, stream

BEFORE = "This comes first, and it is harmless. "
BLOCKED = {
    "word": ("words", "zq you fucking zq"),
    "phrase": ("words", "zq kill yourself zq"),
    "spelled": ("words", "zq f u c k zq"),
    "dotted": ("words", "zq f.u.c.k zq"),
    "invisible": ("words", "zq fu\u200bck\u200b zq"),
    "wide": ("words", "zq ｆｕｃｋ zq"),
    "vietnamese": ("words", "zq địt mẹ zq"),
    "decomposed": ("words", "zq đi\u0323t me\u0323 zq"),
    "email": ("personal_data", "zq ask zoe.quinn@zq.example zq"),
    "phone": ("personal_data", "zq +84 912 345 678 zq"),
    "card": ("personal_data", "zq 4111 1111 1111 1111 zq"),
    "id_number": ("personal_data", "zq CCCD: 123456789012 zq"),
    "bank_account": ("personal_data", "zq GB82 WEST 1234 5698 7654 32 zq"),
    "token": ("secrets", "zq ghp_16C7e42F292c6912E7710c838347Ae178B4a zq"),
    "key": ("secrets", "-----BEGIN PRIVATE KEY-----\nMIIEzqzqzqzq\nzqzq==\n-----END PRIVATE KEY-----"),
    "assignment": ("secrets", 'zq api_key = "8f3a9b2c7d1e4f60a5b8" zq'),
    "own word": ("own_rules", "zq z.o.r.g.l.e zq"),
    "own pattern": ("own_rules", "zq ACME-\u200b123456 zq"),
    "insult": ("embedded", "zq you are such a stupid pathetic idiot zq"),
    "image": ("remote_images", "zq ![zq](http://zq.example/zq.png) zq"),
}
RULES = """
[[group]]
category = "abuse"
score = 0.9
words = ["zorgle"]

[[pattern]]
category = "id_number"
score = 0.9
pattern = 'ACME-[0-9]{6}'
"""
FRAMES = {
    "end": (BEFORE, ""),
    "middle": (BEFORE, ", and so on. More text follows here."),
    "start": ("", ". More text follows here."),
    "lines": ("A line that is long enough\n", "\nAnother line that is long enough\n"),
    "fence": ("Here is some code for you:\n\n```python\n", "\n```\nThat was all the code."),
    "no space": ("A harmless sentence comes first.\n", "…"),
}


@pytest.fixture(scope="module")
def blocking(tmp_path_factory: pytest.TempPathFactory) -> PolicyModerator:
    """A policy that blocks whatever any detector finds."""
    path = Path(tmp_path_factory.mktemp("policy")) / "block.toml"
    categories = ("profanity", "slur", "abuse", "sexual", "email", "phone", "card", "id_number", "bank_account",
                  "secret", "remote_image", "toxicity")  # fmt: skip
    lines = [f'{category} = {{ action = "block", threshold = 0.3 }}' for category in categories]
    path.write_text('extends = "standard"\n[output]\n' + "\n".join(lines), encoding="utf-8")
    rules = path.with_name("rules.toml")
    rules.write_text(RULES, encoding="utf-8")
    return build_moderator(path, {**DETECTORS, "own_rules": lambda: OwnRulesDetector(rules)})


def test_there_is_a_canary_for_every_detector() -> None:
    assert {detector for detector, _ in BLOCKED.values()} == set(moderator().policy.detectors[Direction.OUTPUT])


# Code in a fence is not rendered, so an image there loads nothing and is left alone.
@pytest.mark.parametrize(("canary", "frame"), [pair for pair in product(BLOCKED, FRAMES) if pair != ("image", "fence")])
def test_nothing_of_a_blocked_unit_is_released(blocking: PolicyModerator, canary: str, frame: str) -> None:
    before, after = FRAMES[frame]
    text = before + BLOCKED[canary][1] + after
    for pieces in every_split(text, 5):
        result = stream(blocking.guard(), pieces)
        assert result.blocked
        assert before.startswith(result.text)
        if frame != "fence":
            assert result.text == before


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("private", "mark"),
    [
        ("zoe.quinn@zq.example", "[e-mail removed]"),
        ("+84 912 345 678", "[phone number removed]"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[secret removed]"),
    ],
)
def test_covered_text_is_replaced_and_the_rest_is_verbatim(private: str, mark: str, frame: str) -> None:
    before, after = FRAMES[frame]
    text = f"{before}Ask for {private} there{after}"
    for pieces in every_split(text, 5):
        result = stream(moderator().guard(), pieces)
        assert result.text == f"{before}Ask for {mark} there{after}"
        assert not result.blocked


@pytest.mark.parametrize("name", ["standard", "strict"])
@pytest.mark.parametrize("direction", list(Direction))
def test_the_built_in_policies_stop_a_slur_on_both_sides(name: str, direction: Direction) -> None:
    text = f"{BEFORE}zq niggers zq. {BEFORE}"
    for pieces in every_split(text, 5):
        result = stream(moderator(name).guard(direction), pieces)
        assert (result.blocked, result.text) == (True, BEFORE)


@pytest.mark.parametrize("length", [100, 2000, 2048, 2100, 2400, 5000])
def test_a_text_without_any_boundary_hides_nothing(blocking: PolicyModerator, length: int) -> None:
    text = "a" * length + " fuck " + "a" * 50
    for size in (1, 4, 333, len(text)):
        result = stream(blocking.guard(), in_pieces(text, size))
        assert result.blocked
        assert set(result.text) <= {"a"}


@pytest.mark.parametrize("unit", ["clause", "sentence", "line", "paragraph", "answer"])
def test_every_unit_holds_back_what_it_promises(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "unit.toml"
    path.write_text(f'extends = "standard"\nunit = "{unit}"\n', encoding="utf-8")
    text = "Mở đầu bằng một dòng vô hại,\nrồi đến một câu cũng vô hại. Và rồi địt mẹ, thế là hết.\n\nHết."
    lead = {"clause": text[:58], "sentence": text[:58], "line": text[:29], "paragraph": "", "answer": ""}[unit]
    gate = build_moderator(path)
    for pieces in every_split(text, 5):
        assert stream(gate.guard(), pieces).text == lead
