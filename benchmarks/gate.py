"""The gate's cost per character: the output guard fed in deltas of four characters, and the check of typed text.

The bar is that the cost is constant: per kind of text, the dearest length costs at most 1.5 times the cheapest one.
CPU time is counted, the best of several runs, so that a busy machine does not blur the ratio.

The cues of attacks are looked for through an index; its gain is measured against searching with each pattern in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.rows import Row
from playground.moderation.attack_cues import load_cues
from playground.moderation.moderator import PolicyModerator, build_moderator
from playground.moderation.openings import PatternIndex

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
    for kind in ("English", "Vietnamese"):
        yield Row(f"gate: cues, {kind}, one by one to indexed", _gain_of_index(KINDS[kind]), "x", 4.0)


def _gain_of_index(unit: str, length: int = 20_000) -> float:
    """How many times the CPU time of the index it takes to search with every pattern of the cues."""
    patterns = [pattern for cue in load_cues().cues for pattern in cue.patterns]
    index, text = PatternIndex(patterns), (unit * (length // len(unit) + 1))[:length].lower()

    def one_by_one() -> None:
        for pattern in patterns:
            list(pattern.finditer(text))

    return _least_cpu(one_by_one) / _least_cpu(lambda: list(index.matches(text)))


def _least_cpu(work: Callable[[], object], times: int = 5) -> float:
    """The least CPU time in seconds over some repetitions."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


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
    return _least_cpu(lambda: run(gate, text), max(2, 300_000 // len(text))) / len(text) * 1e6
