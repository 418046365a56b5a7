"""The only place where concrete classes meet: from settings to everything the page and the API use."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from playground.catalog.catalog import SHIPPED, Catalog
from playground.chat.service import ChatService
from playground.config import Settings
from playground.domain import Direction
from playground.engines.contract import EngineOptions
from playground.engines.pool import EnginePool
from playground.engines.registry import kind_of
from playground.errors import (
    ConfigError,
    DetectorUnavailable,
    ModelLoadError,
    PolicyError,
    StorageError,
    UnknownModel,
)
from playground.moderation.contract import Moderator
from playground.moderation.fingerprint import Fingerprint, load_key
from playground.moderation.moderator import PolicyModerator, equip
from playground.moderation.own_rules import FILE as RULES_FILE
from playground.moderation.own_rules import OwnRulesDetector
from playground.moderation.policy import Policy, builtin_policies, load_policy
from playground.moderation.registry import DETECTORS, DetectorFactory, detoxify_factories
from playground.moderation.remote_endpoint import RemoteEndpointDetector
from playground.review.desk import ReportDesk
from playground.review.examination import Examiner
from playground.review.workbench import Workbench
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.migrations import migrate
from playground.storage.reports import ReportStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What the faces of the house are given: the page, and the API."""

    settings: Settings
    catalog: Catalog
    pool: EnginePool
    moderator: Moderator
    decisions: DecisionStore
    chat: ChatService
    reports: ReportDesk
    workbench: Workbench
    database: Database

    def close(self) -> None:
        """End everything: running answers are stored as interrupted, then workers and connections end."""
        self.chat.close()
        self.pool.close()
        self.database.close()


def build(settings: Settings) -> Services:
    """Make everything from the settings; no model is loaded yet.

    Raises ConfigError, PolicyError or StorageError, with a sentence for the operator.
    """
    catalog = _catalog(settings)
    detectors = choose_detectors(settings)
    policy = choose_policy(settings, detectors)
    _check_models(policy, catalog)
    fingerprint = Fingerprint(load_key(settings.data_dir))
    moderator = equip(policy, detectors, fingerprint)
    if (settings.data_dir / RULES_FILE).exists() and OwnRulesDetector.name not in policy.detectors[Direction.OUTPUT]:
        log.warning("the policy %s does not use %s: %s is not in force", policy.name, OwnRulesDetector.name, RULES_FILE)
    database = _database(settings)
    pool = EnginePool(
        EngineOptions(threads=settings.engine_threads, max_batch=settings.max_batch, kv_cache_mb=settings.kv_cache_mb),
        max_models=settings.max_models,
        idle_seconds=settings.model_idle_seconds,
        start_seconds=settings.model_start_seconds,
        stall_seconds=settings.model_stall_seconds,
    )
    decisions = DecisionStore(database)
    chat = ChatService(
        catalog=catalog,
        engines=pool,
        moderator=moderator,
        conversations=ConversationStore(database),
        decisions=decisions,
        max_message_chars=settings.max_message_chars,
        max_runs=settings.max_runs,
    )
    chat.recover()
    desk, workbench = _review(settings, moderator, decisions, ReportStore(database), fingerprint)
    return Services(settings, catalog, pool, moderator, decisions, chat, desk, workbench, database)


def _review(
    settings: Settings,
    moderator: PolicyModerator,
    decisions: DecisionStore,
    reports: ReportStore,
    fingerprint: Fingerprint,
) -> tuple[ReportDesk, Workbench]:
    registry = choose_detectors(settings)
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


def choose_detectors(settings: Settings) -> Mapping[str, DetectorFactory]:
    """Every detector that a policy may name, with what the settings say about them; none is made yet."""
    return {
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


def _catalog(settings: Settings) -> Catalog:
    catalog = Catalog.load([SHIPPED, settings.models_file] if settings.models_file else [SHIPPED])
    for spec in catalog:
        try:
            kind_of(spec)
        except ModelLoadError as error:
            raise ConfigError(str(error)) from error
    try:
        catalog.get(settings.default_model)
    except UnknownModel as error:
        raise ConfigError(f"default_model: {error}") from error
    return catalog


def _database(settings: Settings) -> Database:
    database = Database(settings.resolved_database_url)
    try:
        migrate(database)
    except StorageError as error:
        database.close()
        raise StorageError(f"{database}: {error}") from error
    return database
