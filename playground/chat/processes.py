"""This app process among others on one database: it tells that it lives, obeys the others, and follows their answers.

One thread does all of it, a few times a second while answers are written or followed and every few seconds otherwise.
When the database is away it goes on as soon as it is back; nobody is given up for dead before this process has itself
had the database without a gap for as long as a lease lasts, so that all may come back in their own time.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Mapping

from playground.chat.mirror import Mirror, state_of
from playground.chat.run import Run
from playground.domain import FinishReason
from playground.errors import Busy, StorageError
from playground.storage.conversations import ConversationStore
from playground.storage.processes import ProcessStore
from playground.storage.writing import Order, WritingStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
AGAIN_SECONDS = 1.0
_BEATS_PER_LEASE = 6
_HANDOVER_SECONDS = 0.3


class Processes:
    """See `neighbours.Neighbours`."""

    shared = True

    def __init__(self, processes: ProcessStore, writing: WritingStore, answers: ConversationStore) -> None:
        self._processes = processes
        self._writing = writing
        self._answers = answers
        self._lease = processes.lease.total_seconds()
        self._lock = threading.Lock()
        self._mine: dict[str, object] = {}
        self._told: dict[str, int] = {}
        self._mirrors: dict[str, Mirror] = {}
        self._stops: dict[str, str] = {}
        self._loads: Mapping[str, int] = {}
        self._since = self._beaten = self._buried = float("-inf")
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Join, and begin to look around; see `Neighbours`."""
        with self._lock:
            if self._thread is not None:
                return
            self._beat()
            self._thread = threading.Thread(target=self._work, name="processes", daemon=True)
            self._thread.start()

    def claim(self, owner: str, conversation_id: str, holder: object) -> None:
        """Hold it in the database; see `Neighbours`. Who has just ended there is waited for, for a moment."""
        self.start()
        with self._lock:
            self._mine[conversation_id] = holder
        try:
            steady = self._is_steady()
            if self._writing.claim(owner, conversation_id, from_the_dead=steady):
                return
            time.sleep(_HANDOVER_SECONDS)
            if self._writing.claim(owner, conversation_id, from_the_dead=steady):
                return
        except StorageError:
            self._forget(conversation_id, holder)
            raise
        self._forget(conversation_id, holder)
        raise Busy("An answer is already being written in this conversation. Wait for it, or stop it first.")

    def begin(self, run: Run, conversation_id: str) -> None:
        """Tell the others which run it is; what cannot be told now is told later."""
        with self._lock:
            self._mine[conversation_id] = run
        try:
            self._writing.begin(conversation_id, run.id, run.user_message_id, run.message_id)
        except StorageError:
            log.warning("run %s is not known to the other processes yet", run.id)
        self._wake.set()

    def release(self, conversation_id: str, holder: object) -> None:
        """Let the others have it; what cannot be told now is told later."""
        if not self._forget(conversation_id, holder):
            return
        try:
            self._writing.release(conversation_id, holder.id if isinstance(holder, Run) else None)
        except StorageError:
            log.warning("a conversation is still held for the other processes")

    def active(self, owner: str, conversation_id: str) -> Run | None:
        """A mirror, the same for everybody who asks; see `Neighbours`."""
        held = self._writing.find(owner, conversation_id)
        if held is None:
            return None
        self.start()
        with self._lock:
            mirror = self._mirrors.get(held.run_id)
            if mirror is None:
                mirror = self._mirrors[held.run_id] = Mirror(held, self._ask_stop)
        self._wake.set()
        return mirror

    def loads(self) -> Mapping[str, int]:
        """As of the last sign of life."""
        return self._loads

    def close(self) -> None:
        """End the thread and leave; see `Neighbours`."""
        self._closed = True
        self._wake.set()
        if self._thread is None:
            return
        self._thread.join()
        try:
            self._processes.leave()
        except StorageError:
            log.warning("this process could not sign off; the others will notice")

    def _ask_stop(self, mirror: Mirror) -> None:
        with self._lock:
            self._stops[mirror.id] = (mirror.stop_reason or FinishReason.CANCELLED).value
        self._wake.set()

    def _forget(self, conversation_id: str, holder: object) -> bool:
        """Whether this run, or this claim without one, is what held the conversation."""
        with self._lock:
            if self._mine.get(conversation_id) is not holder:
                return False
            del self._mine[conversation_id]
            if isinstance(holder, Run):
                self._told.pop(holder.id, None)
            return True

    def _is_steady(self) -> bool:
        return time.monotonic() - self._since >= self._lease > time.monotonic() - self._beaten

    def _work(self) -> None:
        while not self._closed:
            try:
                self._round()
                pause = LOOK_SECONDS if self._mine or self._mirrors or self._stops else self._beat_seconds
            except StorageError:  # the log has it; the others wait for a lease before they judge
                pause = AGAIN_SECONDS
            except Exception as error:  # noqa: BLE001  without this thread the others would take this process for dead
                place = traceback.extract_tb(error.__traceback__)[-1]
                log.error("%s in %s, line %s", type(error).__name__, place.name, place.lineno)  # noqa: TRY400
                pause = AGAIN_SECONDS
            if pause == LOOK_SECONDS:
                time.sleep(LOOK_SECONDS)  # a call to wake up is for the longer pause
            else:
                self._wake.wait(min(pause, self._beat_seconds))
            self._wake.clear()

    @property
    def _beat_seconds(self) -> float:
        return self._lease / _BEATS_PER_LEASE

    def _round(self) -> None:
        beating = time.monotonic() - self._beaten >= self._beat_seconds
        if beating:
            self._beat()
        if self._stops:
            self._pass_on_stops()
        if self._mine or beating:
            orders = self._writing.orders()
            self._obey(orders)
            if beating:
                self._settle(orders)
        if self._mirrors:
            self._look()

    def _beat(self) -> None:
        self._processes.beat()
        now = time.monotonic()
        if now - self._beaten > self._lease / 2:
            self._since = now
        self._beaten = now
        self._loads = self._writing.loads()
        if self._is_steady() and now - self._buried > self._lease / 2:
            self._buried = now
            if held := self._processes.bury():
                log.warning("a process is gone; %d conversations were free again", held)
            if count := self._answers.mark_interrupted():
                log.warning("%d answers were interrupted when their process ended", count)

    def _obey(self, orders: list[Order]) -> None:
        """Stop what others want stopped, and tell of what they watch."""
        for order in orders:
            with self._lock:
                run = self._mine.get(order.conversation_id)
            if not isinstance(run, Run) or run.id != order.run_id:
                continue
            if order.stop is not None:
                run.stop(FinishReason(order.stop))
            if order.watched:
                snapshot = run.snapshot()
                if self._told.get(run.id) != snapshot.version:
                    self._told[run.id] = snapshot.version
                    self._writing.tell(order.conversation_id, state_of(snapshot))

    def _settle(self, orders: list[Order]) -> None:
        """Make what the database knows of this process what is so: give back, tell, and take again."""
        with self._lock:
            mine = dict(self._mine)
        known = {order.conversation_id: order for order in orders}
        for order in orders:
            if order.conversation_id not in mine:
                self._writing.release(order.conversation_id, order.run_id)
        for conversation_id, run in mine.items():
            if not isinstance(run, Run) or run.done:
                continue
            if conversation_id not in known and not self._writing.claim(run.owner, conversation_id, from_the_dead=True):
                continue  # this process was taken for dead, and another one writes there now
            if conversation_id not in known or known[conversation_id].run_id != run.id:
                self._writing.begin(conversation_id, run.id, run.user_message_id, run.message_id)

    def _pass_on_stops(self) -> None:
        with self._lock:
            stops = dict(self._stops)
        for run_id, reason in stops.items():
            self._writing.stop(run_id, reason)
            with self._lock:
                self._stops.pop(run_id, None)

    def _look(self) -> None:
        with self._lock:
            mirrors = list(self._mirrors.values())
        seen = self._writing.look([mirror.message_id or "" for mirror in mirrors])
        for mirror in mirrors:
            message, state = seen.get(mirror.message_id or "", (None, None))
            mirror.take(message, state)
            if mirror.done:
                with self._lock:
                    self._mirrors.pop(mirror.id, None)
