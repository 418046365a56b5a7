from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.moderation.remote_images import Fences, RemoteImageDetector
from tests.moderation.streams import in_pieces, moderator, stream

DETECTOR = RemoteImageDetector()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](http://evil.example/a.png)", "[x](http://evil.example/a.png)"),
        ("![](//evil.example)", "[](//evil.example)"),
        ("![a [b] c](https://e.example)", "[a [b] c](https://e.example)"),
        ("![a\nb]( <https://e.example>)", "[a\nb]( <https://e.example>)"),
        ("![a\\] b](https://e.example)", "[a\\] b](https://e.example)"),
        ("![a[b[c[d[e]]]]](https://e.example)", "[a[b[c[d[e]]]]](https://e.example)"),
        ("![x][ref]\n\n[ref]: https://e.example", "[x][ref]\n\n[ref] : https://e.example"),
        ("[ref]:\n  https://e.example/a.png", "[ref] :\n  https://e.example/a.png"),
        ("> [ref]: //e.example/a.png", "> [ref] : //e.example/a.png"),
        ("<img src=https://e.example>", "&lt;img src=https://e.example>"),
        ("<IMG alt='a' SRC = 'https://e.example'>", "&lt;IMG alt='a' SRC = 'https://e.example'>"),
        ("<div style='background:url(https://e)'>", "&lt;div style='background:url(https://e)'>"),
        ("<svg/onload=x><image href='//e'/>", "<svg/onload=x>&lt;image href='//e'/>"),
        ("<video poster=//e></video>", "&lt;video poster=//e></video>"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_disarmed(text: str, shown: str, size: int) -> None:
    assert stream(moderator().guard(), in_pieces(text, size)).text == shown


@pytest.mark.parametrize(
    "text",
    [
        "![dot](data:image/png;base64,iVBORw0KGgo=)",
        "a [link](https://e.example) stays",
        "<a href='https://e.example'>stays</a>",
        "Wow! [link](https://e.example)",
        "[INFO]: all is well",
        "[^1]: a footnote, see https://e.example",
        "let v = vec![1, 2, 3];",
        "if (![1, 2].includes(x)) { }",
        "a < b and c > d, src = 3",
        "![not closed\n\n](https://e.example)",
        "text\n\n```markdown\n![x](https://e.example)\n<img src=x>\n[r]: https://e.example\n```\n",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_left_alone(text: str, size: int) -> None:
    assert stream(moderator().guard(), in_pieces(text, size)).text == text


@pytest.mark.parametrize(
    "before",
    [
        "```\n",
        "text\n```\n",
        "- ```\n\n",
        "> ```\n\n",
        "<div>\n```\n\n",
        "<pre>\n\n```\n</pre>\n",
        "\n  ```\n",
        "\n```a`b\n",
    ],
)
def test_where_a_fence_is_uncertain_images_are_disarmed(before: str) -> None:
    text = f"x\n{before}![x](https://e.example)\n"
    assert "![" not in stream(moderator().guard(), [text]).text


def test_a_closed_fence_is_over() -> None:
    text = "\n```\n![x](https://e)\n```\n![x](https://e)\n\n~~~~\n~~~\n![x](https://e)\n"
    assert stream(moderator().guard(), in_pieces(text, 4)).text.count("![") == 2


def test_fences_do_not_depend_on_how_lines_arrive() -> None:
    text = "a\n\n```py\nx\n"
    whole, parts = Fences(), Fences()
    whole.advance(text)
    for char in text:
        parts.advance(char)
    assert whole.fence == parts.fence == "```"
    assert not whole.inside_after("```\n")
    assert whole.fence == "```"


@given(st.text(alphabet=st.sampled_from("![]()<>img src=:/\\\n`a ")))
def test_spans_are_valid_whatever_the_text(text: str) -> None:
    for finding in DETECTOR.scan(text):
        assert 0 <= finding.span[0] < finding.span[1] <= len(text)
    assert 0 <= DETECTOR.unsettled(text) <= min(len(text), DETECTOR.reach)
