"""Plain text to read before the dialogues: paragraphs of Markdown pages, packed into rows."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from training.chat.corpus import PAD, Place, Rows, batches_of, pack, token_id

SUFFIXES = frozenset({".md", ".mdx"})
LANGUAGES = frozenset({"en", "vi"})
LEAST_LETTERS = 0.7
# Two letters that name a folder's language on the way to a page, as in `units/vi/unit1.mdx`.
LANGUAGE_FOLDER = re.compile(r"^[a-z]{2}(-[A-Za-z]{2,3})?$")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
NOISE = (
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"<[^<>]*>", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[\[[^\]]*\]\]"), ""),
    (re.compile(r"\[([^\[\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[!\w+\]"), ""),
    (re.compile(r"[*_`$\\]+"), ""),
    (re.compile(r"^[#>\s|-]+", re.MULTILINE), ""),
    (re.compile(r"[ \t]+"), " "),
)


def paragraphs(page: str) -> Iterator[str]:
    """The paragraphs of a Markdown page that are mostly words: without code, markup, tables and pictures."""
    page = FENCE.sub("", page)
    for block in re.split(r"\n\s*\n", page):
        text = block
        for pattern, instead in NOISE:
            text = pattern.sub(instead, text)
        text = " ".join(text.split())
        letters = sum(letter.isalpha() for letter in text)
        if len(text) >= 40 and letters >= LEAST_LETTERS * len(text):
            yield text


def read_prose(folders: Sequence[Path]) -> list[list[str]]:
    """The pages under some folders, each as its paragraphs; pages in other languages than Pip's are left out.

    Raises FileNotFoundError if there is not a single page.
    """
    pages = []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
            spoken = {part for part in path.relative_to(folder).parts[:-1] if LANGUAGE_FOLDER.match(part)}
            if spoken <= LANGUAGES:
                pages.append(list(paragraphs(path.read_text(encoding="utf-8"))))
    if not any(pages):
        raise FileNotFoundError(f"no Markdown page with text under {', '.join(map(str, folders))}")
    return [page for page in pages if page]


@dataclass(frozen=True)
class Prose:
    """Endless packed rows of pages: pass n of a seed is always the same."""

    tokenizer: Tokenizer
    pages: Sequence[Sequence[str]]
    seed: int
    length: int

    def once(self, number: int) -> Rows:
        """All pages once, shuffled, cut into pieces of a row's length; each piece is read without its neighbours."""
        source = random.Random(self.seed * 1_000_003 + number)
        end = token_id(self.tokenizer, PAD)
        pieces: list[tuple[list[int], list[float]]] = []
        for encoded in self.tokenizer.encode_batch(["\n".join(page) for page in self.pages]):
            ids = [*encoded.ids, end]
            first = source.randrange(self.length)  # so that the cuts fall elsewhere each time
            for start in range(-first, len(ids), self.length):
                piece = ids[max(0, start) : start + self.length]
                pieces.append((piece, [1.0] * len(piece)))
        source.shuffle(pieces)
        return pack(pieces, self.length)

    def batches(self, place: Place, size: int) -> Iterator[Rows]:
        """Batches from a place on; the place moves along."""
        return batches_of(self.once, place, size)
