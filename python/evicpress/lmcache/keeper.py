"""The background thread that brings the server in line with the plan while requests go on.

Each turn: look for a new plan; drop from L1 what does not belong there; make room where a tier is over its
capacity; move, recompress or delete what lies in the wrong place, at a bounded rate. Only LMCache's public
storage calls are used. Data compressed with loss is never compressed again: what cannot be made from an
uncompressed copy is dropped and will be recomputed by the next request that needs it.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import threading
import time
from typing import Any, Callable

from .compat import GroupedObjectKeys, MemoryLayoutDesc, ObjectKey, PrefetchLockMode, PrefetchTaskSpec, StorageManager
from .director import Director
from .inventory import file_name, path_of
from .plan_file import RECOMPUTE, UNCOMPRESSED, PlanRefused, Target, read_plan
from .routes import Route

logger = logging.getLogger(__name__)

#: A new plan is noticed within this time.
POLL_SECONDS = 0.25
#: A chunk just written is left alone so long: its transfer to L2 may be under way.
GRACE_SECONDS = 20.0
#: Longest wait for one chunk to be loaded for a migration.
LOAD_SECONDS = 30.0
#: A chunk that was just worked on, in vain or with a transfer under way, is looked at again after this time.
RETRY_SECONDS = 3.0
#: Chunks handled per turn, so that plan and room are looked at in between.
CHUNKS_PER_TURN = 64


class Keeper:
    """Owns the thread; ``turn`` is one round of it, for tests."""

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
        self.director, self.storage, self.plan_path = director, storage, plan_path
        self._layout_of, self._chunk_size = layout_of, chunk_size
        self._rate, self._staging_share, self._grace = migration_bytes_per_second, staging_share, grace_seconds
        self._seen_file: tuple[int, int, int] | None = None
        self._next_move_at = 0.0
        self._not_before: dict[ObjectKey, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evicpress-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self.director.changed.set()
        self._thread.join(timeout=LOAD_SECONDS)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.director.changed.wait(POLL_SECONDS)
            self.director.changed.clear()
            try:
                self.turn()
            except Exception:
                # The next turn starts from what the adapters really hold; a failed one loses nothing.
                logger.exception("evicpress: a turn of the keeper failed")
            self._stop.wait(0.05)

    def turn(self) -> None:
        self.look_for_plan()
        self._clean_l1()
        self._make_room()
        self._migrate()

    # --- the plan -----------------------------------------------------------------------------------------

    def look_for_plan(self) -> None:
        """Adopts the plan file if it has changed since it was last looked at and is whole and valid."""
        try:
            info = os.stat(self.plan_path)
        except OSError as error:
            if self._seen_file is not None or self.director.last_refusal is None:
                self._seen_file = None
                self.director.refuse(f"{self.plan_path}: {error.strerror}")
            return
        signature = (info.st_ino, info.st_size, info.st_mtime_ns)
        if signature == self._seen_file:
            return
        self._seen_file = signature
        try:
            plan = read_plan(self.plan_path, chunk_size=self._chunk_size)
            if self.director.plan is None or plan.sha256 != self.director.plan.sha256:
                self.director.adopt(plan)
                logger.warning("evicpress: plan of generation %d in force, %d chunks", plan.generation, len(plan.chunks))
        except (PlanRefused, OSError) as error:
            self.director.refuse(str(error))
            logger.error("evicpress: plan refused, the one in force stays: %s", error)

    # --- L1 -----------------------------------------------------------------------------------------------

    def _clean_l1(self) -> None:
        now = time.monotonic()
        with self.director.lock:
            entries = list(self.director.l1.items())
        for key, used_at in entries:
            if self.director.belongs_in_l1(key):
                continue
            target = self.director.wanted(key)
            route = self.director.routes.find(target) if target else None
            if route is not None and not self._stored(route, key):
                if now - used_at < self._grace:
                    continue
                # Was in L1 by an earlier plan, or its transfer failed: once more, from the copy in L1.
                if not self._allowed() or self._rewrite(key):
                    continue
            self._delete_from_l1(key)

    def _delete_from_l1(self, key: ObjectKey) -> bool:
        _deleted, locked = self.storage.delete_l1_keys([key])
        if locked:
            return False
        self.director.forget_l1(key)
        return True

    def _make_room(self) -> None:
        used, total = self.storage.get_l1_usage()
        limit = (1 - self._staging_share) * total
        if used > limit:
            self._evict_l1(used - limit)
        tiers = {route.target.tier for route in self.director.routes.adapters}
        for tier in tiers:
            excess = self.director.used_bytes(tier) - self._adapter_capacity(tier)
            if excess > 0:
                self._evict_l2(tier, excess)

    def _adapter_capacity(self, tier: str) -> float:
        plan = self.director.plan
        if plan is None:
            return float("inf")
        capacity = plan.capacity_bytes(tier)
        # The tier of L1 is one budget: what L1 itself takes is not there for compressed chunks.
        return max(0.0, capacity - self.storage.get_l1_usage()[1]) if tier == self.director.routes.l1_tier else capacity

    def _evict_l1(self, excess: float) -> None:
        """Unseen chunks first, least recently used first; pinned ones only where nothing else is left."""
        with self.director.lock:
            keys = list(self.director.l1)
        unseen = [key for key in keys if self.director.planned(key) is None]
        pinned = [key for key in keys if self.director.planned(key) is not None]
        for key in unseen + pinned:
            if excess <= 0:
                return
            if self._delete_from_l1(key):
                self.director.counters.evicted_chunks += 1
                excess -= max(1, self.director.chunk_bytes)

    def _evict_l2(self, tier: str, excess: float) -> None:
        with self.director.lock:
            held = [
                (self.director.planned(key) == route.target, route, key, size)
                for route in self.director.routes.adapters
                if route.target.tier == tier
                for key, size in self.director.stored[route.index].items()
            ]
        # A stable sort: within unplanned and planned the order of last use stays.
        held.sort(key=lambda entry: entry[0])
        for _planned, route, key, size in held:
            if excess <= 0:
                return
            self._delete_from_l2(route.index, key)
            self.director.counters.evicted_chunks += 1
            excess -= size

    # --- migration ----------------------------------------------------------------------------------------

    def _migrate(self) -> None:
        now = time.monotonic()
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        with self.director.lock:
            due = (entry for entry in self.director.misplaced() if entry[0] not in self._not_before)
            work = list(itertools.islice(due, CHUNKS_PER_TURN))
        for key, index, target in work:
            if self._stop.is_set():
                return
            if not self._allowed():
                self._stop.wait(min(POLL_SECONDS, self._next_move_at - time.monotonic()))
                return
            self._not_before[key] = time.monotonic() + RETRY_SECONDS
            try:
                self._place(key, index, target)
            except Exception:
                logger.exception("evicpress: chunk %s could not be moved", key.chunk_hash.hex())
        if work:
            self.director.changed.set()

    def _place(self, key: ObjectKey, index: int, target: Target) -> None:
        """Brings one chunk from the adapter that holds it to where the plan wants it."""
        holder = self.director.routes.of(index)
        assert holder is not None
        goal = self.director.routes.find(target)
        if target.tier == RECOMPUTE:
            self._drop(index, key)
        elif self.director.routes.in_l1(target):
            if key in self.director.l1:
                self._delete_from_l2(index, key)
            elif holder.target.method == UNCOMPRESSED and self._load(key, retain=True) is not None:
                self._delete_from_l2(index, key)
                self._count(self.director.chunk_bytes)
            elif holder.target.method != UNCOMPRESSED:
                self._drop(index, key)
        elif goal is None or self._stored(goal, key):
            self._delete_from_l2(index, key)
        elif holder.target.method == target.method and self._move_file(holder, goal, key):
            pass
        elif holder.target.method == UNCOMPRESSED:
            # The old copy goes when the new transfer has completed: the next turn finds it stored.
            self._rewrite(key)
        else:
            self._drop(index, key)

    def _move_file(self, holder: Route, goal: Route, key: ObjectKey) -> bool:
        """Same method, other tier: the bytes move as they are, whole or not at all."""
        source = path_of(holder, key)
        if source is None or goal.folder is None:
            return False
        destination = os.path.join(goal.folder, file_name(key))
        temporary = f"{destination}.evicpress-{os.getpid()}.tmp"
        try:
            os.makedirs(goal.folder, exist_ok=True)
            shutil.copyfile(source, temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            size = os.path.getsize(temporary)
            os.replace(temporary, destination)
        except OSError as error:
            logger.warning("evicpress: chunk %s stays in %s: %s", key.chunk_hash.hex(), holder.target.tier, error)
            if os.path.exists(temporary):
                os.unlink(temporary)
            return True
        self.director.record(goal.index, [(key, size)])
        self._delete_from_l2(holder.index, key)
        self._count(size)
        return True

    def _rewrite(self, key: ObjectKey) -> bool:
        """Writes the uncompressed chunk to L1 anew, so that LMCache's store path takes it to its new place."""
        data = self._load(key, retain=False)
        layout = self._layout_of(key)
        if data is None or layout is None or not self._delete_from_l1(key):
            return False
        reserved = self.storage.reserve_write([key], layout).get(key)
        if reserved is None or reserved.tensor is None:
            return False
        reserved.tensor.copy_(data)
        self.storage.finish_write([key])
        self._count(data.numel() * data.element_size())
        return True

    def _load(self, key: ObjectKey, *, retain: bool) -> Any | None:
        """The uncompressed chunk's tensor, a copy, through LMCache's own prefetch; None where it cannot be had."""
        layout = self._layout_of(key)
        if layout is None:
            return None
        group = GroupedObjectKeys([key], key.object_group_id, layout)
        with self.director.lock:
            self.director.migrating.add(key)
        try:
            task = PrefetchTaskSpec([group], lock_mode=PrefetchLockMode.LOCK)
            handle = self.storage.submit_prefetch_task(task, external_request_id="evicpress-migration")
            self.storage.wait_prefetch_status(handle, LOAD_SECONDS)
            result = self.storage.query_prefetch_status(handle)
            if result is None or result.l1_hit_count + result.l2_hit_count == 0:
                return None
            try:
                _keys, objects = self.storage.unsafe_read([key])
                tensor = objects[0].tensor if objects else None
                return None if tensor is None else tensor.clone()
            finally:
                self.storage.finish_read_prefetched([key])
                if retain:
                    self.director.note_l1([key])
        finally:
            with self.director.lock:
                self.director.migrating.discard(key)

    def _drop(self, index: int, key: ObjectKey) -> None:
        self._delete_from_l2(index, key)
        self.director.counters.dropped_chunks += 1

    def _delete_from_l2(self, index: int, key: ObjectKey) -> None:
        for descriptor, adapter in self.storage.l2_adapters():
            if descriptor.index == index:
                adapter.delete([key])
        # Adapters tell of a deletion only for keys they counted themselves, not for files of an earlier run.
        self.director.note_deleted(index, [key])

    def _stored(self, route: Route, key: ObjectKey) -> bool:
        with self.director.lock:
            return key in self.director.stored[route.index]

    # --- pace ---------------------------------------------------------------------------------------------

    def _allowed(self) -> bool:
        return time.monotonic() >= self._next_move_at

    def _spend(self, size: int) -> None:
        self._next_move_at = max(time.monotonic(), self._next_move_at) + size / self._rate

    def _count(self, size: int) -> None:
        self.director.counters.migrated_chunks += 1
        self.director.counters.migrated_bytes += size
        self._spend(size)
