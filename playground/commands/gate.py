"""The safety layer as this installation has it: settings, policy and detectors, for every command that asks."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from playground.config import Settings, load_settings
from playground.domain import Direction
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.moderation.policy import Policy
    from playground.moderation.registry import DetectorFactory


@dataclass(frozen=True, slots=True)
class Gate:
    """The policy in force, or the one asked for, and every detector there is."""

    settings: Settings
    policy: Policy
    registry: Mapping[str, DetectorFactory]


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Which policy and which detectors: the same options for every command."""
    parser.add_argument("--policy", metavar="NAME", help="a shipped policy or a TOML file [the setting `policy`]")
    parser.add_argument("--detectors", metavar="A,B", help="these detectors instead of the policy's")


def open_gate(options: argparse.Namespace) -> Gate:
    """The gate that the options and the settings describe; no detector is made yet.

    Raises ConfigError, PolicyError or InvalidRequest, naming what is unknown and what there is.
    """
    from playground.services import choose_detectors, choose_policy  # noqa: PLC0415  `--help` must stay quick

    settings = load_settings([])
    registry = choose_detectors(settings)
    policy = choose_policy(settings, tuple(registry), options.policy or "")
    if options.detectors is not None:
        names = known_names(options.detectors, registry)
        policy = replace(policy, detectors=dict.fromkeys(Direction, names))
    return Gate(settings, policy, registry)


def known_names(text: str, registry: Mapping[str, DetectorFactory]) -> tuple[str, ...]:
    """The names of detectors in a comma-separated list. Raises InvalidRequest for an unknown one."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in registry:
            raise InvalidRequest(f"Unknown detector {name}; there are: {', '.join(sorted(registry))}.")
    if not names:
        raise InvalidRequest(f"--detectors names none; there are: {', '.join(sorted(registry))}.")
    return names
