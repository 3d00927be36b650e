"""The plan as an engine needs it: where each chunk of KV cache belongs, read from ``plan.ndjson``.

No import of LMCache here, so that a plan can be checked anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FORMAT = "evicpress.plan"
VERSION = 1
RECOMPUTE = "recompute"
UNCOMPRESSED = "none"
#: A longer line is no plan of ours; it is refused before it is parsed.
MAX_LINE_BYTES = 64 * 2**20


class PlanRefused(ValueError):
    """The file is not a whole, valid plan for this engine. The message says what and where."""


class Target(NamedTuple):
    """Where a chunk belongs: a tier's name (or ``recompute``) and a method's name (``none`` is uncompressed)."""

    tier: str
    method: str


class ChunkId(NamedTuple):
    """What the engine calls a chunk, whatever rank or object group its bytes belong to."""

    salt: str
    chunk_hash: bytes


@dataclass(frozen=True)
class Placement:
    """A context's option as far as one of its chunks is concerned."""

    target: Target
    quality: float
    accesses: float


@dataclass
class Plan:
    """A whole plan, by chunk. ``conflicts`` counts chunks that several contexts asked for with different options."""

    generation: int
    model: str | None
    sha256: str
    header: dict[str, Any]
    chunk_size: int | None
    chunks: dict[ChunkId, Placement] = field(default_factory=dict)
    contexts: int = 0
    contexts_without_keys: int = 0
    conflicts: int = 0

    def capacity_bytes(self, tier: str) -> float:
        """The tier's capacity in the plan; infinity where it is unlimited or not named."""
        for entry in self.header.get("tiers", []):
            if entry.get("name") == tier and entry.get("capacityBytes") is not None:
                return float(entry["capacityBytes"])
        return float("inf")

    def targets(self) -> set[Target]:
        """Every distinct place the plan wants to use."""
        return {placement.target for placement in self.chunks.values()}


def read_plan(path: str | os.PathLike[str], engine: str = "lmcache", chunk_size: int | None = None) -> Plan:
    """Reads and verifies a plan.

    The last line must carry the number of rows and the sha256 of all bytes before it, so a file that is cut
    short, still being written or altered is told from a whole one.

    Raises:
        PlanRefused: with file, line and what is wrong.
        OSError: where the file cannot be read.
    """
    digest = hashlib.sha256()
    plan: Plan | None = None
    ended = False
    rows = 0
    seen: set[str] = set()
    with open(path, "rb") as file:
        line_number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            line_number += 1
            where = f"{path}:{line_number}"
            if len(line) > MAX_LINE_BYTES:
                raise PlanRefused(f"{where}: the line is longer than {MAX_LINE_BYTES} bytes.")
            if ended:
                raise PlanRefused(f"{where}: there is text after the end of the plan.")
            value = _parse(line, where)
            if plan is None:
                plan = _start(value, where)
            elif value.get("end") is True:
                _check_end(value, rows, digest.hexdigest(), where)
                plan.sha256 = digest.hexdigest()
                ended = True
            else:
                rows += 1
                _add(plan, value, seen, engine, chunk_size, where)
            digest.update(line)
    if plan is None:
        raise PlanRefused(f"{path}: the file is empty; expected a plan.")
    if not ended:
        raise PlanRefused(f"{path}: the plan is cut short: its last line is missing.")
    plan.contexts = rows
    return plan


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PlanRefused(f"{where}: not valid JSON ({error}).") from None
    if not isinstance(value, dict):
        raise PlanRefused(f"{where}: expected a JSON object.")
    return value


