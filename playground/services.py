"""The only place where concrete classes meet: from settings to everything the page and the API use."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.engine import make_url

from playground.arena.battles import Ring
from playground.arena.parts import ArenaParts
from playground.arena.room import MachineRoom
from playground.arena.service import ArenaService
from playground.catalog.addresses import is_loopback
from playground.catalog.catalog import SHIPPED, Catalog
from playground.catalog.hub import Hub
from playground.catalog.hub_client import HubClient
from playground.catalog.machine import read_machine
from playground.catalog.own_rows import FILE as OWN_ROWS
from playground.catalog.spec import ModelSpec
from playground.chat.inspection import Inspector
from playground.chat.look_book import LookBook
from playground.chat.processes import Processes
from playground.chat.service import ChatService
from playground.chat.trail_book import TrailBook
from playground.config import Settings
from playground.domain import Direction, new_id
from playground.engines.architectures import native_types
from playground.engines.choice import Setup, choose_device, choose_engine, read_setup
from playground.engines.contract import EngineOptions, Progress
from playground.engines.conversion.job import convert
from playground.engines.lease import Lease
from playground.engines.pool import EnginePool
from playground.engines.registry import ENGINES, check_engine
from playground.errors import (
    ConfigError,
    DetectorUnavailable,
    ModelLoadError,
    PolicyError,
    StorageError,
    UnknownModel,
)
from playground.library.equipment import Equipment, Loaded
from playground.library.library import Library, ModelState
from playground.library.memory import MemoryPlanner
from playground.metrics import Metrics, Sources
from playground.moderation.contract import TextModel
from playground.moderation.fingerprint import KEY_FILE, SHORTEST_SECRET, Fingerprint, derive_key, load_key
from playground.moderation.guard_models.rows import GUARDS, load_guards
from playground.moderation.moderator import PolicyModerator, equip
from playground.moderation.own_rules import FILE as RULES_FILE
from playground.moderation.own_rules import OwnRulesDetector
from playground.moderation.policy import Policy, builtin_policies, load_policy
from playground.moderation.registry import DETECTORS, DetectorFactory, detoxify_factories, guard_factories
from playground.moderation.remote_endpoint import RemoteEndpointDetector
from playground.review.desk import ReportDesk
from playground.review.examination import Examiner
from playground.review.workbench import Workbench
from playground.storage.comparisons import ComparisonStore
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.duels import DuelStore
from playground.storage.keys import KeyStore
from playground.storage.marks import MarkStore
from playground.storage.migrations import migrate
from playground.storage.processes import ProcessStore
from playground.storage.reports import ReportStore
from playground.storage.sessions import SessionStore
from playground.storage.snapshots import Snapshots
from playground.storage.usage import UsageStore
from playground.storage.votes import VoteStore
from playground.storage.writing import WritingStore
from playground.text_models import EngineTextModel, Prepare

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What the faces of the house are given: the page, and the API."""

    settings: Settings
    catalog: Catalog
    pool: EnginePool
    guard_pool: EnginePool
    moderator: PolicyModerator
    decisions: DecisionStore
    chat: ChatService
    inspector: Inspector
    reports: ReportDesk
    workbench: Workbench
    database: Database
    library: Library
    arena: ArenaService
    keys: KeyStore
    metrics: Metrics
    snapshots: Snapshots | None = None
    usage: UsageStore | None = None
    sessions: SessionStore | None = None

    @property
    def lasting(self) -> bool:
        """Whether what is stored outlives the disk of this machine, as far as the settings tell."""
        return self.snapshots is not None or not self.settings.resolved_database_url.startswith("sqlite")

    def close(self) -> None:
        """End everything: running answers are stored as interrupted, then workers and connections end."""
        self.arena.close()
        self.chat.close()
        self.library.close()
        self.pool.close()
        self.guard_pool.close()
        self.database.close()
        if self.snapshots is not None:
            self.snapshots.close()


