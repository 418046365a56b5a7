"""Answers that keep to a JSON schema: which tokens may come next.

`llguidance` reads the schema and follows the answer byte by byte; of the logits of every step only those are left whose
tokens can still become a document that the schema allows. The answer is written on one line, as `json.dumps` writes:
where white space is free, small models write little else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from playground.engines.detokenizer import Vocabulary
from playground.engines.landing import Lander, Place, allowed_bits
from playground.engines.sampling import Logits
from playground.errors import BadSchema, NoSchemas

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer
    from llguidance._lib import JsonCompileOptions

MOST_CHARACTERS = 32_768
"""The longest schema, as JSON text."""
_MOST_REASON = 200
_NEAR_TOKENS = 32
_STYLE: JsonCompileOptions = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "coerce_one_of": False,
    "lenient": False,
}
# Its settings for a schema may stand in the schema itself; whoever sends one does not choose them.
_OWN_SETTINGS = "x-guidance"


class Grammar:
    """What one answer of at most `limit` tokens may go on with. Belongs to the thread that computes.

    While there are tokens enough, the model is free within the schema. Near the limit what it chose is taken only if
    the document can still be ended behind it: so an answer ends as a whole document wherever the limit leaves room for
    one.
    """

    def __init__(self, matcher: LLMatcher, tokens: Sequence[bytes], lander: Lander, limit: int) -> None:
        self._matcher = matcher
        self._tokens = tokens
        self._lander = lander
        self._remaining = limit
        self._place = Place()
        shortest = lander.measure(matcher, self._place, limit)
        # So many tokens before the end it begins to be looked whether there is room; None: there is none in any case.
        self._near = None if shortest is None else 2 * shortest + _NEAR_TOKENS

    @property
    def complete(self) -> bool:
        """Whether the answer is a document that the schema allows."""
        return bool(self._matcher.is_accepting())

    def hold(self, logits: Logits) -> Logits:
        """A copy of the logits [vocabulary] in which tokens that may not follow are -inf.

        Where the document is complete, tokens that end the answer are among those that may. Raises BadSchema when
        working that out takes more than a step is given.
        """
        bits = allowed_bits(self._matcher)
        self._check()
        allowed = np.unpackbits(bits, count=len(logits), bitorder="little")
        return np.where(allowed, logits, np.asarray(-np.inf, logits.dtype))

    def take(self, token: int) -> int:
        """Go on with this token, or with one that leaves room to end the document; says with which.

        Raises BadSchema for a token that may not follow.
        """
        if self._near is not None and self._remaining <= self._near:
            token = self._with_room(token)
        self._matcher.consume_token(token)
        self._check()
        self._place.advance(self._tokens[token])
        self._remaining -= 1
        return token

    def _with_room(self, token: int) -> int:
        ahead, place = self._matcher.deep_copy(), replace(self._place)
        if ahead.consume_token(token):
            place.advance(self._tokens[token])
            if ahead.is_stopped() or self._lander.measure(ahead, place, self._remaining - 1) is not None:
                return token
        sooner = self._lander.choose(self._matcher, self._place)
        return token if sooner is None else sooner

    def _check(self) -> None:
        if self._matcher.is_error():
            raise BadSchema("The schema is too costly to keep to. Make it simpler: fewer patterns and choices.")


class GrammarMaker:
    """Grammars for the answers of one model. Safe to use from many threads; nothing is made before it is asked."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._made: tuple[LLTokenizer, _Tokens, Lander] | None = None

    def make(self, schema: str, limit: int, beginning: Sequence[int] = ()) -> Grammar:
        """A grammar for one answer of at most `limit` more tokens, which has a beginning already.

        Raises BadSchema as `check_schema` does, NoSchemas for a model that cannot end its answers.
        """
        from llguidance import LLMatcher  # noqa: PLC0415

        tokenizer, tokens, lander = self._parts()
        matcher = LLMatcher(tokenizer, _compiled(schema), log_level=0, limits=_limits())
        if matcher.is_error():
            raise _refused(matcher.get_error())
        grammar = Grammar(matcher, tokens.tokens, lander, limit + len(beginning))
        for token in beginning:
            grammar.take(token)
        return grammar

    def _parts(self) -> tuple[LLTokenizer, _Tokens, Lander]:
        from llguidance import LLTokenizer  # noqa: PLC0415

        eos_ids = self._vocabulary.eos_ids
        if not eos_ids:
            raise NoSchemas("This model has no token that ends an answer, so its answers keep to no schema.")
        with self._lock:
            if self._made is None:
                tokens: Any = _Tokens(self._vocabulary)
                made = LLTokenizer(tokens, n_vocab=self._vocabulary.size, eos_token=sorted(eos_ids))
                self._made = made, tokens, Lander(tokens.tokens, eos_ids)
            return self._made


