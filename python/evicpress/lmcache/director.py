"""The one object that knows the plan in force and where every chunk is; policies ask it, the keeper acts on it.

Thread-safe: LMCache calls the policies from its store and prefetch threads, the keeper has threads of its own.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import chain

from .compat import ObjectKey
from .counters import Counters
from .plan import RECOMPUTE, Plan, PlanRefused, Target
from .routes import Route, Routes
from .rules import UnseenRules


#: Keys that are compared with a new plan under one hold of the lock: about a millisecond.
_JUDGED_AT_ONCE = 500


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
        #: Those of them that the plan does not want there, oldest use first: they make room for others.
        self.spare: dict[int, OrderedDict[ObjectKey, None]] = {r.index: OrderedDict() for r in routes.adapters}
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
            for spare in self.spare.values():
                spare.clear()
            self.l1_open.update(self.l1)
            held = [(index, key) for index, table in self.stored.items() for key in table]
        # A few at a time: requests ask for the same lock.
        for start in range(0, len(held), _JUDGED_AT_ONCE):
            with self.lock:
                for index, key in held[start : start + _JUDGED_AT_ONCE]:
                    self._judge(index, key)
        self.changed.set()

    def _judge(self, index: int, key: ObjectKey) -> None:
        """Keeps ``misplaced`` and ``spare`` true for one key of one adapter. Needs the lock."""
        route = self.routes.of(index)
        held = route is not None and key in self.stored[index]
        target = self.planned(key) if held else None
        if held and target is not None and target != route.target:
            self.misplaced[(index, key)] = target
        else:
            self.misplaced.pop((index, key), None)
        if held and target != route.target:
            self.spare[index][key] = None
        else:
            self.spare[index].pop(key, None)

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

    def note_used(self, index: int, keys: Sequence[ObjectKey]) -> None:
        with self.lock:
            for table in (self.stored.get(index, OrderedDict()), self.spare.get(index, OrderedDict())):
                for key in keys:
                    if key in table:
                        table.move_to_end(key)

    def note_deleted(self, index: int, keys: Iterable[ObjectKey]) -> None:
        with self.lock:
            table = self.stored.get(index, OrderedDict())
            for key in keys:
                self.bytes_in[index] -= table.pop(key, 0)
                self._judge(index, key)

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

    def victims(self, tier: str, excess: float) -> list[tuple[int, ObjectKey]]:
        """What makes room for so many bytes in a tier: chunks the plan does not want there, then others, oldest use first."""
        found: list[tuple[int, ObjectKey]] = []
        indexes = [route.index for route in self.routes.adapters if route.target.tier == tier]
        with self.lock:
            spare = ((index, key) for index in indexes for key in self.spare[index])
            wanted = ((index, key) for index in indexes for key in self.stored[index] if key not in self.spare[index])
            for index, key in chain(spare, wanted):
                if excess <= 0:
                    break
                found.append((index, key))
                excess -= self.stored[index][key]
        return found

    @property
    def unseen_share(self) -> float:
        """Share of the chunks looked up so far that no plan knew when they were."""
        unseen, planned = self.counters.chunks_unseen, self.counters.chunks_planned
        return unseen / (unseen + planned) if unseen else 0.0
