"""What to do with a chunk that no context of the plan contains: the plan's rules for its class.

A chunk's key tells its tenant (the ``cache_salt``), nothing else; so the rule of that tenant applies, else the one
for all, else what the classes without a tenant have in common. Fields read, all optional:

    rules.classes[]: {class?, tenant?, accesses, requestTokens, method, bytesFraction, quality}
    rules.prefillSecondsPerToken, tiers[].readBytesPerSecond, tiers[].price, objective.alpha

With all of them each place is worth ``accesses · (share·alpha·(quality − 1) + prefill − load) − price·bytes``, the
plan's own objective for one chunk, where ``share`` is the chunk's part of its request's reusable tokens; the best place that is worth more than nothing is taken. With fewer, a
chunk is kept in L1 and, compressed as its class is, in the fastest tier below that has an adapter for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .plan import UNCOMPRESSED, Plan, Target
from .routes import Routes


@dataclass(frozen=True)
class ClassRule:
    """How contexts of a class are expected to be used, and how they may be compressed."""

    accesses: float
    #: Reusable tokens of a request; 0 where the plan does not say, then a chunk stands for a whole request.
    request_tokens: float
    method: str
    bytes_fraction: float
    quality: float


#: Where the plan says nothing at all: keep chunks as they are, least recently used ones go first.
FALLBACK = ClassRule(1.0, 0.0, UNCOMPRESSED, 1.0, 1.0)


class UnseenRules:
    """Answers for one plan and one server; decisions are remembered per tenant."""

    def __init__(self, plan: Plan | None, routes: Routes) -> None:
        self._routes = routes
        self._header: dict[str, Any] = plan.header if plan else {}
        rules = self._header.get("rules")
        classes = rules.get("classes") if isinstance(rules, dict) else None
        self._classes: list[dict[str, Any]] = [c for c in classes or [] if isinstance(c, dict)]
        self._chunk_tokens = (plan.chunk_size if plan else None) or 256
        self._decided: dict[tuple[str, int], Target | None] = {}

    def rule(self, tenant: str) -> ClassRule:
        """The rule of a tenant's unseen chunks."""
        own = [c for c in self._classes if c.get("tenant") == tenant and tenant != ""]
        without = [c for c in self._classes if not c.get("tenant")]
        shared = own or [c for c in without if not c.get("class")] or without
        weight = sum(_float(c, "accesses", 0.0) for c in shared)
        if weight <= 0:
            return FALLBACK
        heaviest = max(shared, key=lambda c: _float(c, "accesses", 0.0))
        return ClassRule(
            weight / len(shared),
            _float(heaviest, "requestTokens", 0.0),
            str(heaviest.get("method", UNCOMPRESSED)),
            _float(heaviest, "bytesFraction", 1.0),
            _float(heaviest, "quality", 1.0),
        )

    def place(self, tenant: str, chunk_bytes: int) -> Target | None:
        """The L2 place of an unseen chunk, or None for L1 alone."""
        key = (tenant, chunk_bytes)
        if key not in self._decided:
            self._decided[key] = self._decide(self.rule(tenant), chunk_bytes)
        return self._decided[key]

    def _decide(self, rule: ClassRule, chunk_bytes: int) -> Target | None:
        options = [r.target for r in self._routes.adapters if r.target.method == rule.method]
        if not options:
            options = [r.target for r in self._routes.adapters if r.target.method == UNCOMPRESSED]
        priced = [(value, target) for target in options if (value := self._value(rule, target, chunk_bytes)) is not None]
        if not priced:
            return options[0] if options else None
        value, target = max(priced, key=lambda pair: pair[0])
        return target if value > 0 else None

    def _value(self, rule: ClassRule, target: Target, chunk_bytes: int) -> float | None:
        tier = next((t for t in self._header.get("tiers", []) if t.get("name") == target.tier), {})
        rules = self._header.get("rules") or {}
        speed, per_token = tier.get("readBytesPerSecond"), rules.get("prefillSecondsPerToken")
        if not isinstance(speed, (int, float)) or not isinstance(per_token, (int, float)) or speed <= 0:
            return None
        stored = chunk_bytes * (rule.bytes_fraction if target.method == rule.method else 1.0)
        quality = rule.quality if target.method == rule.method else 1.0
        alpha = _float(self._header.get("objective") or {}, "alpha", 0.0)
        share = min(1.0, self._chunk_tokens / rule.request_tokens) if rule.request_tokens > 0 else 1.0
        gain = share * alpha * (quality - 1) + per_token * self._chunk_tokens - stored / speed
        return rule.accesses * gain - _float(tier, "price", 0.0) * stored


def _float(value: dict[str, Any], name: str, default: float) -> float:
    number = value.get(name, default)
    return float(number) if isinstance(number, (int, float)) and number == number else default
