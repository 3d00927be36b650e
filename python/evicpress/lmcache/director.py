"""The one object that knows the plan in force and where every chunk is; policies ask it, the keeper acts on it.

Thread-safe: LMCache calls the policies from its store and prefetch threads, the keeper has threads of its own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Iterable

from .compat import ObjectKey
from .plan import RECOMPUTE, Plan, PlanRefused, Target
from .routes import Route, Routes
from .rules import UnseenRules


#: Keys that are compared with a new plan under one hold of the lock: about a millisecond.
_JUDGED_AT_ONCE = 500


@dataclass
class Counters:
    """What has happened since the server started; all of it appears in the server's metrics."""

    hit_chunks: Counter[Target] = field(default_factory=Counter)
    load_seconds: Counter[Target] = field(default_factory=Counter)
    load_bytes: Counter[Target] = field(default_factory=Counter)
    stored_chunks: Counter[Target] = field(default_factory=Counter)
    stored_bytes: Counter[Target] = field(default_factory=Counter)
    chunks_planned: int = 0
    chunks_unseen: int = 0
    plans_loaded: int = 0
    plans_refused: int = 0
    prefetch_failures: int = 0
    l1_allocation_failures: int = 0
    migrated_chunks: int = 0
    migrated_bytes: int = 0
    failed_moves: int = 0
    dropped_chunks: int = 0
    evicted_chunks: int = 0


