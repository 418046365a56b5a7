"""Which server answers: the least busy one, then the next, as long as nothing of the answer was handed on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from playground.engines.remote.attempt import Attempt, Limits, Put, Refused
from playground.engines.remote.body import Asked, build_body, named_parameters, refused_parameters
from playground.engines.remote.faults import Fault, Remedy
from playground.engines.remote.prober import Prober
from playground.engines.remote.refusals import Refusal, fault_of, find_overflow, too_often
from playground.engines.remote.replica import Replica, pause_after
from playground.errors import AnswerCut, InvalidRequest, RateLimited

log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0  # seconds; when a server wants to be left alone for longer, the person is told


class Dispatcher:
    """Answers questions through the replicas of one model. Used on one event loop.

    `rounds` is how many times all servers are tried before the last failure is told.
    """

    def __init__(self, replicas: Sequence[Replica], limits: Limits, rounds: int) -> None:
        self._replicas = tuple(replicas)
        self._limits = limits
        self._rounds = rounds
        self._prober = Prober(limits.connect)

    async def answer(self, asked: Asked, put: Put) -> None:
        """Hand the pieces of an answer to `put`.

        Raises the error of the last failure, or AnswerCut when pieces had been handed on by then.
        """
        asked_at = asyncio.get_running_loop().time()
        for number in range(1, self._rounds + 1):
            tried: dict[Replica, Fault] = {}
            while (server := self._choose(tried)) is not None:
                fault = await self._try(server, asked, put, asked_at)
                if fault is None:
                    return
                tried[server] = fault
            await self._wait_for_next_round(number, tried)

    def _choose(self, tried: Collection[Replica]) -> Replica | None:
        """The least busy server that works; if none does, the one that was given up longest ago.

        Servers that asked to be left alone are left alone.
        """
        left = [server for server in self._replicas if server not in tried and not server.limited]
        if working := [server for server in left if server.up]:
            return min(working, key=lambda server: server.burden)
        return min(left, key=lambda server: server.pause_until, default=None)

    async def _wait_for_next_round(self, number: int, tried: Mapping[Replica, Fault]) -> None:
        """Wait before all servers are tried again; raises the last failure when that would not help."""
        faults = tried or {server: server.fault for server in self._replicas if server.fault is not None}
        hopeful = [server for server, fault in faults.items() if fault.remedy is Remedy.LATER]
        pauses = [server.limited for server in self._replicas]
        wait = min(pauses) if all(pauses) else pause_after(number)
        if number == self._rounds or not hopeful or wait > LONGEST_WAIT:
            last = (hopeful or list(faults))[-1]
            error = faults[last].error
            raise too_often(last.server.label, wait) if isinstance(error, RateLimited) else error
        await asyncio.sleep(wait)

    async def _try(self, server: Replica, asked: Asked, put: Put, asked_at: float) -> Fault | None:
        """One server's try; what failed if another one may do better. Raises what must be told at once."""
        attempt = Attempt(server, asked, self._limits, put, asked_at)
        server.in_flight += 1
        try:
            await self._run(attempt, server, asked)
        except Fault as fault:
            server.failed(fault)
            server.unanswered += 1
            if fault.down:
                log.warning("%s failed for %s: %s", server.server.label, asked.name, fault.error.code)
                self._prober.watch(server)
            if fault.remedy is Remedy.NONE:
                raise fault.error from None
            if attempt.begun:
                raise _cut(server, asked) from None
            return fault
        finally:
            server.in_flight -= 1
        server.answered += 1
        return None

    async def _run(self, attempt: Attempt, server: Replica, asked: Asked) -> None:
        """Ask, and ask again without what the server refuses or with room it has. Raises Fault."""
        left_out, params, shortened = server.left_out, asked.params, False
        while True:
            body = build_body(replace(asked, params=params), server.model, left_out)

            def accepted(learned: frozenset[str] = left_out) -> None:
                self._learn(server, learned, asked)

            try:
                await attempt.run(body, accepted)
            except Refused as refused:
                refusal = refused.refusal
                room = _room(refusal.content)
                if 0 < room < params.max_tokens and not shortened:
                    params, shortened = replace(params, max_tokens=room), True
                    continue
                names = _refused_names(refusal, body, asked)
                if not names:
                    raise _fault(refusal, server, asked, body) from None
                left_out |= names
            else:
                return

    def _learn(self, server: Replica, left_out: frozenset[str], asked: Asked) -> None:
        if news := left_out - server.left_out:
            log.warning(
                "%s does not take %s; %s is asked without", server.server.label, ", ".join(sorted(news)), asked.name
            )
            server.left_out = left_out


def _refused_names(refusal: Refusal, body: Mapping[str, Any], asked: Asked) -> frozenset[str]:
    if refusal.status not in (400, 422):
        return frozenset()
    return refused_parameters(asked, body, refusal.content)


def _room(complaint: object) -> int:
    """Tokens that are left for the answer, from a context error that tells both numbers; 0 otherwise."""
    overflow = find_overflow(complaint)
    if overflow is None or not overflow.window or not overflow.prompt:
        return 0
    return max(0, overflow.window - overflow.prompt)


def _fault(refusal: Refusal, server: Replica, asked: Asked, body: Mapping[str, Any]) -> Fault:
    fault = fault_of(refusal, server.addressee(asked.name))
    names = named_parameters(body, refusal.content)
    if isinstance(fault.error, InvalidRequest) and names:
        sentence = (
            f"{server.server.label} does not accept this value of {' or '.join(sorted(names))}. "
            "Change it in the settings of this conversation."
        )
        return Fault(InvalidRequest(sentence), Remedy.NONE, down=False)
    return fault


def _cut(server: Replica, asked: Asked) -> AnswerCut:
    return AnswerCut(
        f"The answer of {asked.name} broke off: {server.server.label} went away or fell silent. What came until then "
        "is kept. Try again."
    )
