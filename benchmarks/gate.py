"""The gate's cost per character: the output guard fed in deltas of four characters, and the check of typed text.

The bar is that the cost is constant: per kind of text, the dearest length costs at most 1.5 times the cheapest one.
CPU time is counted, the best of several runs, so that a busy machine does not blur the ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.rows import Row
from playground.moderation.moderator import PolicyModerator, build_moderator

ENGLISH = (
    "A language model predicts the next token from the ones before it. Training adjusts billions of numbers, and the "
    "result is a program that continues text; it can also follow instructions, if it was shown enough examples. "
)
VIETNAMESE = (
    "Mô hình ngôn ngữ dự đoán từ tiếp theo dựa trên những từ đứng trước. Quá trình huấn luyện điều chỉnh hàng tỉ con "
    "số, và kết quả là một chương trình viết tiếp văn bản; nó cũng làm theo chỉ dẫn, nếu được xem đủ ví dụ. "
)
KINDS = {"English": ENGLISH, "Vietnamese": VIETNAMESE, "no boundary": "a", "zalgo": "e" + "\u0301\u0336" * 10}
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
DELTA = 4


def measure() -> Iterator[Row]:
    """Microseconds of CPU per character, and how constant they are."""
    gate = build_moderator("standard")
    for name, run in (("guard", run_guard), ("check_input", run_check)):
        for kind, unit in KINDS.items():
            costs = [_cost(run, gate, (unit * (length // len(unit) + 1))[:length]) for length in LENGTHS]
            for length, cost in zip(LENGTHS, costs, strict=True):
                yield Row(f"gate: {name}, {kind}, {length:,} characters", cost, "us/character")
            yield Row(f"gate: {name}, {kind}, dearest length to cheapest", max(costs) / min(costs), "x", 1.5, False)


def run_guard(gate: PolicyModerator, text: str) -> None:
    """Stream the whole text through a new guard."""
    guard = gate.guard()
    for start in range(0, len(text), DELTA):
        guard.feed(text[start : start + DELTA])
    guard.finish()


def run_check(gate: PolicyModerator, text: str) -> None:
    """Check the whole text as typed."""
    gate.check_input(text)


def _cost(run: Callable[[PolicyModerator, str], None], gate: PolicyModerator, text: str) -> float:
    """The least CPU time per character over repetitions that take about 300,000 characters, at least two."""
    best = float("inf")
    for _ in range(max(2, 300_000 // len(text))):
        began = time.process_time()
        run(gate, text)
        best = min(best, time.process_time() - began)
    return best / len(text) * 1e6
