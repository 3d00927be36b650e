"""What LMCache loads at startup: joins director and keeper to the running server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .compat import (
    TRANSFER_MODULES,
    Event,
    EventType,
    InstanceLivenessTarget,
    L2AdapterListener,
    MemoryLayoutDesc,
    ObjectKey,
    StorageManager,
)
from .director import Director
from .inventory import held
from .keeper import Keeper
from .metrics import register_metrics, status_of

#: Three of LMCache's heartbeats: a worker that has not pinged for so long is gone.
ALIVE_SECONDS = 30.0

#: Set by the command line before the server starts; LMCache passes JSON only.
director: Director | None = None


class _Whereabouts(L2AdapterListener):
    """Tells the director what one adapter has stored, used and deleted."""

    def __init__(self, director: Director, index: int) -> None:
        self._director, self._index = director, index

    def on_l2_keys_stored(self, keys: list[ObjectKey], sizes: list[int]) -> None:
        self._director.note_stored(self._index, keys, sizes)

    def on_l2_keys_accessed(self, keys: list[ObjectKey]) -> None:
        self._director.note_used(self._index, keys)

    def on_l2_keys_deleted(self, keys: list[ObjectKey]) -> None:
        self._director.note_deleted(self._index, keys)


def attach(director: Director, storage: StorageManager, event_bus: Any) -> None:
    """Takes stock of the adapters, listens to them, and to loads and failures on the event bus."""
    for descriptor, adapter in storage.l2_adapters():
        route = director.routes.of(descriptor.index)
        if route is not None:
            adapter.register_listener(_Whereabouts(director, descriptor.index))
            director.record(route.index, held(route, adapter))
    started: dict[tuple[int, int], tuple[float, int]] = {}

    def load_submitted(event: Event) -> None:
        meta = event.metadata
        started[(meta["adapter_index"], meta["task_id"])] = (time.monotonic(), meta.get("total_bytes", 0))

    def load_completed(event: Event) -> None:
        meta = event.metadata
        begun = started.pop((meta["adapter_index"], meta["task_id"]), None)
        route = director.routes.of(meta["adapter_index"])
        if begun is not None and route is not None:
            with director.lock:
                director.counters.load_seconds[route.target] += time.monotonic() - begun[0]
                director.counters.load_bytes[route.target] += begun[1]

    def prefetch_failed(event: Event) -> None:
        meta = event.metadata
        if meta.get("reason") == "l1_contended":
            # The chunk came into L1 meanwhile and is served from there.
            return
        director.note_failed_load(list(meta.get("keys", ())), unreadable=meta.get("reason") == "not_found")

    def allocation_failed(event: Event) -> None:
        director.counters.l1_allocation_failures += len(event.metadata.get("keys", ()))

    def written(event: Event) -> None:
        for meta in event.metadata.get("meta", ())[:1]:
            director.chunk_bytes = meta.size_bytes

    event_bus.subscribe(EventType.L2_LOAD_TASK_SUBMITTED, load_submitted)
    event_bus.subscribe(EventType.L2_LOAD_TASK_COMPLETED, load_completed)
    event_bus.subscribe(EventType.L2_PREFETCH_FAILED, prefetch_failed)
    event_bus.subscribe(EventType.L1_ALLOCATION_FAILED, allocation_failed)
    event_bus.subscribe(EventType.L1_WRITE_FINISHED, written)


class PlanModule(InstanceLivenessTarget):
    """LMCache's engine-module protocol around the keeper, and an eye on engines that this server does not know."""

    def __init__(self, context: Any, director: Director, keeper: Keeper, modules: Sequence[Any] = ()) -> None:
        self._context, self._director, self._keeper = context, director, keeper
        self._transfers = [module for module in modules if isinstance(module, TRANSFER_MODULES)]
        #: When each engine worker last pinged, by its id.
        self._pinged: dict[int, float] = {}

    @property
    def context(self) -> Any:
        return self._context

    def report_status(self) -> dict:
        return {"is_healthy": self._keeper.is_alive(), "evicpress": status_of(self._director)}

    def touch_instance(self, instance_id: int) -> None:
        """Fails the first ping of a worker that has not registered with this server.

        A server that is started anew within a heartbeat (10 s) looks to an engine as if it had never been away: the
        engine would not register again, and its requests would wait for ever. It does so after a ping that failed.

        Raises:
            RuntimeError: which LMCache logs; the ping stays without an answer.
        """
        now = time.monotonic()
        first = instance_id not in self._pinged
        self._pinged[instance_id] = now
        alive = sum(1 for at in self._pinged.values() if now - at <= ALIVE_SECONDS)
        registered = sum(module.tracked_instance_count() for module in self._transfers)
        if first and registered < alive:
            raise RuntimeError("evicpress: a ping of an engine that knows an earlier server; it will register anew")

    def close(self) -> None:
        self._keeper.close()


def build_server_modules(build: Any) -> PlanModule:
    """LMCache calls this with what it has built so far and our options as JSON."""
    if director is None:
        raise RuntimeError("start this server with python -m evicpress.lmcache")
    context = build.server_context

    def layout_of(key: ObjectKey) -> MemoryLayoutDesc | None:
        world_size = ObjectKey.WorldSizeFromKVRank(key.kv_rank)
        layouts = context.layout_desc_registry.find_group_layout_descs(key.model_name, world_size)
        return (layouts or {}).get(key.object_group_id)

    attach(director, context.storage_manager, context.event_bus)
    register_metrics(director)
    keeper = Keeper(director, context.storage_manager, build.config["plan"], layout_of, **build.config["keeper"])
    keeper.start()
    return PlanModule(context, director, keeper, build.modules)
