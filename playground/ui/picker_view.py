"""The models to choose from as plain data. No Gradio here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from playground.catalog.hub import HubRow
from playground.catalog.memory_plan import MemoryPlan
from playground.catalog.spec import ModelSpec
from playground.domain import Download, Queued
from playground.engines.choice import EngineChoice
from playground.engines.contract import ServerHealth
from playground.library.jobs import JobView
from playground.library.library import ModelState
from playground.ui.notice_view import failure_sentence
from playground.ui.words import Words

State = Literal["loaded", "loading", "ready", "absent", "partly", "working", "unavailable"]
Servers = tuple[ServerHealth, ...]
Facts = tuple[tuple[str, str], ...]
_LIBRARIES = {"onnx": "ONNX Runtime", "torch": "PyTorch"}  # names, the same in every language


@dataclass(frozen=True, slots=True)
class JobLine:
    """What is being done to make a model ready; `fraction` is 0 to 1, None when it cannot be told."""

    text: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One card. `facts` are (what it is, short text); `tags` are those the page has words for.

    `location` is where what people write goes: empty for this machine, else the names of other machines. `fetch` is
    what the button says that brings the model here, empty when there is nothing to bring. `plan` says whether it fits
    into the memory, `note` is a sentence to read before choosing it. `removable`: its files can be deleted.
    """

    id: str
    name: str
    family: str
    description: str
    state: State
    facts: Facts
    tags: Facts
    location: str = ""
    link: str = ""
    plan: tuple[str, str] | None = None
    fetch: str = ""
    note: str = ""
    removable: bool = False
    job: JobLine | None = None


