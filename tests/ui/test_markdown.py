"""Nothing an answer contains makes the browser ask another server; code stays what it is."""

from __future__ import annotations

import pytest

from playground.ui.markdown import without_media


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
    ],
)
def test_media_is_disarmed_outside_code(text: str, shown: str) -> None:
    assert without_media(text) == shown
