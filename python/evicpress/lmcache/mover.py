"""Moves one chunk at a time to where the plan wants it, at a bounded rate; requests go on meanwhile.

Only LMCache's public storage calls are used. Data compressed with loss is never compressed again: what cannot be
made from an uncompressed copy is dropped and will be recomputed by the next request that needs it.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .compat import GroupedObjectKeys, MemoryLayoutDesc, ObjectKey, PrefetchLockMode, PrefetchTaskSpec, StorageManager
from .director import Director
from .inventory import file_name, is_chunk, path_of
from .plan import RECOMPUTE, UNCOMPRESSED, Target
from .routes import Route

logger = logging.getLogger(__name__)

#: Longest wait for one chunk to be loaded.
LOAD_SECONDS = 30.0
#: An unfinished file of LMCache's that is older was left by a server that was killed.
STALE_SECONDS = 600.0
_MARK = f".evicpress-{socket.gethostname()}-"


class Mover:
    """Carries out moves one by one, and keeps their pace."""

    def __init__(
        self,
        director: Director,
        storage: StorageManager,
        layout_of: Callable[[ObjectKey], MemoryLayoutDesc | None],
        bytes_per_second: float,
    ) -> None:
        self._director, self._storage, self._layout_of, self._rate = director, storage, layout_of, bytes_per_second
        self._next_at = 0.0
        for route in director.routes.adapters:
            if route.folder is not None:
                _clear_unfinished(route.folder)

    # --- pace

    @property
    def wait_seconds(self) -> float:
        """How long the rate forbids the next move; 0 where it may be made now."""
        return max(0.0, self._next_at - time.monotonic())

    def _count(self, size: int) -> None:
        self._director.counters.migrated_chunks += 1
        self._director.counters.migrated_bytes += size
        self._next_at = max(time.monotonic(), self._next_at) + size / self._rate

    # --- moves

    def place(self, key: ObjectKey, index: int, target: Target) -> None:
        """Brings a chunk from the adapter that holds it to where the plan wants it."""
        director = self._director
        holder = director.routes.of(index)
        assert holder is not None
        goal = director.routes.find(target)
        if holder.folder is not None and path_of(holder, key) is None:
            # Gone by another hand: a second server on the same folder, or an operator.
            director.note_deleted(index, [key])
        elif target.tier == RECOMPUTE:
            self.drop(index, key)
        elif director.routes.in_l1(target):
            if key in director.l1:
                self.delete_from_l2(index, key)
            elif holder.target.method == UNCOMPRESSED and self._load(key, retain=True) is not None:
                self.delete_from_l2(index, key)
                self._count(director.chunk_bytes)
            elif holder.target.method != UNCOMPRESSED:
                self.drop(index, key)
        elif goal is None or director.is_stored(goal, key):
            self.delete_from_l2(index, key)
        elif holder.target.method == target.method and self._move_file(holder, goal, key):
            pass
        elif holder.target.method == UNCOMPRESSED:
            # The old copy goes when the new transfer has completed: the next turn finds it stored.
            self.rewrite(key)
        else:
            self.drop(index, key)

    def _move_file(self, holder: Route, goal: Route, key: ObjectKey) -> bool:
        """Same method, other tier: the bytes move as they are, whole or not at all."""
        source = path_of(holder, key)
        if source is None or goal.folder is None:
            return False
        destination = os.path.join(goal.folder, file_name(key))
        temporary = f"{destination}{_MARK}{os.getpid()}.tmp"
        try:
            os.makedirs(goal.folder, exist_ok=True)
            shutil.copyfile(source, temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            size = os.path.getsize(temporary)
            os.replace(temporary, destination)
        except OSError as error:
            logger.warning("evicpress: chunk %s stays in %s: %s", key.chunk_hash.hex(), holder.target.tier, error)
            self._director.counters.failed_moves += 1
            if os.path.exists(temporary):
                os.unlink(temporary)
            return True
        self._director.record(goal.index, [(key, size)])
        self.delete_from_l2(holder.index, key)
        self._count(size)
        return True

    def rewrite(self, key: ObjectKey) -> bool:
        """Writes the uncompressed chunk to L1 anew, so that LMCache's store path takes it to its new place."""
        data = self._load(key, retain=False)
        layout = self._layout_of(key)
        if data is None or layout is None or not self.delete_from_l1(key):
            return False
        reserved = self._storage.reserve_write([key], layout).get(key)
        if reserved is None or reserved.tensor is None:
            return False
        reserved.tensor.copy_(data)
        self._storage.finish_write([key])
        self._count(data.numel() * data.element_size())
        return True

    def _load(self, key: ObjectKey, *, retain: bool) -> Any | None:
        """The uncompressed chunk's tensor, a copy, through LMCache's own prefetch; None where it cannot be had."""
        layout = self._layout_of(key)
        if layout is None:
            return None
        group = GroupedObjectKeys([key], key.object_group_id, layout)
        director, storage = self._director, self._storage
        with director.lock:
            director.migrating.add(key)
        try:
            task = PrefetchTaskSpec([group], lock_mode=PrefetchLockMode.LOCK)
            handle = storage.submit_prefetch_task(task, external_request_id="evicpress-migration")
            storage.wait_prefetch_status(handle, LOAD_SECONDS)
            result = storage.query_prefetch_status(handle)
            if result is None or result.l1_hit_count + result.l2_hit_count == 0:
                return None
            try:
                _keys, objects = storage.unsafe_read([key])
                tensor = objects[0].tensor if objects else None
                return None if tensor is None else tensor.clone()
            finally:
                storage.finish_read_prefetched([key])
                if retain:
                    director.note_l1([key])
        finally:
            with director.lock:
                director.migrating.discard(key)

    def drop(self, index: int, key: ObjectKey) -> None:
        """Deletes an L2 copy for which there is no other: the next request recomputes."""
        self.delete_from_l2(index, key)
        self._director.counters.dropped_chunks += 1

    # --- deletions

    def delete_from_l1(self, key: ObjectKey) -> bool:
        """False where a request holds the chunk."""
        _deleted, locked = self._storage.delete_l1_keys([key])
        if locked:
            return False
        self._director.forget_l1(key)
        return True

    def delete_from_l2(self, index: int, key: ObjectKey) -> None:
        for descriptor, adapter in self._storage.l2_adapters():
            if descriptor.index == index:
                adapter.delete([key])
        # Adapters tell of a deletion only for keys they counted themselves, not for files of an earlier run.
        self._director.note_deleted(index, [key])


def _clear_unfinished(folder: str) -> None:
    """Removes what a server that was killed has left: its moves, and LMCache's own writes; other hosts' moves stay."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        unfinished = entry.name.removesuffix(".tmp")
        if unfinished == entry.name:
            continue
        name, mark, pid = unfinished.partition(_MARK)
        if mark:
            # Our own number belongs to an earlier life: in a container every server has the same.
            ended = pid.isdigit() and (int(pid) == os.getpid() or not os.path.exists(f"/proc/{pid}"))
        else:
            # LMCache does not say who writes; nobody takes this long.
            ended = is_chunk(name) and time.time() - entry.stat().st_mtime > STALE_SECONDS
        if ended:
            # Another server may clear the same folder.
            Path(entry.path).unlink(missing_ok=True)