@dataclass(frozen=True, slots=True)
class FoundCard:
    """A model that a search of the Hub found."""

    repo: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the models right now, by id: where they are, what is loaded, what is being done.

    `choices` tell which engine runs a model, on what and how precisely, `plans` what it would take of the memory;
    `speeds` are tokens per second as measured on this machine.
    """

    states: Mapping[str, ModelState] = field(default_factory=dict)
    loaded: Mapping[str, State] = field(default_factory=dict)
    servers: Mapping[str, Servers] = field(default_factory=dict)
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    choices: Mapping[str, EngineChoice] = field(default_factory=dict)
    plans: Mapping[str, MemoryPlan] = field(default_factory=dict)
    speeds: Mapping[str, float] = field(default_factory=dict)
    operator: bool = False


def choosable(specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """The models that people may ask: guard models judge texts, and are not for that."""
    return [spec for spec in specs if spec.offered]


def model_cards(specs: Iterable[ModelSpec], now: Situation, words: Words) -> tuple[ModelCard, ...]:
    """All cards: what can answer at once first, else in the order of the catalogue."""
    cards = [_card(spec, now, words) for spec in specs]
    return tuple(sorted(cards, key=lambda card: card.state not in {"loaded", "loading", "ready"}))


def _card(spec: ModelSpec, now: Situation, words: Words) -> ModelCard:
    state = card_state(spec.id, now)
    job = now.jobs.get(spec.id)
    absent = state in {"absent", "partly"}
    note = _job_error(job, words) or (words("picker.gated") if absent and spec.gated else "")
    return ModelCard(
        id=spec.id,
        name=spec.name,
        family=spec.family,
        description=spec.description.get(words.language) or spec.description.get("en", ""),
        state=state,
        facts=(*_facts(spec, now, words), *_servers(now.servers.get(spec.id, ()), words)),
        tags=tuple((tag, words.find(f"tag.{tag}") or tag) for tag in (*spec.tags, *spec.tasks)),
        location=", ".join(spec.hosts),
        link=spec.link,
        plan=_plan_line(now.plans.get(spec.id), state, words),
        fetch=words(f"picker.fetch_{state}") if absent and now.operator else "",
        note=note,
        removable=now.operator and now.states.get(spec.id) in {ModelState.HERE, ModelState.PARTLY},
        job=job_line(job, words) if job is not None and not job.done else None,
    )


def card_state(model_id: str, now: Situation) -> State:
    """One word for where a model is and what happens to it."""
    job = now.jobs.get(model_id)
    if job is not None and not job.done:
        return "working"
    if model_id in now.loaded:
        return now.loaded[model_id]
    where = now.states.get(model_id, ModelState.SHIPPED)
    if where is ModelState.ABSENT:
        return "absent"
    return "partly" if where is ModelState.PARTLY else "ready"


def job_line(job: JobView, words: Words) -> JobLine:
    """What a job is doing, with its numbers where it has any."""
    if isinstance(job.news, Queued):
        return JobLine(words("live.queued", position=job.news.position), None)
    if job.news.download is not None:
        return JobLine(download_line(job.news.download, words), job.news.fraction)
    return JobLine(words(f"picker.{job.news.stage.value}"), job.news.fraction)


def download_line(download: Download, words: Words) -> str:
    """Bytes, speed and the time that is left."""
    done, total = short_size(download.done, words), short_size(download.total, words)
    text = words("picker.download", done=done, total=total)
    if download.speed <= 0:
        return text
    text += words("picker.download_speed", speed=short_size(round(download.speed), words))
    if download.seconds_left is None:
        return text
    minutes = download.seconds_left / 60
    if minutes < 1:
        return text + words("picker.download_seconds", count=words.number(max(1, download.seconds_left)))
    return text + words("picker.download_minutes", count=words.number(minutes))


def _plan_line(plan: MemoryPlan | None, state: State, words: Words) -> tuple[str, str] | None:
    """How the plan looks (its verdict), and its sentence with the numbers; nothing of a model that is loaded."""
    if plan is None or state in {"loaded", "loading"}:
        return None
    needed, free = short_size(plan.total_bytes, words), short_size(plan.free_bytes, words)
    numbers = words("plan.numbers", needed=needed, free=free)
    sentence = words(f"plan.{plan.verdict.value}", context=words.number(plan.context_length))
    return plan.verdict.value, f"{sentence} {numbers}"


def _job_error(job: JobView | None, words: Words) -> str:
    """Why the last try failed; being stopped is no failure."""
    if job is None or job.error is None or job.error.code == "cancelled":
        return ""
    return failure_sentence(job.error.code, str(job.error), words)


def found_cards(rows: Sequence[HubRow], words: Words) -> tuple[FoundCard, ...]:
    """What a search of the Hub found, in its order."""
    return tuple(FoundCard(row.repo, _found_facts(row, words)) for row in rows)


def _found_facts(row: HubRow, words: Words) -> Facts:
    facts: list[tuple[str, str]] = []
    if row.parameters:
        facts.append((words("model.parameters"), _parameters(row.parameters, words)))
    if row.licence:
        facts.append((words("model.licence"), row.licence))
    facts.append((words("model.downloads"), words("model.downloads_value", value=short_count(row.downloads, words))))
    if row.gated:
        facts.append((words("model.gated"), words("model.gated")))
    return tuple(facts)


def _parameters(count: int, words: Words) -> str:
    return words("model.parameters_value", value=short_count(count, words))


def _facts(spec: ModelSpec, now: Situation, words: Words) -> Facts:
    facts: list[tuple[str, str]] = []
    if spec.servers:
        facts.append((words("model.location"), ", ".join(spec.hosts) or words("model.location_here")))
    if spec.parameters:
        facts.append((words("model.parameters"), _parameters(spec.parameters, words)))
    if spec.size_bytes:
        facts.append((words("model.size"), short_size(spec.size_bytes, words)))
    if spec.context_length:
        length = words("model.context_value", value=words.number(spec.context_length))
        facts.append((words("model.context"), length))
    if spec.languages:
        languages = ", ".join(words.find(f"model.{code}") or code for code in spec.languages)
        facts.append((words("model.languages"), languages))
    if spec.id in now.choices:
        facts.append((words("model.runs"), _runs(now.choices[spec.id], words)))
    elif spec.precision:
        facts.append((words("model.precision"), spec.precision))
    facts.append((words("model.licence"), spec.licence))
    if spec.gated:
        facts.append((words("model.gated"), words("model.gated")))
    if spec.id in now.speeds:
        speed = words("model.speed_value", value=words.number(now.speeds[spec.id]))
        facts.append((words("model.speed"), speed))
    return tuple(facts)


def _runs(choice: EngineChoice, words: Words) -> str:
    """Said aloud: "int4 on CPU, ONNX Runtime"."""
    engine = _LIBRARIES.get(choice.engine) or words.find(f"engine.{choice.engine}") or choice.engine
    if choice.device is None:
        return engine
    return words("model.runs_value", precision=choice.precision, device=choice.device.upper(), engine=engine)


def _servers(servers: Servers, words: Words) -> Facts:
    """How many answer; each of them in the fact's hint."""
    if not servers:
        return ()
    up = words.number(sum(server.up for server in servers))
    hint = "\n".join(_server_line(server, words) for server in servers)
    return ((hint, words("model.servers_value", up=up, count=words.number(len(servers)))),)


def _server_line(server: ServerHealth, words: Words) -> str:
    if not server.up:
        since = f"{server.since:%Y-%m-%d %H:%M:%S} UTC"
        return words("model.server_down", server=server.label, since=since, error=server.error)
    if server.first_token is None:
        return words("model.server_new", server=server.label)
    first, busy = words.number(server.first_token, 2), words.number(server.in_flight)
    return words("model.server_up", server=server.label, busy=busy, first=first)


def short_count(count: int, words: Words) -> str:
    """5,500,000 as 5.5M."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return words.number(count / size, 0 if count >= 100 * size else 1) + letter
    return words.number(count)


def short_size(size_bytes: int, words: Words) -> str:
    """A size in decimal units, as disks are sold."""
    for size, unit in ((10**9, "GB"), (10**6, "MB")):
        if size_bytes >= size:
            return f"{words.number(size_bytes / size, 1)} {unit}"
    return f"{words.number(size_bytes / 1000)} kB"
