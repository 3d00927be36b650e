"""Which L2 adapter of the server stands for which (tier, method), and what is left of the room in each tier.

The operator marks an adapter with the plan's name of its tier; the method follows from its serde:

    --l2-adapter '{"type":"fs","base_path":"/mnt/nvme/int8","evicpress_tier":"ssd","serde":{"type":"evicpress-int8"}}'

LMCache numbers adapters in the order of the command line; a runtime-added adapter belongs to no tier.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from .apart import apart
from .plan import RECOMPUTE, UNCOMPRESSED, Plan, PlanRefused, Target
from .serdes import method_of

TIER_KEY = "evicpress_tier"
#: Tiers on files of this host: what they hold can be listed after a restart.
FILE_TYPES = ("fs", "fs_native")


@dataclass(frozen=True)
class Route:
    """One L2 adapter: its number, the place it stands for, and its folder where it keeps files."""

    index: int
    target: Target
    folder: str | None


@dataclass(frozen=True)
class Routes:
    """All places this server has: its memory (L1) and its adapters."""

    l1_tier: str
    adapters: tuple[Route, ...]

    def find(self, target: Target) -> Route | None:
        return next((route for route in self.adapters if route.target == target), None)

    def of(self, index: int) -> Route | None:
        return next((route for route in self.adapters if route.index == index), None)

    @property
    def l1_target(self) -> Target:
        return Target(self.l1_tier, UNCOMPRESSED)

    def in_l1(self, target: Target) -> bool:
        return target == self.l1_target

    def check(self, plan: Plan) -> None:
        """Refuses a plan that names a place this server has not.

        Raises:
            PlanRefused: naming the place and the places there are.
        """
        for target in sorted(plan.targets()):
            if target.tier == RECOMPUTE or self.in_l1(target) or self.find(target) is not None:
                continue
            known = ", ".join(self.describe())
            raise PlanRefused(
                f"the plan wants {target.method} in tier {target.tier}, and this server has no L2 adapter for that. "
                f"It has: {known}. Add the adapter, or make the plan with --engine lmcache and these tiers."
            )

    def describe(self) -> list[str]:
        return [f"{UNCOMPRESSED} in {self.l1_tier} (L1)"] + [
            f"{route.target.method} in {route.target.tier}" for route in self.adapters
        ]


def split_adapter_spec(index: int, text: str) -> tuple[str, Route | None]:
    """Takes our key out of an ``--l2-adapter`` value.

    Returns:
        What LMCache is to see, and the route, or None where the adapter is not part of the plan.

    Raises:
        ValueError: where the value is not a JSON object.
    """
    spec = json.loads(text)
    if not isinstance(spec, dict):
        raise ValueError(f"--l2-adapter: expected a JSON object, got {text[:80]}")
    tier = spec.pop(TIER_KEY, None)
    if tier is None:
        return text, None
    if spec.get("type") == "valkey" and "password" not in spec:
        # LMCache's other client of Redis takes it from there, so that it stands on no command line.
        spec["password"] = os.environ.get("LMCACHE_RESP_PASSWORD", "")
    serde = spec.get("serde") or {}
    method = method_of(serde.get("type"))
    folder = spec.get("base_path") if spec.get("type") in FILE_TYPES else None
    if folder is None and method != UNCOMPRESSED:
        spec = apart(spec, method)
    return json.dumps(spec), Route(index, Target(str(tier), method), folder)
