"""Brings the server in line with the plan while requests go on, with two threads.

One looks for a new plan, so that it is noticed whatever the other is waiting for. The other works in turns: drop
copies that cannot be read, and from L1 what does not belong there; make room where a tier is over its capacity;
move, recompress or delete what lies in the wrong place.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable

from .compat import MemoryLayoutDesc, ObjectKey, StorageManager
from .director import Director
from .inventory import path_of
from .loader import PlanLoader
from .mover import LOAD_SECONDS, Mover
from .plan import Plan
from .routes import Route

logger = logging.getLogger(__name__)

#: A new plan is noticed within this time.
POLL_SECONDS = 0.25
#: A chunk just written is left alone so long: its transfer to L2 may be under way.
GRACE_SECONDS = 20.0
#: An unseen chunk just written is kept for so long, whatever room there is: its transfer begins at once, if ever.
STORE_SECONDS = 2.0
#: What is passing through may fill this share of L1; then it has to give way.
FULL_SHARE = 0.9
#: A chunk that was just worked on, in vain or with a transfer under way, is looked at again after this time.
RETRY_SECONDS = 3.0
#: Chunks handled per turn, so that room is looked at in between.
CHUNKS_PER_TURN = 64


class Keeper:
    """Owns the two threads."""

    def __init__(
        self,
        director: Director,
        storage: StorageManager,
        plan_path: str,
        layout_of: Callable[[ObjectKey], MemoryLayoutDesc | None],
        *,
        chunk_size: int | None = None,
        migration_bytes_per_second: float = 200e6,
        staging_share: float = 0.2,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.director, self.storage = director, storage
        self.loader = PlanLoader(plan_path, chunk_size, self._adopt, self._refuse)
        self._mover = Mover(director, storage, layout_of, migration_bytes_per_second)
        self._staging_share, self._grace = staging_share, grace_seconds
        self._not_before: dict[ObjectKey, float] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="evicpress-plan", daemon=True),
            threading.Thread(target=self._run, name="evicpress-keeper", daemon=True),
        ]

    def start(self) -> None:
        """Reads the plan there is, then starts the threads."""
        self.loader.load()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        self.director.changed.set()
        for thread in self._threads:
            thread.join(timeout=LOAD_SECONDS)
        self.loader.close()

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.loader.poll()
            except Exception:
                logger.exception("evicpress: the plan could not be looked at")
            self.director.reading_bytes = self.loader.reading_bytes

    def _run(self) -> None:
        while not self._stop.is_set():
            self.director.changed.wait(POLL_SECONDS)
            self.director.changed.clear()
            try:
                self._turn()
            except Exception:
                # The next turn starts from what the adapters really hold; a failed one loses nothing.
                logger.exception("evicpress: a turn of the keeper failed")
            self._stop.wait(0.05)

    def _turn(self) -> None:
        self._drop_unreadable()
        self._clean_l1()
        self._make_room()
        self._migrate()

    def _adopt(self, plan: Plan) -> None:
        self.director.adopt(plan)
        logger.warning("evicpress: plan of generation %d in force, %d chunks", plan.generation, plan.chunks)

    def _refuse(self, reason: str) -> None:
        self.director.refuse(reason)
        logger.error("evicpress: plan refused, the one in force stays: %s", reason)

    def _drop_unreadable(self) -> None:
        """A copy that could not be loaded stands in the way of a new one: LMCache does not store what is there."""
        with self.director.lock:
            keys, self.director.unreadable = self.director.unreadable, set()
        for route in self.director.routes.adapters:
            for key in keys:
                if self.director.is_stored(route, key):
                    self._mover.drop(route.index, key)

    def _clean_l1(self) -> None:
        now = time.monotonic()
        with self.director.lock:
            entries = [(key, self.director.l1[key]) for key in self.director.l1_open]
        for key, used_at in entries:
            if self.director.settle_l1(key):
                continue
            target = self.director.wanted(key)
            route = self.director.routes.find(target) if target else None
            if route is not None and not self._is_held(route, key):
                if now - used_at < self._grace:
                    continue
                # Was in L1 by an earlier plan, or its transfer failed: once more, from the copy in L1.
                if self._mover.wait_seconds > 0 or self._mover.rewrite(key):
                    continue
            self._mover.delete_from_l1(key)

    def _is_held(self, route: Route, key: ObjectKey) -> bool:
        """Whether an adapter holds a chunk; one that another server put into its folder is taken down."""
        if self.director.is_stored(route, key):
            return True
        path = path_of(route, key)
        if path is None:
            return False
        self.director.record(route.index, [(key, os.path.getsize(path))])
        return True

    def _make_room(self) -> None:
        used, total = self.storage.get_l1_usage()
        self._evict_l1((1 - self._staging_share) * total, used - FULL_SHARE * total)
        tiers = {route.target.tier for route in self.director.routes.adapters}
        for tier in tiers:
            excess = self.director.used_bytes(tier) - self._adapter_capacity(tier)
            if excess > 0:
                self._evict_l2(tier, excess)

    def _adapter_capacity(self, tier: str) -> float:
        plan = self.director.plan
        if plan is None:
            return float("inf")
        if tier != self.director.routes.l1_tier:
            return plan.capacity_bytes(tier)
        # One budget: what L1 takes, the room for staging in it too, is not there for compressed chunks.
        return max(0.0, plan.capacity_bytes(tier, reserved=True) - self.storage.get_l1_usage()[1])

    def _evict_l1(self, limit: float, overfull: float) -> None:
        """Leaves the rest of L1 to what is passing through: unseen chunks go first, least recently used first.

        Pinned chunks go only where they alone are too many: others may be locked for the moment, and go next time.
        What is passing through leaves by itself, unless transfers fail and L1 is overfull by it. An unseen chunk that was just written may be on its way to an
        adapter, and is given the time.
        """
        director = self.director
        now = time.monotonic()
        with director.lock:
            entries = list(director.l1.items())
        passing: list[ObjectKey] = []
        unseen: list[ObjectKey] = []
        settled: list[ObjectKey] = []
        pinned: list[ObjectKey] = []
        for key, used_at in entries:
            target = director.planned(key)
            if target is not None:
                (pinned if director.routes.in_l1(target) else passing).append(key)
                continue
            unseen.append(key)
            if now - used_at >= STORE_SECONDS or director.wanted(key) is None:
                settled.append(key)
        size = director.chunk_bytes
        self._drop_from_l1(passing, overfull)
        self._drop_from_l1(settled, (len(unseen) + len(pinned)) * size - limit)
        self._drop_from_l1(pinned, len(pinned) * size - limit)

    def _drop_from_l1(self, keys: list[ObjectKey], excess: float) -> None:
        for key in keys:
            if excess <= 0:
                return
            if self._mover.delete_from_l1(key):
                self.director.counters.evicted_chunks += 1
                excess -= max(1, self.director.chunk_bytes)

    def _evict_l2(self, tier: str, excess: float) -> None:
        for index, key in self.director.victims(tier, excess):
            self._mover.delete_from_l2(index, key)
            self.director.counters.evicted_chunks += 1

    def _migrate(self) -> None:
        now = time.monotonic()
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        with self.director.lock:
            due = (entry for entry in self.director.misplaced.items() if entry[0][1] not in self._not_before)
            work = list(itertools.islice(due, CHUNKS_PER_TURN))
        for (index, key), target in work:
            if self._stop.is_set():
                return
            if (seconds := self._mover.wait_seconds) > 0:
                self._stop.wait(min(POLL_SECONDS, seconds))
                return
            if self.director.misplaced.get((index, key)) != target:
                # Already where it belongs, or a newer plan has come.
                continue
            self._not_before[key] = time.monotonic() + RETRY_SECONDS
            try:
                self._mover.place(key, index, target)
            except Exception:
                logger.exception("evicpress: chunk %s could not be moved", key.chunk_hash.hex())
        if work:
            self.director.changed.set()
