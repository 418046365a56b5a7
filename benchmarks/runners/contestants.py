"""Who takes part, and the process that each one is."""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from benchmarks.checkpoint import built, cache, checkpoint, converted
from benchmarks.runners.answering import Figures, Task
from benchmarks.runners.environments import PeerMissing, llama_python, optimum_python, this_python

ROOT = Path(__file__).parents[2]
START_SECONDS = 600
TASK_SECONDS = 300

Command = Callable[[], Sequence[str]]


def _ours(precision: str) -> Sequence[str]:
    return _module(this_python(), "ours", str(converted(precision)))


def _llama_cpp(kind: str) -> Sequence[str]:
    python = llama_python()
    file = cache() / f"llama-135m-{kind}.gguf"
    if not file.exists():
        part = file.with_suffix(".part")
        write = _module(python, "gguf_file", str(checkpoint()), str(part), kind)
        done = subprocess.run(write, capture_output=True, text=True, cwd=ROOT, timeout=START_SECONDS, check=False)
        if done.returncode:
            raise PeerMissing(f"its model file could not be written ({done.stderr.strip()[-160:]})")
        part.rename(file)
    return _module(python, "llama_cpp", str(file))


def _transformers() -> Sequence[str]:
    return _module(this_python(), "transformers_generate", str(checkpoint()))


def _genai(precision: str) -> Sequence[str]:
    return _module(this_python(), "genai_generator", str(built(precision)))


def _optimum(precision: str) -> Sequence[str]:
    python = optimum_python(cache())
    return _module(python, "ort_model", str(checkpoint()), str(cache() / "optimum"), precision)


def _module(python: Path, name: str, *arguments: str) -> Sequence[str]:
    return [str(python), "-W", "ignore", "-m", f"benchmarks.runners.{name}", *arguments]


# The command without its last argument, the number of threads. Neighbours are compared with each other.
CONTESTANTS: Mapping[str, Command] = {
    "ours int4": lambda: _ours("int4"),
    "llama.cpp Q4_0": lambda: _llama_cpp("Q4_0"),
    "ours int8": lambda: _ours("int8"),
    "llama.cpp Q8_0": lambda: _llama_cpp("Q8_0"),
    "genai int4": lambda: _genai("int4"),
    "genai int8": lambda: _genai("int8"),
    "optimum fp32": lambda: _optimum("fp32"),
    "optimum int8": lambda: _optimum("int8"),
    "transformers fp32": _transformers,
}


@dataclass
class Contestant:
    """A running process that does one task at a time and sleeps in between."""

    name: str
    version: str
    process: subprocess.Popen[str]
    lines: queue.SimpleQueue[str]
    errors: IO[str]

    @classmethod
    def start(cls, name: str, threads: int) -> Contestant:
        """Start it and wait until its model is loaded. Raises PeerMissing with the reason."""
        command = [*CONTESTANTS[name](), str(threads)]
        errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  open while it runs
        process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        contestant = cls(name, "", process, queue.SimpleQueue(), errors)
        threading.Thread(target=contestant._listen, daemon=True).start()
        try:
            contestant.version = str(json.loads(contestant._hear(START_SECONDS))["version"])
        except PeerMissing:
            contestant.end()
            raise
        return contestant

    def run(self, task: Task) -> Figures:
        """Have it do a task. Raises PeerMissing when it died or is stuck."""
        if self.process.stdin is None:
            raise AssertionError("the pipe was asked for")
        try:
            self.process.stdin.write(json.dumps(asdict(task)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise PeerMissing(self._last_words()) from None
        return Figures(**json.loads(self._hear(TASK_SECONDS)))

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def _hear(self, seconds: float) -> str:
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise PeerMissing(f"it said nothing for {seconds:.0f} s") from None
        if not line:
            raise PeerMissing(self._last_words())
        return line

    def _listen(self) -> None:
        if self.process.stdout is None:
            raise AssertionError("the pipe was asked for")
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _last_words(self) -> str:
        code = self.process.wait()
        self.errors.seek(0)
        said = [line for line in self.errors if line.strip()] or ["without a word"]
        return f"it ended with code {code}: {said[-1].strip()[-160:]}"
