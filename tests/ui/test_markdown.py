"""Nothing an answer contains makes the browser ask another server; code stays what it is."""

from __future__ import annotations

import time

import pytest

from playground.ui.markdown import displayable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain **bold** [link](https://a.example)", "plain **bold** [link](https://a.example)"),
        ("![x](https://a.example/x.png)", "&#33;[x](https://a.example/x.png)"),
        ("\\![x](u)", "\\&#33;[x](u)"),
        ("<img src=x>", "&lt;img src=x>"),
        ("<IMG\nsrc=x>", "&lt;IMG\nsrc=x>"),
        ("</style><svg/onload=1>", "&lt;/style>&lt;svg/onload=1>"),
        ("a <b>bold</b> <br> 1 < 2 !", "a <b>bold</b> <br> 1 < 2 !"),
        ("`<img>` and <img>", "`<img>` and &lt;img>"),
        ("``a ` ![b](c)`` ![b](c)", "``a ` ![b](c)`` &#33;[b](c)"),
        ("` <img> without an end", "` &lt;img> without an end"),
        ("```html\n<img>\n```\n<img>", "```html\n<img>\n```\n&lt;img>"),
        ("~~~\n```\n<img>\n~~~\n<img>", "~~~\n```\n<img>\n~~~\n&lt;img>"),
        ("````\n```\n<img>\n````\n![a](b)", "````\n```\n<img>\n````\n&#33;[a](b)"),
        ("```\n<img> still code", "```\n<img> still code"),
        ("<think>Hm.</think> <config key='1'>", "&lt;think>Hm.&lt;/think> &lt;config key='1'>"),
        ("<!-- hidden --> <?php", "&lt;!-- hidden --> &lt;?php"),
        ("<https://a.example> 1<2 if x<y", "<https://a.example> 1<2 if x&lt;y"),
        ("$$x<y$$ and \\(i<n\\)", "$$x<y$$ and \\(i<n\\)"),
        ("$$\nx<y <img>\n$$\nx<y", "$$\nx<y &lt;img>\n$$\nx&lt;y"),
    ],
)
def test_media_is_disarmed_outside_code(text: str, shown: str) -> None:
    assert displayable(text, html=True) == shown


def test_what_a_person_typed_is_shown_as_typed() -> None:
    assert displayable("<b>bold</b> <br> ![x](u) `<br>`", html=False) == "&lt;b>bold&lt;/b> &lt;br> &#33;[x](u) `<br>`"


@pytest.mark.parametrize("piece", ["`![a](b)<img ", "```\n", "`", "` `` ``` ", "<x\n", "\\(", "$$<", "!["])
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    def work(times: int) -> float:
        text = piece * times + "<img"
        began = time.process_time()
        displayable(text, html=True)
        return time.process_time() - began

    assert work(40_000) < 40 * max(work(4_000), 0.002)