def build(settings: Settings, lease: Lease | None = None, *, recover: bool = True) -> Services:
    """Make everything from the settings; no model is loaded yet. `lease` is a graphics card that is lent per answer.

    `recover` ends the answers that a server was writing when it ended; not while a server may be running.

    Raises ConfigError, PolicyError or StorageError, with a sentence for the operator.
    """
    metrics = Metrics()
    catalog = _catalog(settings)
    policy = choose_policy(settings, choose_detectors(settings))
    _check_models(policy, catalog)
    pool = _pool(settings, settings.max_models, settings.model_idle_seconds, lease)
    library = build_library(settings, catalog, pool, lease)
    guard_pool = _guard_pool(settings, policy, lease)
    text_models = _text_models(settings, lambda: catalog, guard_pool, partial(library.prepare, fetch=False))
    detectors = choose_detectors(settings, text_models)
    fingerprint = Fingerprint(_fingerprint_key(settings))
    moderator = equip(policy, detectors, fingerprint, metrics.screened)
    if (settings.data_dir / RULES_FILE).exists() and OwnRulesDetector.name not in policy.detectors[Direction.OUTPUT]:
        log.warning("the policy %s does not use %s: %s is not in force", policy.name, OwnRulesDetector.name, RULES_FILE)
    snapshots = _snapshots(settings)
    database = open_database(settings, metrics.storage_failed)
    _check_key(database, fingerprint)
    decisions, conversations = DecisionStore(database, metrics.decided), ConversationStore(database)
    processes = ProcessStore(database, new_id(), timedelta(seconds=settings.process_lease_seconds))
    trails, looks = TrailBook(), LookBook()
    chat = ChatService(
        catalog=catalog,
        engines=pool,
        models=library,
        moderator=moderator,
        conversations=conversations,
        decisions=decisions,
        max_message_chars=settings.max_message_chars,
        max_runs=settings.max_runs,
        neighbours=Processes(processes, WritingStore(database, processes), conversations) if database.shared else None,
        observe=metrics.answered,
        trails=trails,
        looks=looks,
        fingerprint=fingerprint,
    )
    arena = _arena(
        settings,
        catalog=catalog,
        chat=chat,
        moderator=moderator,
        library=library,
        pool=pool,
        database=database,
        fingerprint=fingerprint,
    )
    metrics.watch(_sources(chat, (pool, guard_pool)))
    if recover:
        chat.recover()
        arena.recover()
    inspector = Inspector(
        catalog=catalog,
        engines=pool,
        models=library,
        moderator=moderator,
        conversations=conversations,
        trails=trails,
        looks=looks,
        fingerprint=fingerprint,
    )
    reports = ReportStore(database)
    desk, workbench = _review(
        settings, detectors, moderator, decisions=decisions, reports=reports, fingerprint=fingerprint
    )
    return Services(
        settings=settings,
        catalog=catalog,
        pool=pool,
        guard_pool=guard_pool,
        moderator=moderator,
        decisions=decisions,
        chat=chat,
        inspector=inspector,
        reports=desk,
        workbench=workbench,
        database=database,
        library=library,
        keys=KeyStore(database),
        metrics=metrics,
        snapshots=snapshots,
        arena=arena,
        usage=UsageStore(database, processes, fingerprint) if database.shared else None,
        sessions=SessionStore(database) if database.shared else None,
    )


def _sources(chat: ChatService, pools: Sequence[EnginePool]) -> Sources:
    """Where figures are read that nobody has to report."""

    def restarts() -> Counter[str]:
        return sum((Counter(pool.restarts()) for pool in pools), Counter())

    return Sources(chat.line, lambda: [model for pool in pools for model in pool.status()], restarts)


def _arena(
    settings: Settings,
    *,
    catalog: Catalog,
    chat: ChatService,
    moderator: PolicyModerator,
    library: Library,
    pool: EnginePool,
    database: Database,
    fingerprint: Fingerprint,
) -> ArenaService:
    here = (ModelState.SHIPPED, ModelState.HERE, ModelState.SERVER)
    memory = MachineRoom(library.plan, library.fit_together, pool.status)
    return ArenaService(
        ArenaParts(
            catalog=catalog,
            chat=chat,
            moderator=moderator,
            engines=pool,
            models=library,
            sides=ConversationStore(database, sides=True),
            chats=ConversationStore(database),
            comparisons=ComparisonStore(database),
            duels=DuelStore(database),
            votes=VoteStore(database),
            ring=Ring(catalog, lambda spec: library.state(spec) in here, memory),
            memory=memory,
            identity=library.identity,
            fingerprint=fingerprint,
            max_models=settings.max_models,
        )
    )


