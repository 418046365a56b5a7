"""Chat templates of strangers: whatever one says, it is rendered or refused, soon."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from playground.engines.chat_template import ChatTemplate
from playground.engines.contract import Turn
from playground.errors import InvalidRequest, ModelLoadError
from tests.fuzz.depth import depths, hunt

PARTS = ["{{", "}}", "{%", "%}", "{#", "#}", "messages", "message", "m", "in", "for ", "endfor", "if ", "endif",
    "set ", "=", "x", "[0]",
         ".content", "['role']", "| tojson", "| trim", "| length", "|", "loop.index0", "raise_exception('x')",
         "strftime_now('%Y')", "macro f()",
         "endmacro", "f()", "namespace()", "{{ bos_token }}", "range(9)", "*", "~", "+", "%", "'a'", "999", "-", "(",
         ")", " ", "\n", "is none",
         "generation", "endgeneration", "break", "continue", "{% for m in messages %}", "{% endfor %}",
         "{{ m.content }}",
         "cycler('a')", "lipsum()", "joiner()", "dict(a=1)", "| sort", "| map(attribute='role')", "| batch(2)",
         ".__class__", "self"]  # fmt: skip
turns = st.lists(st.builds(Turn, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=4)


@depths
def test_any_template_is_rendered_or_refused(examples: int) -> None:
    def check(parts: list[str], asked: list[Turn]) -> None:
        try:
            assert isinstance(ChatTemplate("".join(parts), {"bos_token": "<s>"}).render(asked), str)
        except (ModelLoadError, InvalidRequest):
            return

    hunt(examples * 5, check, st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=25), turns)


TWICE = "{% set n = namespace(t='x', l=[1]) %}{% for i in range(60) %}{% set n.t = STEP %}{% endfor %}{{ n.t }}"
THRICE = "{% for a in s %}{% for b in s %}{% for c in s %}{% endfor %}{% endfor %}{% endfor %}"
BOMBS = {
    "loops in loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "loops over texts": "{% set s = 'x' * 9999 %}" + THRICE,
    "macros that call themselves": "{% macro f(n) %}{{ f(n - 1) + f(n - 1) if n }}{% endmacro %}{{ f(60) }}",
    "a deep macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "recursive loops": "{% for a in [[[]]] recursive %}{{ loop([a, a]) }}{{ loop([a, a]) }}{% endfor %}",
    "a long text": "{{ 'x' * 10**10 }}",
    "a text that doubles": TWICE.replace("STEP", "n.t ~ n.t"),
    "a sum that doubles": TWICE.replace("STEP", "n.t + n.t"),
    "a joined text that doubles": TWICE.replace("STEP", "[n.t, n.t] | join"),
    "a joined text that squares": TWICE.replace("STEP", "n.t.join([n.t, n.t, n.t])"),
    "a replaced text": TWICE.replace("STEP", "n.t | replace('x', 'xx')"),
    "a list in lists": TWICE.replace("STEP", "[n.t, n.t]"),
    "a list in lists, written": TWICE.replace("STEP", "[n.t, n.t]").replace("{{ n.t }}", "{{ n.t | tojson }}"),
    "a list that doubles": TWICE.replace("STEP", "n.l").replace("{% set n.t", "{% set n.l = n.l + n.l %}{% set n.t"),
    "a number that squares": TWICE.replace("'x'", "9").replace("STEP", "n.t * n.t"),
    "a filled text": "{{ '%999999999d' % 1 }}",
    "a filled text of a given width": "{{ '%*d' % (999999999, 1) }}",
    "a filled text of str.format": "{{ '{:999999999}'.format(1) }}",
    "a centred text": "{{ 'x' | center(9999999999) }}",
    "an indented text": "{{ ('x\\n' * 9999) | indent(9999999) }}",
    "a large number": "{{ 9 ** 9 ** 9 }}",
    "a long list": "{{ ([1] * 10**10) | length }}",
    "filler texts": "{{ lipsum(n=99999999) }}",
    "a long method": "{{ 'x'.ljust(9999999999) }}",
    "zeros": "{{ '1'.zfill(9999999999) }}",
    "a filled batch": "{{ [1] | batch(9999999999, 'x') | list }}",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_template_that_would_never_end_is_refused(bomb: str) -> None:
    with pytest.raises((InvalidRequest, ModelLoadError), match="chat template"):
        ChatTemplate(bomb, {}).render([Turn("user", "hi")])


def test_a_long_conversation_is_no_bomb() -> None:
    usual = "{% for m in messages %}{{ '<|' ~ m.role ~ '|>' + m.content | trim }}{% if loop.last %}{{ m }}{% endif %}"
    asked = [Turn("user" if number % 2 else "assistant", "word " * 400) for number in range(1000)]
    assert len(ChatTemplate(usual + "{% endfor %}", {}).render(asked)) > 1_900_000
