"""A model folder that sits the exam: tokenizer, prompts, engine and sampling are the playground's own."""

import statistics
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from playground.catalog.spec import ModelSpec
from playground.chat.prompting import build
from playground.domain import FinishReason, Loading, Message, Queued, SamplingParams
from playground.engines.contract import EngineOptions
from playground.engines.onnx_engine import load_onnx_engine
from playground.engines.tokenizer import read_tokenizer
from training.chat.exam import LANGUAGES, Mark, Question

GREEDY = "temperature 0"
USUAL = "temperature 0.3, top-p 0.9"
LONGEST = 160
SETTINGS = {
    GREEDY: SamplingParams(temperature=0.0, max_tokens=LONGEST),
    USUAL: SamplingParams(temperature=0.3, top_p=0.9, max_tokens=LONGEST),
}
STREAMS = 16
CACHE_MB = 512


@dataclass(frozen=True)
class Speed:
    """Medians over single answers, one after the other: seconds to the first token, and tokens per second after it."""

    first_token: float
    tokens_per_second: float


@dataclass(frozen=True)
class Sitting:
    """The exam of one form of a model: its marks by setting, and its speed."""

    marks: dict[str, tuple[Mark, ...]]
    speed: Speed


@dataclass(frozen=True)
class Reply:
    """An answer with how long its first token took, in seconds, and how fast the others came (None: too few)."""

    text: str
    first_token: float
    tokens_per_second: float | None


def unheard(news: Loading | Queued | str) -> None:
    """Drop news of loading or of progress."""


class Candidate:
    """A loaded model folder. It answers many conversations at once; as many earlier turns are kept as fit its context.

    `threads` 0 lets the engine choose. Use it in a `with` block, which ends the engine.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.spec = ModelSpec(
            id=folder.name,
            name=folder.name,
            family="",
            engine="onnx",
            context_length=0,
            description={},
            licence="",
            languages=LANGUAGES,
            path=folder,
        )
        options = EngineOptions(threads=threads, max_batch=STREAMS, kv_cache_mb=CACHE_MB)
        self.engine = load_onnx_engine(self.spec, options, unheard)
        self.tokenizer = read_tokenizer(self.spec)

    def __enter__(self) -> "Candidate":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.close()

    def reply(self, branch: Sequence[Message], params: SamplingParams, system: str = "") -> Reply:
        """The answer to a conversation that ends with a question."""
        context = self.engine.capabilities.context_length
        built = build(branch, self.spec, params, system_prompt=system, tokenizer=self.tokenizer, context_length=context)
        deltas = list(self.engine.generate(built.prompt, built.params))
        usage, timings = deltas[-1].usage, deltas[-1].timings
        text = "".join(delta.text for delta in deltas)
        if usage is None or timings is None:
            return Reply(text, 0.0, None)
        return Reply(text, timings.first_token, timings.tokens_per_second(usage.completion_tokens))

    def hold(self, question: Question, params: SamplingParams) -> Mark:
        """Say the turns one by one, with the model's own answers between. The seed follows the question."""
        seeded = replace(params, seed=zlib.crc32("\n".join(question.turns).encode()))
        branch: list[Message] = []
        answers: list[str] = []
        for turn in question.turns:
            branch.append(Message("user", turn))
            answers.append(self.reply(branch, seeded, question.system).text)
            branch.append(Message("assistant", answers[-1], finish_reason=FinishReason.STOP))
        return Mark(question, tuple(answers))

    def sit(self, questions: Sequence[Question], setting: str, report: Callable[[int], None]) -> tuple[Mark, ...]:
        """Hold many conversations at once in one of the settings, and report how many are through."""
        marks: list[Mark] = []
        with ThreadPoolExecutor(STREAMS) as pool:
            for mark in pool.map(lambda question: self.hold(question, SETTINGS[setting]), questions):
                marks.append(mark)
                report(len(marks))
        return tuple(marks)

    def time(self, questions: Iterable[str]) -> Speed:
        """How fast single questions are answered when nothing else is asked."""
        replies = [self.reply([Message("user", question)], SETTINGS[GREEDY]) for question in questions]
        rates = [reply.tokens_per_second for reply in replies if reply.tokens_per_second is not None]
        return Speed(statistics.median(reply.first_token for reply in replies), statistics.median(rates or [0.0]))