def _start(value: dict[str, Any], where: str) -> Plan:
    if value.get("format") != FORMAT:
        raise PlanRefused(f'{where}: the format is {value.get("format")!r}, expected "{FORMAT}".')
    version = value.get("version")
    if not isinstance(version, (int, float)) or int(version) != VERSION:
        raise PlanRefused(f"{where}: version {version!r} is not understood; this adapter reads version {VERSION}.")
    generation = value.get("generation")
    if not isinstance(generation, int) or isinstance(generation, bool) or generation < 0:
        raise PlanRefused(f"{where}: generation must be a whole number ≥ 0, got {generation!r}.")
    tiers = value.get("tiers")
    if not isinstance(tiers, list) or not all(isinstance(tier, dict) for tier in tiers):
        raise PlanRefused(f"{where}: tiers must be a list of objects.")
    for tier in tiers:
        if tier.get("capacityBytes") is not None:
            _number(tier, "capacityBytes", where)
        _number(tier, "price", where, default=0.0)
    return Plan(generation, value.get("model"), "", value, None)


def _check_end(value: dict[str, Any], rows: int, sha256: str, where: str) -> None:
    if value.get("rows") != rows:
        raise PlanRefused(f"{where}: the plan is not whole: its end counts {value.get('rows')} rows, the file has {rows}.")
    if value.get("sha256") != sha256:
        raise PlanRefused(f"{where}: the plan was altered after it was written (its sha256 does not match).")


def _add(
    plan: Plan, row: dict[str, Any], seen: set[str], engine: str, chunk_size: int | None, where: str
) -> None:
    context, tier, method = row.get("context"), row.get("tier"), row.get("method")
    for name, text in (("context", context), ("tier", tier), ("method", method)):
        if not isinstance(text, str) or text == "":
            raise PlanRefused(f"{where}: {name} must be text that is not empty, got {text!r}.")
    if context in seen:
        raise PlanRefused(f"{where}: context {context!r} is placed twice.")
    seen.add(context)
    if tier != RECOMPUTE and all(entry.get("name") != tier for entry in plan.header["tiers"]):
        raise PlanRefused(f"{where}: tier {tier!r} is not among the tiers of the plan's header.")
    placement = Placement(
        Target(tier, UNCOMPRESSED if tier == RECOMPUTE else method),
        _number(row, "quality", where, default=1.0),
        _number(row, "accesses", where, default=0.0),
    )
    keys = row.get("keys")
    if not isinstance(keys, dict) or keys.get("engine") != engine:
        plan.contexts_without_keys += 1
        return
    size, salt, hashes = keys.get("chunkSize"), keys.get("salt", ""), keys.get("hashes")
    if not isinstance(size, int) or not isinstance(salt, str) or not isinstance(hashes, list):
        raise PlanRefused(f"{where}: keys needs chunkSize, hashes and, where tenants are apart, salt.")
    if chunk_size is not None and size != chunk_size:
        raise PlanRefused(f"{where}: chunks of {size} tokens; this server cuts chunks of {chunk_size} tokens.")
    plan.chunk_size = size
    for text in hashes:
        chunk = ChunkId(salt, _hash_bytes(text, where))
        earlier = plan.chunks.get(chunk)
        if earlier is not None and earlier.target != placement.target:
            plan.conflicts += 1
        plan.chunks[chunk] = placement if earlier is None else _preferred(earlier, placement, plan.header["tiers"])


def _preferred(a: Placement, b: Placement, tiers: list[dict[str, Any]]) -> Placement:
    """A chunk two contexts share serves both: the better quality wins, then the faster tier."""
    speed = {entry.get("name"): rank for rank, entry in enumerate(tiers)}

    def worth(placement: Placement) -> tuple[bool, float, int]:
        kept = placement.target.tier != RECOMPUTE
        return (kept, placement.quality, -speed.get(placement.target.tier, len(speed)))

    better, other = (a, b) if worth(a) >= worth(b) else (b, a)
    return Placement(better.target, better.quality, better.accesses + other.accesses)


def _hash_bytes(text: Any, where: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise PlanRefused(f"{where}: {text!r:.80} is not a chunk hash in hexadecimal digits.") from None


def _number(value: dict[str, Any], name: str, where: str, default: float | None = None) -> float:
    number = value.get(name, default)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < float("inf"):
        raise PlanRefused(f"{where}: {name} must be a number ≥ 0, got {number!r}.")
    return float(number)
