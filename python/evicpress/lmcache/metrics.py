"""What the adapter does: gauges on the server's /metrics beside LMCache's own, and its part of /status."""

from __future__ import annotations

from .compat import register_gauge
from .director import Director
from .serdes import work_done

Observations = list[tuple[float, dict[str, object]]]
_METER = "evicpress"


def register_metrics(director: Director) -> None:
    """Adds every gauge; they read the director when the server is scraped."""
    counters = director.counters

    def by_place(counts) -> Observations:
        with director.lock:
            return [(float(n), {"tier": t.tier, "method": t.method}) for t, n in counts.items()]

    def held() -> Observations:
        with director.lock:
            return [
                (float(director.bytes_in[r.index]), {"tier": r.target.tier, "method": r.target.method})
                for r in director.routes.adapters
            ]

    def work(field: str) -> Observations:
        return [(float(getattr(done, field)), {"method": name}) for name, done in work_done.items()]

    def relative_error() -> Observations:
        measured = [(name, done) for name, done in work_done.items() if done.sampled_chunks > 0]
        return [(done.relative_errors / done.sampled_chunks, {"method": name}) for name, done in measured]

    gauges = {
        "plan_generation": ("Generation of the plan in force; -1 without one", lambda: director.plan.generation if director.plan else -1),
        "plan_loaded_timestamp_seconds": ("When the plan in force was loaded", lambda: director.plan_loaded_at or 0),
        "plan_reading_bytes": ("Size of a new plan that is being read; 0 where none is", lambda: director.reading_bytes),
        "plans_refused_total": ("Plans refused as damaged or impossible here", lambda: counters.plans_refused),
        "hit_chunks_total": ("Chunks served, by tier and method", lambda: by_place(counters.hit_chunks)),
        "load_seconds_total": ("Seconds spent on loading from L2, by tier and method", lambda: by_place(counters.load_seconds)),
        "load_bytes_total": ("Uncompressed bytes loaded from L2, by tier and method", lambda: by_place(counters.load_bytes)),
        "stored_chunks_total": ("Chunks whose transfer to L2 completed", lambda: by_place(counters.stored_chunks)),
        "stored_bytes_total": ("Bytes written to L2, as stored", lambda: by_place(counters.stored_bytes)),
        "held_bytes": ("Bytes an adapter holds", held),
        "chunks_planned_total": ("Chunks looked up that the plan knows", lambda: counters.chunks_planned),
        "chunks_unseen_total": ("Chunks looked up that the plan does not know", lambda: counters.chunks_unseen),
        "unseen_share": ("Share of the chunks looked up that the plan does not know", lambda: director.unseen_share),
        "misplaced_chunks": ("Chunks still in another place than the plan's", lambda: len(director.misplaced)),
        "migrated_chunks_total": ("Chunks moved or recompressed for a new plan", lambda: counters.migrated_chunks),
        "migrated_bytes_total": ("Bytes moved or recompressed for a new plan", lambda: counters.migrated_bytes),
        "failed_moves_total": ("Moves that failed, for want of room or otherwise, and are tried again", lambda: counters.failed_moves),
        "dropped_chunks_total": ("Chunks dropped to be recomputed", lambda: counters.dropped_chunks),
        "evicted_chunks_total": ("Chunks evicted for want of room", lambda: counters.evicted_chunks),
        "prefetch_failures_total": ("Loads from L2 that failed and became recomputes", lambda: counters.prefetch_failures),
        "l1_allocation_failures_total": ("Writes that found no room in L1", lambda: counters.l1_allocation_failures),
        "compress_seconds_total": ("Seconds spent on compressing", lambda: work("compress_seconds")),
        "decompress_seconds_total": ("Seconds spent on decompressing", lambda: work("decompress_seconds")),
        "compressed_chunks_total": ("Chunks compressed", lambda: work("compressed_chunks")),
        "compressed_full_bytes_total": ("Bytes of the chunks compressed, before", lambda: work("full_bytes")),
        "compressed_stored_bytes_total": ("Bytes of the chunks compressed, after", lambda: work("stored_bytes")),
        "relative_error": ("|restored - raw| / |raw| of compressed chunks, a sample", relative_error),
        "decompressed_chunks_total": ("Chunks decompressed", lambda: work("decompressed_chunks")),
    }
    for name, (description, read) in gauges.items():
        register_gauge(_METER, f"evicpress.{name}", description, read)


def status_of(director: Director) -> dict[str, object]:
    """For the server's /status."""
    with director.lock:
        plan, counters = director.plan, director.counters
        return {
            "generation": plan.generation if plan else None,
            "sha256": plan.sha256 if plan else None,
            "contexts": plan.contexts if plan else 0,
            "contexts_without_keys": plan.contexts_without_keys if plan else 0,
            "chunks": plan.chunks if plan else 0,
            "chunk_conflicts": plan.conflicts if plan else 0,
            "plan_loaded_at": director.plan_loaded_at,
            "plan_reading_bytes": director.reading_bytes,
            "plans_refused": counters.plans_refused,
            "last_refusal": director.last_refusal,
            "unseen_share": director.unseen_share,
            "l1_chunks": len(director.l1),
            "l1_hit_chunks": counters.hit_chunks[director.routes.l1_target],
            "tiers": {
                f"{route.target.tier}/{route.target.method}": {
                    "chunks": len(director.stored[route.index]),
                    "bytes": director.bytes_in[route.index],
                    "hit_chunks": counters.hit_chunks[route.target],
                    "load_bytes": counters.load_bytes[route.target],
                    "load_seconds": counters.load_seconds[route.target],
                }
                for route in director.routes.adapters
            },
            "misplaced_chunks": len(director.misplaced),
            "migrated_chunks": counters.migrated_chunks,
            "failed_moves": counters.failed_moves,
            "dropped_chunks": counters.dropped_chunks,
            "evicted_chunks": counters.evicted_chunks,
            "prefetch_failures": counters.prefetch_failures,
            "l1_allocation_failures": counters.l1_allocation_failures,
        }
