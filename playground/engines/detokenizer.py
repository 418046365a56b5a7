"""Tokens back to text while they come, never half a character."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers

from playground.errors import ModelLoadError

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenTable:
    """The bytes of every token. Control tokens have none: they are not part of the answer's text.

    Knows the two ways in which today's models write text: byte-level BPE, and SentencePiece pieces with byte fallback.
    Raises ModelLoadError for other kinds.
    """

    def __init__(self, core: tokenizers.Tokenizer) -> None:
        steps = _decoder_steps(json.loads(core.to_str())["decoder"])
        kinds = {step["type"] for step in steps}
        added = core.get_added_tokens_decoder()
        vocabulary = core.get_vocab(with_added_tokens=True)
        if kinds == {"ByteLevel"}:
            table = _byte_level_characters()
            pieces = {index: _byte_level_bytes(piece, table) for piece, index in vocabulary.items()}
        elif kinds and kinds <= {"Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"}:
            pieces = {index: _piece_bytes(piece) for piece, index in vocabulary.items()}
        else:
            raise ModelLoadError(
                f"The model's tokenizer decodes in a way that is not supported ({', '.join(sorted(kinds)) or 'none'}). "
                "Choose another model."
            )
        for index, token in added.items():
            pieces[index] = b"" if token.special else token.content.encode()
        self.strips_first_space = bool(kinds & {"Strip", "Metaspace"})
        self._pieces = [pieces.get(index, b"") for index in range(max(pieces, default=-1) + 1)]

    def bytes_of(self, token_ids: Sequence[int]) -> bytes:
        """The bytes of a run of tokens, joined; ids outside the vocabulary (padding of the output layer) have none."""
        pieces = self._pieces
        size = len(pieces)
        return b"".join([pieces[index] for index in token_ids if index < size])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an answer needs to know of the model: its tokens' bytes, which tokens end an answer, the logits' width."""

    table: TokenTable
    eos_ids: frozenset[int]
    size: int


class Detokenizer:
    """The text of one answer from its `start`, piece by piece. Invalid UTF-8 becomes U+FFFD, as in `tokenizers`."""

    def __init__(self, table: TokenTable, *, start: bool = True) -> None:
        self._table = table
        self._at_start = start and table.strips_first_space
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token_ids: Sequence[int]) -> str:
        """The text that became certain with these tokens."""
        text = self._decoder.decode(self._table.bytes_of(token_ids))
        if self._at_start and text:
            self._at_start = False
            return text.removeprefix(" ")
        return text

    def finish(self) -> str:
        """What is left: a character that never became whole."""
        return self._decoder.decode(b"", final=True)


def _decoder_steps(decoder: dict[str, Any] | None) -> list[dict[str, Any]]:
    if decoder is None:
        return []
    return decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]


def _byte_level_characters() -> dict[str, int]:
    """The printable character that stands for each byte in byte-level BPE (from GPT-2's encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def _byte_level_bytes(piece: str, table: dict[str, int]) -> bytes:
    try:
        return bytes([table[character] for character in piece])
    except KeyError:
        return piece.encode()


def _piece_bytes(piece: str) -> bytes:
    byte = _BYTE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("\u2581", " ").encode()