def _fingerprint_key(settings: Settings) -> bytes:
    if not settings.fingerprint_key:
        return load_key(settings.data_dir)
    if len(settings.fingerprint_key) < SHORTEST_SECRET:
        raise ConfigError(f"fingerprint_key has fewer than {SHORTEST_SECRET} characters. Choose a longer secret.")
    return derive_key(settings.fingerprint_key)


def _check_key(database: Database, fingerprint: Fingerprint) -> None:
    """Raises ConfigError when other processes on this database make other hashes of the same texts."""
    if database.shared and not MarkStore(database).agrees("fingerprint", fingerprint("playground")):
        database.close()
        raise ConfigError(
            "This database was used with another key for its hashes than this process has. Give all processes the "
            f"same PLAYGROUND_FINGERPRINT_KEY, or the same {KEY_FILE} in their data folders."
        )


def _options(settings: Settings) -> EngineOptions:
    return EngineOptions(
        threads=settings.engine_threads, max_batch=settings.max_batch, kv_cache_mb=settings.kv_cache_mb
    )


def _pool(settings: Settings, max_models: int, idle_seconds: float, lease: Lease | None = None) -> EnginePool:
    return EnginePool(
        _options(settings),
        max_models=max_models,
        idle_seconds=idle_seconds,
        start_seconds=settings.model_start_seconds,
        stall_seconds=settings.model_stall_seconds,
        device_of=partial(choose_device, _setup(lease), settings.device),
        lease=lease,
    )


def _setup(lease: Lease | None) -> Setup:
    return read_setup() if lease is None else lease.setup


def _guard_pool(settings: Settings, policy: Policy, lease: Lease | None) -> EnginePool:
    """Places for every guard model of the policy, which stay loaded, and one for what the test box asks besides."""
    named = {name for names in policy.detectors.values() for name in names}
    guards = named & load_guards(*_guard_files(settings)).keys()
    return _pool(settings, max_models=1 + len(guards), idle_seconds=0, lease=lease)


def _guard_files(settings: Settings) -> tuple[Path, ...]:
    own = settings.data_dir / GUARDS.name
    return (GUARDS, own) if own.exists() else (GUARDS,)


def _text_models(
    settings: Settings, catalog: Callable[[], Catalog], pool: EnginePool, prepare: Prepare | None = None
) -> Callable[[str], EngineTextModel]:
    return partial(EngineTextModel, catalog=catalog, pool=pool, seconds=settings.model_stall_seconds, prepare=prepare)


def _prepare(settings: Settings, spec: ModelSpec, progress: Progress, cancelled: Callable[[], bool]) -> ModelSpec:
    """A guard's model made ready by a library of its own, for processes that serve nobody."""
    library = build_library(settings, _catalog(settings))
    try:
        return library.prepare(spec, progress, cancelled, fetch=False)
    finally:
        library.close()


def build_library(
    settings: Settings, catalog: Catalog, loaded: Loaded | None = None, lease: Lease | None = None
) -> Library:
    """The models on this machine; nothing is asked of any hub yet. Raises ConfigError for a bad `hub_endpoint`."""
    client = HubClient(settings.hub_endpoint, offline=settings.offline)
    choose = partial(choose_engine, setup=_setup(lease), wanted=settings.device)
    read = read_machine if lease is None else lease.read_machine
    memory = MemoryPlanner(choose, _options(settings), read, loaded.status if loaded is not None else list)
    equipment = Equipment(
        engines=tuple(ENGINES),
        choose=choose,
        plan_memory=memory.plan,
        check_memory=memory.check,
        fit_together=memory.fit_together,
        converter=convert,
        native_types=native_types,
    )
    return Library(
        catalog=catalog,
        hub=Hub(client),
        folder=settings.data_dir,
        equipment=equipment,
        loaded=loaded,
        fetches_on_ask=settings.fetch_on_ask == "always"
        or (settings.fetch_on_ask == "auto" and is_loopback(settings.host)),
    )


