"""Reads ``plan.ndjson`` and verifies that it is whole.

``python -m evicpress.lmcache.plan_file`` is how a server has a large plan read by another process.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

from .plan import Plan, PlanRefused
from .plan_rows import PlanRows

FORMAT = "evicpress.plan"
VERSION = 1
#: A longer line is no plan of ours; it is refused before it is parsed.
MAX_LINE_BYTES = 64 * 2**20
#: The plan is read in pieces of this size.
BLOCK_BYTES = 4 * 2**20
#: Where another process reads the plan, it ends with this code when it has refused it.
REFUSED_CODE = 3


def read_plan(path: str | os.PathLike[str], engine: str = "lmcache", chunk_size: int | None = None) -> Plan:
    """Reads and verifies a plan in this process.

    Raises:
        PlanRefused: with file, line and what is wrong.
        OSError: where the file cannot be read.
    """
    return Plan(b"".join(compile_plan(path, engine, chunk_size)))


def compile_plan(path: str | os.PathLike[str], engine: str, chunk_size: int | None) -> list[bytes]:
    """Reads and verifies a plan; returns the block a ``Plan`` answers from, in pieces.

    The last line must carry the number of rows and the sha256 of all bytes before it, so a file that is cut short,
    still being written or altered is told from a whole one.

    Raises:
        PlanRefused, OSError: as ``read_plan``.
    """
    with open(path, "rb") as file:
        end_at, end_line = _last_line(file, path)
        digest = hashlib.sha256()
        rows: PlanRows | None = None
        number = 1
        for block in _blocks(file, end_at, path):
            digest.update(block)
            if rows is None:
                head, _, block = block.partition(b"\n")
                rows = PlanRows(_header(head, f"{path}:1"), engine, chunk_size)
                number = 2
            rows.add(block, path, number)
            number += block.count(b"\n")
        if rows is None:
            # One line only: a header without an end, or something else altogether.
            _header(end_line, f"{path}:1")
            raise _cut_short(path)
        _check_end(end_line, rows.count, digest.hexdigest(), path, number)
        return rows.block(digest.hexdigest())


def _last_line(file: IO[bytes], path: Any) -> tuple[int, bytes]:
    """Where the last line starts, and the line."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise PlanRefused(f"{path}: the file is empty; expected a plan.")
    tail, at = b"", size
    while at > 0 and b"\n" not in tail[:-1]:
        if len(tail) > MAX_LINE_BYTES:
            raise PlanRefused(f"{path}: the last line is longer than {MAX_LINE_BYTES} bytes.")
        step = min(at, 1 << 16)
        at -= step
        file.seek(at)
        tail = file.read(step) + tail
    start = tail[:-1].rfind(b"\n") + 1
    return at + start, tail[start:]


def _blocks(file: IO[bytes], end_at: int, path: Any) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time, up to where the last line starts."""
    file.seek(0)
    rest, left = b"", end_at
    while left > 0:
        piece = file.read(min(BLOCK_BYTES, left))
        if not piece:
            raise _cut_short(path)
        left -= len(piece)
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
        if len(rest) > MAX_LINE_BYTES:
            raise PlanRefused(f"{path}: a line is longer than {MAX_LINE_BYTES} bytes.")


def _cut_short(path: Any) -> PlanRefused:
    return PlanRefused(f"{path}: the plan is cut short: its last line is missing.")


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PlanRefused(f"{where}: not valid JSON ({error}).") from None
    if not isinstance(value, dict):
        raise PlanRefused(f"{where}: expected a JSON object.")
    return value


def _header(line: bytes, where: str) -> dict[str, Any]:
    value = _object(line, where)
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
        for name in ("capacityBytes", "reservedBytes", "price"):
            number = tier.get(name)
            if number is not None and (isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < float("inf")):
                raise PlanRefused(f"{where}: {name} must be a number ≥ 0, got {number!r}.")
    return value


def _check_end(line: bytes, rows: int, sha256: str, path: Any, number: int) -> None:
    value = _object(line, f"{path}:{number}")
    if value.get("end") is not True:
        raise _cut_short(path)
    if value.get("rows") != rows:
        raise PlanRefused(f"{path}:{number}: the plan is not whole: its end counts {value.get('rows')} rows, the file has {rows}.")
    if value.get("sha256") != sha256:
        raise PlanRefused(f"{path}:{number}: the plan was altered after it was written (its sha256 does not match).")


def main(argv: list[str]) -> int:
    """PLAN ENGINE CHUNK_SIZE DESCRIPTOR: writes the plan's block to an open file; a refusal goes to standard error."""
    path, engine, chunk_size, descriptor = argv
    # Requests come first.
    os.nice(10)
    # Nothing here is cyclic, and there is much of it.
    gc.disable()
    try:
        pieces = compile_plan(path, engine, int(chunk_size) or None)
    except (PlanRefused, OSError) as error:
        print(error, file=sys.stderr)
        return REFUSED_CODE
    with open(int(descriptor), "wb") as out:
        out.writelines(pieces)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
