"""A plan as an engine needs it: where each chunk of KV cache belongs.

No import of LMCache here, so that a plan can be checked anywhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .chunk_table import ChunkTable

RECOMPUTE = "recompute"
UNCOMPRESSED = "none"


class PlanRefused(ValueError):
    """The file is not a whole, valid plan for this engine. The message says what and where."""


class Target(NamedTuple):
    """Where a chunk belongs: a tier's name (or ``recompute``) and a method's name (``none`` is uncompressed)."""

    tier: str
    method: str


class Plan:
    """A whole plan, by chunk."""

    def __init__(self, block: Any) -> None:
        """``block`` is what ``compile_plan`` wrote: bytes, or a mapped file."""
        self._table = ChunkTable(block)
        facts = self._table.description
        self.header: dict[str, Any] = facts["header"]
        self.generation: int = self.header["generation"]
        self.model: str | None = self.header.get("model")
        self.sha256: str = facts["sha256"]
        self.chunk_size: int | None = facts["chunkSize"]
        self.contexts: int = facts["contexts"]
        self.contexts_without_keys: int = facts["contextsWithoutKeys"]
        #: Chunks that several contexts asked for with different options.
        self.conflicts: int = facts["conflicts"]
        self._targets = [Target(*pair) for pair in facts["targets"]]

    @property
    def chunks(self) -> int:
        return len(self._table)

    def target(self, salt: str, chunk_hash: bytes) -> Target | None:
        """Where a chunk belongs; None where the plan does not know it."""
        number = self._table.find(salt, chunk_hash)
        return None if number is None else self._targets[number]

    def targets(self) -> set[Target]:
        """Every distinct place the plan wants to use."""
        return set(self._targets)

    def capacity_bytes(self, tier: str, *, reserved: bool = False) -> float:
        """The tier's capacity in the plan, on request with what is reserved for the engine; infinity where it is unlimited or not named."""
        for entry in self.header["tiers"]:
            if entry.get("name") == tier and entry.get("capacityBytes") is not None:
                return float(entry["capacityBytes"]) + (float(entry.get("reservedBytes") or 0) if reserved else 0.0)
        return float("inf")
