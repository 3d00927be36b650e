"""What has happened since the server started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .plan import Target


@dataclass
class Counters:
    """All of it appears in the server's metrics and status."""

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
