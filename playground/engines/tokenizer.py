"""The model's own tokenizer, cheap enough for the server process: `tokenizers` and Jinja, no transformers.

What people type can never become a control token: every occurrence of one in a message is taken apart before the chat
template joins the message to its own control tokens, and the parts are encoded one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import tokenizers

from playground.catalog.spec import ModelSpec
from playground.engines.chat_template import ChatTemplate
from playground.engines.contract import Turn
from playground.engines.detokenizer import Detokenizer, TokenTable
from playground.engines.model_files import TokenizerFiles, read_tokenizer_files
from playground.engines.prompt_origin import trace
from playground.errors import ModelLoadError

# A code point that is no character and never will be: it marks where a message was taken apart (see `prompt_origin` for
# the others).
_CUT = "\ufdd0"
_UNENCODABLE = re.compile("[\ud800-\udfff\ufdd0-\ufdef]")


class HfTokenizer:
    """A `tokenizer.json` with its chat template. Safe to use from many threads at once.

    Raises ModelLoadError when one of them is damaged.
    """

    def __init__(self, files: TokenizerFiles) -> None:
        self.core = parse_tokenizer(files.definition)
        self._template = ChatTemplate(files.template, files.special_tokens)
        controls = {
            index: token.content
            for index, token in self.core.get_added_tokens_decoder().items()
            if len(token.content) > 1 and (token.special or _is_bracketed(token.content))
        }
        self._control_ids = frozenset(controls)
        # Overlapping matches count too, hence the lookahead: all but the first character of a token lies within it.
        alternatives = "|".join(re.escape(text[1:]) for text in sorted(set(controls.values()), key=len, reverse=True))
        heads = "".join(re.escape(text[0]) for text in set(controls.values()))
        self._control = re.compile(f"(?<=[{heads}])(?={alternatives})") if controls else None

    def encode_chat(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of the turns through the chat template, ending where the answer begins.

        Equal to `transformers` for messages without control tokens. Raises InvalidRequest when the template refuses
        the turns.
        """
        text = self._template.render([Turn(turn.role, self._disarm(turn.content)) for turn in turns])
        return [index for part in text.split(_CUT) for index in self._encode(part)]

    def trace_chat(self, turns: Sequence[Turn]) -> list[tuple[int, int | None]]:
        """The tokens of `encode_chat`, each with the index of its turn; None for those of the template alone."""
        disarmed = [Turn(turn.role, self._disarm(turn.content)) for turn in turns]
        text, origins = trace(disarmed, self._template.render)
        traced: list[tuple[int, int | None]] = []
        begin = 0
        for part in text.split(_CUT):
            encoding = self.core.encode(part, add_special_tokens=False)
            for index, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                written = [turn for turn in origins[begin + start : begin + max(end, start + 1)] if turn is not None]
                traced.append((index, written[0] if written else None))
            begin += len(part) + 1
        return traced

    def texts(self, token_ids: Sequence[int], *, start: bool = False) -> list[str]:
        """What each token adds to the text of those before it."""
        detokenizer = Detokenizer(self._table, start=start)
        return [detokenizer.feed([index]) for index in token_ids]

    def name(self, token_id: int) -> str:
        """How the vocabulary itself writes a token; empty for an id outside it."""
        return self.core.id_to_token(token_id) or ""

    def is_control(self, token_id: int) -> bool:
        """Whether a token adds no text, wherever it stands."""
        return not self._table.bytes_of([token_id])

    @cached_property
    def _table(self) -> TokenTable:
        return TokenTable(self.core)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, without special tokens; control tokens in it are taken apart."""
        return [index for part in self._disarm(text).split(_CUT) for index in self._encode(part)]

    def encode_pieces(self, pieces: Sequence[tuple[str, bool]]) -> list[int]:
        """Token ids of a prompt in pieces of (text, markup): control tokens count in markup, in other pieces never.

        The pieces are joined before they are encoded, as if they had been written in one go, unless a control token
        would come about where two of them meet.
        """
        parts = [text if markup else self._disarm(text) for text, markup in pieces]
        joined = [index for part in "".join(parts).split(_CUT) for index in self._encode(part)]
        meant = [index for text, markup in pieces if markup for index in self._encode(text)]
        if self._controls_of(joined) == self._controls_of(meant):
            return joined
        return [index for text in parts for part in text.split(_CUT) for index in self._encode(part)]

    def _controls_of(self, token_ids: Sequence[int]) -> list[int]:
        return [index for index in token_ids if index in self._control_ids]

    def _encode(self, text: str) -> list[int]:
        return self.core.encode(text, add_special_tokens=False).ids

    def _disarm(self, text: str) -> str:
        text = _UNENCODABLE.sub("\ufffd", text)
        if self._control is None:
            return text
        cut = self._control.sub(_CUT, text)
        if cut == text and self.core.normalizer is None:
            return cut
        # A normaliser may still turn other characters into a control token (full-width forms, for example).
        if any(self._control_ids.intersection(self._encode(part)) for part in cut.split(_CUT)):
            return _CUT.join(text)
        return cut


def parse_tokenizer(definition: str) -> tokenizers.Tokenizer:
    """The tokenizer that `tokenizer.json` describes, without truncation or padding. Raises ModelLoadError."""
    try:
        core = tokenizers.Tokenizer.from_str(definition)
    except Exception as error:  # the library raises nothing narrower
        raise ModelLoadError(
            "tokenizer.json of the model is damaged or of an unknown kind. Download the model again."
        ) from error
    core.no_truncation()
    core.no_padding()
    return core


def read_tokenizer(spec: ModelSpec) -> HfTokenizer:
    """The tokenizer of a model folder, with the plain template that its row names, if it names one.

    Raises ModelLoadError.
    """
    return HfTokenizer(read_tokenizer_files(spec.path, str(spec.engine_options.get("template", ""))))


def _is_bracketed(text: str) -> bool:
    return re.fullmatch(r"<.*>|\[.*\]", text, re.DOTALL) is not None
