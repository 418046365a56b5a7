"""What a rendered page shows of a text, and that a listed phrase or an address is found in spite of its marks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.moderation.lexicon import LISTS, load_lexicon
from playground.moderation.markup import REACH, rewrite, without_marks, without_open_marks
from playground.moderation.normaliser import normalise
from playground.moderation.word_list import WordListDetector
from tests.moderation.streams import every_split, moderator, stream

WORDS = WordListDetector([load_lexicon(path) for path in sorted(LISTS.glob("*.toml"))])
SIGNS = ["<b>", "</b>", "<br>", "<!--", "-->", "<", ">", "*", "**", "`", "```", "~~", "[", "]", "](x)", "](", "&nbsp;",
         "&#117;", "&", ";", "\\", "\n", "\n> ", "\n- ", "\n1. ", "\n```py\n", "|", "\n|--|\n", "kill", "yourself", " ",
         "a", "é", "\u200b"]  # fmt: skip
marked = st.lists(st.sampled_from(SIGNS), max_size=20).map("".join)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("`burn` in **hell**", ["burn in hell"]),
        ("~~burn~~ [in](http://a.example/b) [hell][1]", ["burn in hell"]),
        ("burn\n```python\nin\n```\nhell", ["burn\n\nin\n\nhell"]),
        ("so\n> burn\n> > in\n- hell\n2) now\n## there", ["so\nburn\nin\nhell\nnow\nthere"]),
        ("a\n| b | c |\n|---|:-:|\n| d | e |", ["a\n  b   c  \n\n  d   e  "]),
        ("a<br/>b<P>c", ["a b c", "a b c"]),
        ("a <b>b</b><!-- c - -- --> d", ["a b d", "a  b   d"]),
        ("a&nbsp;b &#98;&#x62;&commat;&zwj;", ["a\xa0b bb@"]),
        ("[a][b] x[i][0]", ["a x[i"]),
        (r"a \* b\_c", ["a  b_c"]),
        ("a\\\nb", ["a\nb"]),
        ("2*3*4 x*y", ["2*3*4 xy"]),
        ("no marks, none; 1 < 2 > 0 & so on - \n-1 \n10 \n#a", []),
        ("<!--" + "x" * 300 + "-->", []),
        ("&unknown; &amp", ["&unknown; &amp"]),
    ],
)
def test_how_it_is_read(text: str, seen: list[str]) -> None:
    assert [reading.text for reading in without_marks(normalise(text), lines=True)] == seen


def test_marks_of_lines_stay_where_lines_matter() -> None:
    view = normalise("a\n> **b**\n- c | d")
    assert [reading.text for reading in without_marks(view, lines=False)] == ["a\n> b\n- c | d"]


def test_a_mark_that_is_still_being_written_is_taken_for_one() -> None:
    for going in ("<b", "<!-- c", "<!", "](http", "&nb", "\\", "`", "*", "\n> ", "\n12", "\n```py", "\n|--", "\n"):
        read = without_open_marks(normalise(f"fu{going}"), lines=True).text
        assert read.rstrip("\n") == "fu"


def test_rewriting_nothing_gives_nothing() -> None:
    assert rewrite(normalise("abc"), []) is None


@settings(max_examples=200, deadline=None)
@given(marked)
def test_places_follow_one_another_in_the_text_as_given(text: str) -> None:
    for reading in (*without_marks(normalise(text), lines=True), *without_marks(normalise(text), lines=False)):
        spans = [reading.span(place, place + 1) for place in range(len(reading.text))]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(spans[at][1] <= spans[at + 1][0] for at in range(len(spans) - 1))


MARKED = [
    "`kill` yourself",
    "**kill** *yourself*",
    "k**il**l yourself",
    "kill\n```\nyourself\n```",
    "kill\n```python\nyourself\n```",
    "> kill\n> yourself",
    "- kill\n- yourself",
    "1. kill\n2. yourself",
    "## kill\n## yourself",
    "<b>kill</b> yourself",
    "ki<i>ll</i> yourself",
    "kill<br>yourself",
    "kill<span>yourself</span>",
    "kill<!-- and so on -->yourself",
    "ki<!-- and so on -->ll yourself",
    "| kill | yourself |",
    "| kill |\n|---|\n| yourself |",
    "[kill](http://a.example/) [yourself](http://b.example/)",
    "kill&nbsp;yourself",
    "k&#105;ll yourself",
    "kill\\\nyourself",
    "`kill`yourself",
    "~~kill~~ yourself",
    "địt **mẹ**",
    "> tao giết\n> mày",
]


@pytest.mark.parametrize("text", MARKED)
def test_a_listed_phrase_is_found_between_marks(text: str) -> None:
    spans = {finding.span for finding in WORDS.scan(f"so {text} and") if finding.score >= 0.8}
    start, end = max(spans, key=lambda span: span[1] - span[0])
    assert 3 <= start < end <= 3 + len(text)
    assert end - start >= 6


@pytest.mark.parametrize(
    "text",
    [
        "- skill\n- yourself",
        "| kill | the | process | yourself |",
        "`kill` the process, **yourself** or not",
        "kill -9 <pid>\nyourself",
        "if a[s] < s and b > c: return as[s]",
        "List<Integer> as = new ArrayList<>(); s*s",
        "1. push\n2. it\n3. to the limit",
        "<b>as</b>sess the c<i>lass</i>",
        "| mẹ | và | bố |\n|---|---|---|\n| con | chó | ngoan |",
        "const a = b && c; d |= e; \\frac{a}{b}",
        "Sh\n> it\n> is",
        "kill <!-- " + "x" * 600 + " --> yourself",
    ],
)
def test_marks_make_no_phrase_of_what_is_none(text: str) -> None:
    assert not WORDS.scan(text)


@pytest.mark.parametrize("text", MARKED)
def test_nothing_of_a_marked_phrase_leaves_a_stream(text: str) -> None:
    before = "This comes first, and it is harmless. "
    for pieces in every_split(f"{before}zq {text} zq. More text follows here.", 5):
        result = stream(moderator("strict").guard(), pieces)
        assert (result.blocked, result.text) == (True, before)


@settings(max_examples=150, deadline=None)
@given(marked, st.integers(min_value=1, max_value=7))
def test_the_outcome_does_not_depend_on_the_pieces(text: str, size: int) -> None:
    whole = stream(moderator("strict").guard(), [text])
    pieces = stream(moderator("strict").guard(), [text[at : at + size] for at in range(0, len(text), size)])
    assert (whole.text, whole.blocked) == (pieces.text, pieces.blocked)


@settings(max_examples=300, deadline=None)
@given(marked, marked)
def test_what_is_settled_is_found_whatever_follows(text: str, more: str) -> None:
    settled = len(text) - WORDS.unsettled(text)
    for finding in WORDS.scan(text + more):
        if finding.span[0] < settled:
            assert finding.span in {found.span for found in WORDS.scan(text)}


def test_a_long_text_of_nothing_but_marks_is_read_in_linear_time() -> None:
    assert WORDS.reach > REACH
    for sign in SIGNS:
        WORDS.scan(sign * (100_000 // len(sign)))
        WORDS.unsettled(sign * 2000)