def _review(
    settings: Settings,
    registry: Mapping[str, DetectorFactory],
    moderator: PolicyModerator,
    *,
    decisions: DecisionStore,
    reports: ReportStore,
    fingerprint: Fingerprint,
) -> tuple[ReportDesk, Workbench]:
    examiner = Examiner(registry, moderator.detectors)
    desk = ReportDesk(
        decisions=decisions,
        reports=reports,
        examiner=examiner,
        policy=moderator.policy,
        fingerprint=fingerprint,
        keep_text=settings.keep_flagged_text,
    )
    workbench = Workbench(
        decisions=decisions,
        reports=reports,
        examiner=examiner,
        policy=moderator.policy,
        policies=dict.fromkeys((moderator.policy.name, *builtin_policies())),
        load=partial(choose_policy, settings, tuple(registry)),
        held=moderator.meter.held,
    )
    return desk, workbench


def _check_models(policy: Policy, catalog: Catalog) -> None:
    for model_id in policy.models:
        try:
            catalog.get(model_id)
        except UnknownModel as error:
            raise PolicyError(f"{policy.name}, [models]: {error}") from error


def choose_detectors(
    settings: Settings, model_of: Callable[[str], TextModel] | None = None
) -> Mapping[str, DetectorFactory]:
    """Every detector that a policy may name, with what the settings say about them; none is made yet.

    `model_of` gives guards their model by its id in the catalogue; by default each process has engines of its own for
    them, made when they are first asked. Raises PolicyError when the operator's file of guard models is malformed.
    """
    if model_of is None:
        find = partial(_catalog, settings)
        model_of = _text_models(settings, find, _pool(settings, settings.max_models, 0), partial(_prepare, settings))
    return {
        **guard_factories(model_of, *_guard_files(settings)),
        **DETECTORS,
        **detoxify_factories(settings.data_dir / "detoxify"),
        OwnRulesDetector.name: partial(OwnRulesDetector, settings.data_dir / RULES_FILE),
        RemoteEndpointDetector.name: partial(_remote, settings),
    }


def choose_policy(settings: Settings, detectors: Collection[str], policy: str = "") -> Policy:
    """The policy of that name, or of the settings. A remote endpoint takes part in every policy that checks anything.

    Raises PolicyError when it is unknown or malformed.
    """
    chosen = load_policy(policy or settings.policy, detectors)
    if not settings.moderation_url:
        return chosen
    remote = RemoteEndpointDetector.name
    extended = {
        way: (*names, remote) if names and remote not in names else names for way, names in chosen.detectors.items()
    }
    return replace(chosen, detectors=extended)


def _remote(settings: Settings) -> RemoteEndpointDetector:
    if not settings.moderation_url:
        raise DetectorUnavailable("No moderation endpoint is set; give its address as moderation_url.")
    return RemoteEndpointDetector(settings.moderation_url, key=settings.moderation_key, model=settings.moderation_model)


def load_catalog(settings: Settings) -> Catalog:
    """The models that ship, those of the operator's file, and those that were added here. Raises ConfigError."""
    added = settings.data_dir / OWN_ROWS
    files = (*SHIPPED, settings.models_file, added if added.exists() else None)
    return Catalog.load([file for file in files if file is not None])


def _catalog(settings: Settings) -> Catalog:
    catalog = load_catalog(settings)
    for spec in catalog:
        try:
            check_engine(spec)
        except ModelLoadError as error:
            raise ConfigError(str(error)) from error
    try:
        catalog.get(settings.default_model)
    except UnknownModel as error:
        raise ConfigError(f"default_model: {error}") from error
    return catalog


def _snapshots(settings: Settings) -> Snapshots | None:
    """Copies of the database, if they are wanted; the newest is put back where there is no database yet."""
    if settings.snapshot_dir is None:
        return None
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ConfigError("snapshot_dir keeps copies of a SQLite file; empty it, and back this database up yourself.")
    snapshots = Snapshots(Path(url.database), settings.snapshot_dir, settings.snapshot_seconds)
    snapshots.restore()
    return snapshots


def open_votes(settings: Settings) -> VoteStore:
    """The votes that are kept in the settings' database, without anything else being built. Raises StorageError."""
    return VoteStore(open_database(settings))


def open_database(settings: Settings, on_error: Callable[[str], None] | None = None) -> Database:
    """The database, with every migration applied. Raises ConfigError or StorageError, which names it.

    `on_error` hears the database's name of every later error.
    """
    database = Database(settings.resolved_database_url, on_error)
    try:
        migrate(database)
    except StorageError as error:
        database.close()
        raise StorageError(f"{database}: {error}") from error
    return database
