"""The diary of a training run: losses, and what the model says at each stage.

``python -m training.chat.diary --run DIR --out FILE.svg`` draws its curve and prints what was said.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import torch
from tokenizers import Tokenizer
from torch.nn import Module

from training.chat.corpus import END, token_id
from training.chat.template import prompt_ids
from training.console import say

DIARY_FILE = "diary.jsonl"
QUESTIONS = ("What is a token?", "Thủ đô của Nhật Bản là gì?", "Who won the election?")
LONGEST = 40
WIDTH, HEIGHT, MARGIN = 640, 260, 48
COLOURS = {"answers": "#0f766e", "held-out wordings": "#b45309"}


@dataclass(frozen=True)
class Entry:
    """One look at a run: the loss of answers now, and on wordings kept back; answers to the questions above.

    ``right`` is the share of right answers to wordings kept back, where it was counted.
    """

    step: int
    minutes: float
    tokens: int
    reads: str
    loss: float
    held_out: float
    says: tuple[str, ...]
    right: float | None = None


def speak(model: Module, tokenizer: Tokenizer, question: str) -> str:
    """The model's greedy answer to a question, at most forty tokens long."""
    ids = prompt_ids(tokenizer, [("user", question)])
    start, end = len(ids), token_id(tokenizer, END)
    with torch.no_grad():
        while len(ids) < start + LONGEST:
            scores = model(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64))
            token = int(scores[0, -1].argmax())
            if token == end:
                break
            ids.append(token)
    text: str = tokenizer.decode(ids[start:])
    return text


def write(folder: Path, entry: Entry) -> None:
    """Add an entry to the diary of a run."""
    with (folder / DIARY_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")


def read(folder: Path) -> list[Entry]:
    """The entries of a run's diary. Raises FileNotFoundError where there is none."""
    lines = (folder / DIARY_FILE).read_text(encoding="utf-8").splitlines()
    return [Entry(**(row | {"says": tuple(row["says"])})) for row in map(json.loads, lines)]


def draw(entries: Sequence[Entry]) -> str:
    """The two losses over the minutes, as an SVG."""
    last = max(entry.minutes for entry in entries) or 1
    top = max(max(entry.loss, entry.held_out) for entry in entries) or 1
    shown = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for part in range(5):
        y = MARGIN / 2 + (HEIGHT - 1.5 * MARGIN) * part / 4
        shown.append(f'<line x1="{MARGIN}" y1="{y:.0f}" x2="{WIDTH - 12}" y2="{y:.0f}" stroke="#e5e7eb"/>')
        shown.append(f'<text x="{MARGIN - 8}" y="{y + 4:.0f}" text-anchor="end">{top * (4 - part) / 4:.1f}</text>')
    curves = {"answers": [entry.loss for entry in entries], "held-out wordings": [entry.held_out for entry in entries]}
    for place, (name, values) in enumerate(curves.items()):
        points = " ".join(
            f"{MARGIN + (WIDTH - MARGIN - 12) * entry.minutes / last:.1f},"
            f"{MARGIN / 2 + (HEIGHT - 1.5 * MARGIN) * (1 - value / top):.1f}"
            for entry, value in zip(entries, values, strict=True)
        )
        shown.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        shown.append(
            f'<text x="{WIDTH - 12}" y="{36 + 18 * place}" text-anchor="end" fill="{COLOURS[name]}">{name}</text>'
        )
    shown.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">minutes (0 to {last:.0f})</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape("Loss of answers and of held-out wordings over the minutes of training")}" '
        f'font-family="sans-serif" font-size="12" fill="#374151">{"".join(shown)}</svg>\n'
    )


def render(entries: Sequence[Entry]) -> str:
    """What the model said, as Markdown: one section for each entry."""
    parts = []
    for entry in entries:
        right = "" if entry.right is None else f", {entry.right:.0%} right"
        parts.append(
            f"After {entry.minutes:.1f} minutes ({entry.reads}, {entry.tokens:,} tokens, loss {entry.loss:.2f}{right}):"
        )
        parts.append("")
        parts += [f"- *{question}* {answer!r}" for question, answer in zip(QUESTIONS, entry.says, strict=True)]
        parts.append("")
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.chat.diary", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the folder of a training run")
    parser.add_argument("--out", type=Path, help="where to write the curve, an SVG")
    options = parser.parse_args(arguments)
    try:
        entries = read(options.run)
    except FileNotFoundError:
        sys.exit(f"There is no diary in {options.run}: train first, with python -m training.chat --out {options.run}.")
    if options.out:
        options.out.write_text(draw(entries), encoding="utf-8")
    say(render(entries))


if __name__ == "__main__":
    main()
