"""LMCache's two decisions, taken from the plan: where a new chunk goes, and what stays in L1 after a load.

LMCache makes policies itself, by name and without arguments, so the director they ask is set beforehand.
"""

from __future__ import annotations

import logging

from .compat import (
    DefaultPrefetchPolicy,
    L2AdapterDescriptor,
    ObjectKey,
    PrefetchPlan,
    StorePolicy,
    register_prefetch_policy,
    register_store_policy,
)
from .director import Director

logger = logging.getLogger(__name__)
NAME = "evicpress"


def register_policies(director: Director) -> None:
    """Makes both policies known as ``evicpress``; call before LMCache's command line is parsed."""

    class PlanStorePolicy(StorePolicy):
        """Each chunk to the one adapter of its place; chunks that belong in L1 or nowhere to none."""

        def select_store_targets(
            self, keys: list[ObjectKey], adapters: list[L2AdapterDescriptor]
        ) -> dict[int, list[ObjectKey]]:
            director.note_l1(keys)
            targets: dict[int, list[ObjectKey]] = {}
            attached = {adapter.index for adapter in adapters}
            for key in keys:
                target = director.wanted(key)
                route = director.routes.find(target) if target else None
                if route is not None and route.index in attached:
                    targets.setdefault(route.index, []).append(key)
            return targets

        def select_l1_deletions(self, keys: list[ObjectKey]) -> list[ObjectKey]:
            return [key for key in keys if not director.belongs_in_l1(key)]

    class PlanPrefetchPolicy(DefaultPrefetchPolicy):
        """Loads as LMCache does; only chunks that belong in L1 stay there."""

        def plan_load(
            self, key_groups, l1_locked_keys, l2_locked_keys, l1_manager_descs, l2_adapter_descs, fetching_policy
        ) -> PrefetchPlan:
            plan = super().plan_load(
                key_groups, l1_locked_keys, l2_locked_keys, l1_manager_descs, l2_adapter_descs, fetching_policy
            )
            # An exception here would silently turn hits into recomputes: bookkeeping must not cost a hit.
            try:
                _count(director, key_groups, plan, l1_manager_descs, l2_adapter_descs)
            except Exception:
                logger.exception("evicpress: a prefetch could not be counted")
            return plan

        def plan_l1_retention(self, keys, l1_manager_desc, l2_adapter_desc) -> list[bool]:
            try:
                kept = [director.belongs_in_l1(key) for key in keys]
                director.note_used(l2_adapter_desc.index, keys)
                director.note_l1(key for key, keep in zip(keys, kept) if keep)
                return kept
            except Exception:
                logger.exception("evicpress: retention could not be decided")
                return [False] * len(keys)

    register_store_policy(NAME, PlanStorePolicy)
    register_prefetch_policy(NAME, PlanPrefetchPolicy)


def _count(director: Director, key_groups, plan: PrefetchPlan, l1_managers, l2_adapters) -> None:
    counters = director.counters
    with director.lock:
        keys = [key for group in key_groups for key in group.keys]
        if any(key in director.migrating for key in keys):
            return
        for key in keys:
            if director.planned(key) is None:
                counters.chunks_unseen += 1
            else:
                counters.chunks_planned += 1
        for index in l1_managers:
            if index in plan.l1_planned_keys:
                for group, row in zip(key_groups, plan.l1_planned_keys[index]):
                    hits = [key for i, key in enumerate(group.keys) if row.test(i)]
                    counters.hit_chunks[director.routes.l1_target] += len(hits)
                    director.note_l1(hits)
        for index in l2_adapters:
            route = director.routes.of(index)
            if route is not None and index in plan.l2_planned_keys:
                counters.hit_chunks[route.target] += plan.l2_planned_keys[index].popcount()