class Director:
    """Plan, whereabouts and counters of one server."""

    def __init__(self, routes: Routes, model: str | None = None) -> None:
        self.routes = routes
        #: The model, by the plan's name for it, that plans must be for; without one the first plan says.
        self.model = model
        self.counters = Counters()
        self.lock = threading.RLock()
        self.plan: Plan | None = None
        self.plan_loaded_at: float | None = None
        self.last_refusal: str | None = None
        self.rules = UnseenRules(None, routes)
        #: Keys resident in L1 by last use, oldest first; kept by what the policies see.
        self.l1: OrderedDict[ObjectKey, float] = OrderedDict()
        #: Those of them that are still to be looked at: written or used since, or before the plan in force.
        self.l1_open: set[ObjectKey] = set()
        #: Per adapter: keys whose transfer into it has completed, with their stored bytes, oldest use first.
        self.stored: dict[int, OrderedDict[ObjectKey, int]] = {r.index: OrderedDict() for r in routes.adapters}
        self.bytes_in: dict[int, int] = {r.index: 0 for r in routes.adapters}
        #: Keys the keeper itself is loading; not a request's hits.
        self.migrating: set[ObjectKey] = set()
        #: (adapter, key) of every chunk that lies in another place than the plan gives it, with that place.
        self.misplaced: dict[tuple[int, ObjectKey], Target] = {}
        #: Keys whose copy in L2 could not be loaded.
        self.unreadable: set[ObjectKey] = set()
        #: Size of a new plan that is being read, 0 where none is.
        self.reading_bytes = 0
        #: Bytes of an uncompressed chunk, once one has been seen.
        self.chunk_bytes = 0
        #: Wakes the keeper when something has changed.
        self.changed = threading.Event()

    def adopt(self, plan: Plan) -> None:
        """Puts a plan in force. Raises PlanRefused where this server cannot carry it out."""
        self.routes.check(plan)
        # Another model's chunks can have the same names: where the tokenizer is the same.
        if self.model is not None and plan.model is not None and plan.model != self.model:
            raise PlanRefused(
                f"the plan is for model {plan.model!r}, and this server follows plans for {self.model!r}. "
                f"To change that, start it with --plan-model {plan.model}."
            )
        rules = UnseenRules(plan, self.routes)
        with self.lock:
            self.last_refusal = None
            if self.plan is not None and plan.sha256 == self.plan.sha256:
                return
            self.plan, self.rules = plan, rules
            self.model = self.model or plan.model
            self.plan_loaded_at = time.time()
            self.counters.plans_loaded += 1
            self.misplaced.clear()
            self.l1_open.update(self.l1)
            held = [(index, key) for index, table in self.stored.items() for key in table]
        # A few at a time: requests ask for the same lock.
        for start in range(0, len(held), _JUDGED_AT_ONCE):
            with self.lock:
                for index, key in held[start : start + _JUDGED_AT_ONCE]:
                    self._judge(index, key)
        self.changed.set()

    def _judge(self, index: int, key: ObjectKey) -> None:
        """Keeps ``misplaced`` true for one key of one adapter. Needs the lock."""
        route = self.routes.of(index)
        target = self.planned(key) if key in self.stored[index] else None
        if target is None or route is None or target == route.target:
            self.misplaced.pop((index, key), None)
        else:
            self.misplaced[(index, key)] = target

    def refuse(self, reason: str) -> None:
        """Notes that a plan was refused; the one in force stays."""
        with self.lock:
            self.last_refusal = reason
            self.counters.plans_refused += 1

    def planned(self, key: ObjectKey) -> Target | None:
        """The place the plan gives a key's chunk, or None where the plan does not know it."""
        plan = self.plan
        return plan.target(key.cache_salt, key.chunk_hash) if plan else None

    def wanted(self, key: ObjectKey) -> Target | None:
        """Where a chunk's L2 copy belongs: by plan, else by the rules; None for no copy in L2."""
        target = self.planned(key)
        if target is None:
            return self.rules.place(key.cache_salt, self.chunk_bytes)
        return None if target.tier == RECOMPUTE or self.routes.in_l1(target) else target

    def belongs_in_l1(self, key: ObjectKey) -> bool:
        """Whether a chunk may stay in L1: pinned there by the plan, or unseen (least recently used goes first)."""
        target = self.planned(key)
        return target is None or self.routes.in_l1(target)

    def note_l1(self, keys: Iterable[ObjectKey]) -> None:
        """Keys that were written to or used in L1."""
        now = time.monotonic()
        with self.lock:
            for key in keys:
                self.l1[key] = now
                self.l1.move_to_end(key)
                self.l1_open.add(key)
        self.changed.set()

    def settle_l1(self, key: ObjectKey) -> bool:
        """Whether a key rightly stays in L1; then it is not looked at again before it is used or the plan changes."""
        with self.lock:
            if not self.belongs_in_l1(key):
                return False
            self.l1_open.discard(key)
            return True

    def forget_l1(self, key: ObjectKey) -> None:
        with self.lock:
            self.l1.pop(key, None)
            self.l1_open.discard(key)

    def note_stored(self, index: int, keys: list[ObjectKey], sizes: list[int]) -> None:
        """Transfers into an adapter that have completed: only now do the placements count."""
        route = self.routes.of(index)
        if route is None:
            return
        with self.lock:
            self.record(index, zip(keys, sizes))
            self.counters.stored_chunks[route.target] += len(keys)
            self.counters.stored_bytes[route.target] += sum(sizes)
        self.changed.set()

    def record(self, index: int, entries: Iterable[tuple[ObjectKey, int]]) -> None:
        """What an adapter holds, also where it was there before this server started."""
        with self.lock:
            table = self.stored[index]
            for key, size in entries:
                self.bytes_in[index] += size - table.get(key, 0)
                table[key] = size
                table.move_to_end(key)
                self._judge(index, key)

    def note_used(self, index: int, keys: Iterable[ObjectKey]) -> None:
        with self.lock:
            table = self.stored.get(index, OrderedDict())
            for key in keys:
                if key in table:
                    table.move_to_end(key)

    def note_deleted(self, index: int, keys: Iterable[ObjectKey]) -> None:
        with self.lock:
            table = self.stored.get(index, OrderedDict())
            for key in keys:
                self.bytes_in[index] -= table.pop(key, 0)
                self.misplaced.pop((index, key), None)

    def note_failed_load(self, keys: list[ObjectKey], unreadable: bool) -> None:
        """Loads that became recomputes: for want of room in L1, or because the copy could not be read."""
        with self.lock:
            self.counters.prefetch_failures += len(keys)
            if unreadable:
                self.unreadable.update(keys)
        self.changed.set()

    def is_stored(self, route: Route, key: ObjectKey) -> bool:
        """Whether an adapter holds a key, as far as is known here."""
        with self.lock:
            return key in self.stored[route.index]

    def used_bytes(self, tier: str) -> int:
        """Bytes the tier's adapters hold."""
        with self.lock:
            return sum(self.bytes_in[route.index] for route in self.routes.adapters if route.target.tier == tier)

    @property
    def unseen_share(self) -> float:
        """Share of the chunks looked up so far that no plan knew when they were."""
        unseen, planned = self.counters.chunks_unseen, self.counters.chunks_planned
        return unseen / (unseen + planned) if unseen else 0.0

    def status(self) -> dict[str, object]:
        """For the server's /status."""
        with self.lock:
            plan, counters = self.plan, self.counters
            return {
                "generation": plan.generation if plan else None,
                "sha256": plan.sha256 if plan else None,
                "contexts": plan.contexts if plan else 0,
                "contexts_without_keys": plan.contexts_without_keys if plan else 0,
                "chunks": plan.chunks if plan else 0,
                "chunk_conflicts": plan.conflicts if plan else 0,
                "plan_loaded_at": self.plan_loaded_at,
                "plan_reading_bytes": self.reading_bytes,
                "plans_refused": counters.plans_refused,
                "last_refusal": self.last_refusal,
                "unseen_share": self.unseen_share,
                "l1_chunks": len(self.l1),
                "l1_hit_chunks": counters.hit_chunks[self.routes.l1_target],
                "tiers": {
                    f"{route.target.tier}/{route.target.method}": {
                        "chunks": len(self.stored[route.index]),
                        "bytes": self.bytes_in[route.index],
                        "hit_chunks": counters.hit_chunks[route.target],
                        "load_bytes": counters.load_bytes[route.target],
                        "load_seconds": counters.load_seconds[route.target],
                    }
                    for route in self.routes.adapters
                },
                "misplaced_chunks": len(self.misplaced),
                "migrated_chunks": counters.migrated_chunks,
                "failed_moves": counters.failed_moves,
                "dropped_chunks": counters.dropped_chunks,
                "evicted_chunks": counters.evicted_chunks,
                "prefetch_failures": counters.prefetch_failures,
                "l1_allocation_failures": counters.l1_allocation_failures,
            }
