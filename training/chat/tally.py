"""Shares of right answers with their intervals, and the bars they are held against."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from training.chat.candidate import GREEDY, USUAL, Sitting
from training.chat.exam import DIALOGUES, IN_SCOPE, LANGUAGES, OUTSIDE, SETS, Mark

Results = dict[str, Sitting]
BOTH = "both"
EIGHT = 8
IN_SCOPE_ROW, DECLINED_ROW, EIGHTH_ROW = "in scope, all topics", "outside: declined", "eighth answer of a chat"
LANGUAGE_ROW, WORDS_ROW = "language of the question kept", "no garbled word"
INT4_LOSS = 0.02


@dataclass(frozen=True)
class Result:
    """How many of the questions of a kind went right, in a language or in both."""

    name: str
    language: str
    right: int
    asked: int

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / self.asked if self.asked else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (Wilson 1927) of the share, at 95 %."""
        if not self.asked:
            return 0.0, 1.0
        found = binomtest(self.right, self.asked).proportion_ci(confidence_level=0.95, method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.1%} ({low:.0%} to {high:.0%})"


@dataclass(frozen=True)
class Bar:
    """What a share has to reach."""

    name: str
    language: str
    least: float


BARS = (
    Bar(IN_SCOPE_ROW, "en", 0.88),
    Bar(IN_SCOPE_ROW, "vi", 0.88),
    Bar(DECLINED_ROW, "en", 0.90),
    Bar(DECLINED_ROW, "vi", 0.85),
    Bar(EIGHTH_ROW, BOTH, 0.75),
    Bar(LANGUAGE_ROW, BOTH, 0.97),
    Bar(WORDS_ROW, BOTH, 1.0),
)


def count(
    name: str, language: str, marks: Iterable[Mark], passed: Callable[[Mark], bool] = lambda mark: mark.right
) -> Result:
    """How many of the marks pass, of those in the language."""
    asked = [mark for mark in marks if language in (BOTH, mark.question.language)]
    return Result(name, language, sum(map(passed, asked)), len(asked))


def tally(marks: Sequence[Mark]) -> list[Result]:
    """Every share that is shown: by topic and language, then those that have bars."""
    topics = list(dict.fromkeys(mark.question.topic for mark in marks))
    of_topic = {topic: [mark for mark in marks if mark.question.topic == topic] for topic in topics}
    named = [(DECLINED_ROW if topic == OUTSIDE else topic, of_topic[topic]) for topic in topics]
    rows = [count(name, language, group) for name, group in named for language in LANGUAGES]
    scope = [mark for mark in marks if mark.question.topic in IN_SCOPE]
    rows += [count(IN_SCOPE_ROW, language, scope) for language in LANGUAGES]
    eighth = [mark for mark in of_topic.get(DIALOGUES, ()) if len(mark.question.turns) == EIGHT]
    own = [mark for mark in marks if mark.question.topic in SETS]
    worded = [mark for mark in own if mark.worded]
    rows.append(count(EIGHTH_ROW, BOTH, eighth))
    rows.append(count(LANGUAGE_ROW, BOTH, worded, lambda mark: mark.language_kept))
    rows.append(count(WORDS_ROW, BOTH, own, lambda mark: not mark.garbled))
    return [row for row in rows if row.asked]


def render_table(results: Results, setting: str) -> str:
    """A Markdown table of one setting, with one column for each form of the model."""
    rows = [f"| questions | language | asked | {' | '.join(results)} |", f"|---|---|--:|{'--:|' * len(results)}"]
    columns = [tally(sitting.marks[setting]) for sitting in results.values()]
    for parts in zip(*columns, strict=True):
        first = parts[0]
        rows.append(f"| {first.name} | {first.language} | {first.asked} | {' | '.join(map(str, parts))} |")
    return "\n".join(rows)


def render_tables(results: Results) -> str:
    """The tables of both settings."""
    return "\n\n".join(f"At {setting}:\n\n{render_table(results, setting)}" for setting in (GREEDY, USUAL))


def verdicts(results: Results) -> list[str]:
    """A line for each bar, form and setting: whether it is met. The share itself is compared, not its interval."""
    lines = []
    for setting in (GREEDY, USUAL):
        for form, sitting in results.items():
            found = {(row.name, row.language): row for row in tally(sitting.marks[setting])}
            lines += [
                verdict(row.share >= bar.least, f"{form}, {setting}: {describe(row, bar)}")
                for bar in BARS
                if (row := found.get((bar.name, bar.language)))
            ]
        lines += [verdict(loss <= INT4_LOSS, text) for loss, text in losses(results, setting)]
    return lines


def describe(row: Result, bar: Bar) -> str:
    """A share beside its bar."""
    return f"{row.name} ({row.language}) {row}, at least {bar.least:.0%}"


def verdict(met: bool, text: str) -> str:
    """One line about a bar."""
    return f"{'met   ' if met else 'missed'} {text}"


def losses(results: Results, setting: str) -> list[tuple[float, str]]:
    """What the smaller forms lose against fp32 over all questions inside the scope, as a share."""
    shares = {}
    for form, sitting in results.items():
        scope = [mark for mark in sitting.marks[setting] if mark.question.topic in IN_SCOPE]
        shares[form] = count(IN_SCOPE_ROW, BOTH, scope).share
    full = shares.pop("fp32", None)
    if full is None:
        return []
    lost = [(full - share, form) for form, share in shares.items()]
    return [(loss, f"{form}, {setting}: {100 * loss:+.1f} points lost against fp32, at most 2") for loss, form in lost]
