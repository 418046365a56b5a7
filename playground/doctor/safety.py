"""Whether the safety layer works: its policy, its detectors, and how long a look takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from playground.config import Settings
from playground.doctor.findings import Finding, fix, note, ok
from playground.errors import PlaygroundError
from playground.moderation.moderator import equip
from playground.moderation.policy import Policy
from playground.moderation.remote_endpoint import RemoteEndpointDetector
from playground.operation.readiness import HARMLESS
from playground.services import choose_detectors, choose_policy


def examine_moderation(settings: Settings, *, network: bool) -> Iterator[Finding]:
    """Have every detector of the policy look at a harmless text; the remote one only with `network`."""
    remote = RemoteEndpointDetector.name
    try:
        registry = choose_detectors(settings)
        policy = choose_policy(settings, tuple(registry))
        if not network:
            if any(remote in names for names in policy.detectors.values()):
                yield note("Moderation", "the remote endpoint was not asked", "Examine it with --network.")
            policy = _without(policy, remote)
        gate = equip(policy, registry)
        verdict = gate.check_input(HARMLESS).verdict
    except PlaygroundError as error:
        yield fix("Moderation", str(error), "Correct the policy, or set another one with --policy.")
        return
    unable = {**dict.fromkeys(verdict.degraded if verdict is not None else (), "it failed"), **gate.unable}
    blocks = policy.unavailable == "block"
    for name, reason in unable.items():
        advice = "Until then everything is blocked." if blocks else "Until then texts pass without it."
        yield (fix if blocks else note)("Moderation", f"{name} cannot run: {reason}", advice)
    names = sorted({name for used in policy.detectors.values() for name in used})
    if not names:
        yield note("Moderation", f"the policy {policy.name} checks nothing", "Set policy to standard to screen texts.")
    elif not unable:
        yield ok("Moderation", f"{policy.name}: {', '.join(names)}")


def _without(policy: Policy, left_out: str) -> Policy:
    kept = {way: tuple(name for name in names if name != left_out) for way, names in policy.detectors.items()}
    return replace(policy, detectors=kept)
