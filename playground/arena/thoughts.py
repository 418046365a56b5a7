"""Takes what a model thinks out of an answer that is shown blind, with the tags of its family around it.

Rows of the catalogue name a model's tags (`reasoning_tags`), and the chat parts the thought from the answer by them. A
model whose row names none, or others, would still be known by its tags, and by thinking aloud. So these are taken out
of every side of a blind battle, without a trace:

| Thought between | Written by | Source |
|---|---|---|
| `<think>`, `<thinking>`, `<thought>`, `<reasoning>` and the like, `<|think|>` | DeepSeek R1, Qwen3, GLM, Hunyuan, \
EXAONE Deep, Marco-o1, Solar Open | their chat templates; SGLang's documentation, "Reasoning Parser" |
| `<seed:think>`, `<longcat_think>` | Seed-OSS, LongCat | vLLM, `reasoning/seedoss_…`; LongCat's chat template |
| `[THINK]` | Magistral and later Mistral models | mistral-common, `SpecialTokens.begin_think` |
| `◁think▷` | Kimi-VL Thinking | its chat template; SGLang's documentation |
| `<|begin_of_thought|>` | Sky-T1, OpenThinker, Bespoke-Stratos | the system prompt of Sky-T1's training data |
| `<|START_THINKING|>` | Cohere Command A Reasoning, R7B | its chat template; vLLM, `reasoning/cohere_command_…` |
| `<|inner_prefix|>` | Apertus | vLLM, `reasoning/apertus_…` |
| `<|channel|>analysis<|message|>` | gpt-oss (harmony) | OpenAI's harmony response format |
| `<|channel>thought`, `<unused94>thought` | Gemma 4, MedGemma | vLLM, `reasoning/gemma4_…`; MedGemma's model card |
| "Here is my thought process:" | Granite 3.2 | vLLM, `reasoning/granite_…` |

The tags around the answer itself (`<answer>` after a thought, harmony's final channel) go, too. A tag in quotes or in
backticks is spoken of, not used.
"""

from __future__ import annotations

from typing import NamedTuple

import regex


class _Family(NamedTuple):
    """What opens and closes a thought; `phrase`: plain words, which open one only where an answer begins."""

    opens: str
    closes: str
    phrase: bool = False


_NAMES = r"(?:(?:seed:|longcat_)?think|think(?:ing|:opensource)|thoughts?|reason(?:ing)?(?:_content)?|reflection)"
_FAMILIES = (
    _Family(rf"<\|?{_NAMES}\|?>", rf"<\|?/{_NAMES}\|?>|<\|/?end\|>"),
    _Family(r"\[(?:think|thinking|reasoning)\]", r"\[/(?:think|thinking|reasoning)\]"),
    _Family(r"◁think▷", r"◁/think▷"),
    _Family(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    _Family(r"<\|start_thinking\|>", r"<\|end_thinking\|>"),
    _Family(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
    _Family(
        r"<\|channel\|>(?:analysis|commentary)",
        r"<\|end\|>|<\|return\|>|(?=<\|start\|>|<\|channel\|>)",
    ),
    _Family(r"<\|channel>thought|<unused94>thought", r"<channel\|>|<unused95>"),
    _Family(r"here(?:\ is|['’]s)\ my\ thought\ process:", r"here(?:\ is|['’]s)\ my\ response:", phrase=True),
)
# What stands around an answer, or is left of a thought whose beginning was in the prompt.
_AROUND = (
    *(family.closes.split("|(?=")[0] for family in _FAMILIES if not family.phrase),
    r"<\|(?:start|channel)\|>[a-z]*|<\|(?:message|return)\|>",
    r"<\|(?:begin|end)_of_solution\|>|<\|(?:start|end)_(?:response|text)\|>",
)
_FLAGS = regex.IGNORECASE
_OPENS = "|".join(f"(?P<family_{at}>{family.opens})" for at, family in enumerate(_FAMILIES))
_TAG = regex.compile(rf"(?P<answer></?(?:answer|response|output)>)|{_OPENS}|{'|'.join(_AROUND)}", _FLAGS)
_CLOSES = tuple(regex.compile(family.closes, _FLAGS) for family in _FAMILIES)
_BLANK = regex.compile(r"\s*+")  # white space after a tag belongs to the form
_QUOTES = "`'\"‘’“”«"


def without_thoughts(text: str, *, complete: bool) -> str:
    """`text` without thoughts and their tags; of an unfinished text without the end that could become a tag.

    For any beginning of a text the result is a beginning of the whole text's result.
    """
    kept: list[str] = []
    at, thought = 0, False
    while (match := _TAG.search(text, at)) and (complete or match.end() < len(text)):
        family = _opened(match)
        if _is_spoken_of(text, match, family, thought=thought):
            kept.append(text[at : match.end()])
            at = match.end()
            continue
        kept.append(text[at : match.start()])
        at = match.end()
        if family is not None:
            thought = True
            closing = _CLOSES[family].search(text, at)
            if closing is None:
                return "".join(kept)
            at = closing.end()
        at = _BLANK.match(text, at).end()
    begun = None if complete else _TAG.search(text, at, partial=True)
    kept.append(text[at : len(text) if begun is None else begun.start()])
    return "".join(kept)


def _opened(match: regex.Match[str]) -> int | None:
    return next((at for at in range(len(_FAMILIES)) if match[f"family_{at}"] is not None), None)


def _is_spoken_of(text: str, match: regex.Match[str], family: int | None, *, thought: bool) -> bool:
    """Whether what looks like a tag is part of the answer; `thought`: the answer came after one."""
    if match.start() and text[match.start() - 1] in _QUOTES:
        return True
    if family is not None and _FAMILIES[family].phrase:
        return bool(text[: match.start()].strip())
    return match["answer"] is not None and not thought