def check_schema(schema: str) -> None:
    """Nothing, when answers can be held to this schema (JSON text).

    Raises BadSchema with the reason: it is too long, is no schema, asks for what cannot be kept to token by token,
    or allows nothing at all. Nothing is fetched for a reference.
    """
    from llguidance import LLMatcher  # noqa: PLC0415

    if reason := LLMatcher.validate_grammar(_compiled(schema), limits=_limits()):
        raise _refused(reason)


def check_size(schema: str) -> None:
    """Nothing, when the schema is text and short enough to be read. Raises BadSchema."""
    if any("\ud800" <= character <= "\udfff" for character in schema):
        raise BadSchema("The schema has characters that are none (lone surrogates). Take them out.")
    if len(schema) > MOST_CHARACTERS:
        raise BadSchema(f"The schema has {len(schema):,} characters; at most {MOST_CHARACTERS:,} are read.")


def _compiled(schema: str) -> str:
    from llguidance import LLMatcher  # noqa: PLC0415

    check_size(schema)
    try:
        parsed = json.loads(schema)
        if isinstance(parsed, dict):
            parsed.pop(_OWN_SETTINGS, None)
        return str(LLMatcher.grammar_from_json_schema(json.dumps(parsed), overrides=_STYLE))
    except (ValueError, RecursionError):
        raise BadSchema("The schema cannot be read. Send a JSON schema that is not nested too deeply.") from None


def _limits() -> LLParserLimits:
    """What a schema may cost: about 20 ms to read, 15 ms a token, and some 50 MB while an answer is written."""
    from llguidance import LLParserLimits  # noqa: PLC0415

    return LLParserLimits(
        initial_lexer_fuel=1_000_000,
        step_lexer_fuel=200_000,
        step_max_items=50_000,
        max_lexer_states=25_000,
        max_grammar_size=100_000,
        verbose_errors=False,
    )


def _refused(reason: str) -> BadSchema:
    """The library's reason, without the pattern that it quotes when one cannot be read."""
    told = next((line for line in reason.splitlines() if line.startswith("error: ")), reason.split("\n", 1)[0])
    told = told.removeprefix("error: ")[:_MOST_REASON].rstrip(". ")
    return BadSchema(f"Answers cannot be held to this schema: {told}. Change it, or ask without one.")


class _Tokens:
    """What `llguidance` wants to know of a tokenizer. Answers come as tokens, so nothing is ever tokenised here."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.is_tokenizer_wrapper = True
        self.tokens = [vocabulary.table.bytes_of([index]) for index in range(vocabulary.size)]
        self.special_token_ids = sorted(vocabulary.eos_ids)
        self.eos_token_id = self.special_token_ids[0]
        self.bos_token_id = None
        self._by_byte = {token: index for index, token in enumerate(self.tokens) if len(token) == 1}

    def __call__(self, text: str | bytes) -> list[int]:
        data = text.encode() if isinstance(text, str) else text
        return [self._by_byte[byte] for byte in (data[at : at + 1] for at in range(len(data))) if byte in self._by_byte]
