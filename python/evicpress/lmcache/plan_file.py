"""The plan as an engine needs it: where each chunk of KV cache belongs, read from ``plan.ndjson``.

No import of LMCache here, so that a plan can be checked anywhere; ``python -m evicpress.lmcache.plan_file`` is how
a server has a large plan read by another process.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
from array import array
from collections.abc import Iterator
from itertools import chain
from typing import IO, Annotated, Any, NamedTuple

import msgspec
import numpy as np

from .chunk_table import HASH_BYTES, ChunkTable, build_table

FORMAT = "evicpress.plan"
VERSION = 1
RECOMPUTE = "recompute"
UNCOMPRESSED = "none"
#: A longer line is no plan of ours; it is refused before it is parsed.
MAX_LINE_BYTES = 64 * 2**20
#: The plan is read in pieces of this size.
BLOCK_BYTES = 4 * 2**20
#: Where another process reads the plan, it ends with this code when it has refused it.
REFUSED_CODE = 3


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

    def capacity_bytes(self, tier: str) -> float:
        """The tier's capacity in the plan; infinity where it is unlimited or not named."""
        for entry in self.header["tiers"]:
            if entry.get("name") == tier and entry.get("capacityBytes") is not None:
                return float(entry["capacityBytes"])
        return float("inf")


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
        rows: _Rows | None = None
        number = 1
        for block in _blocks(file, end_at, path):
            digest.update(block)
            if rows is None:
                head, _, block = block.partition(b"\n")
                rows = _Rows(_header(head, f"{path}:1"), engine, chunk_size)
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
        for name in ("capacityBytes", "price"):
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


_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Amount = Annotated[float, msgspec.Meta(ge=0)]


class _Keys(msgspec.Struct, gc=False):
    engine: str = ""
    chunkSize: Annotated[int, msgspec.Meta(ge=1)] = 0  # noqa: N815 - the file's own name
    salt: str = ""
    hashes: list[str] = []


class _Row(msgspec.Struct, gc=False):
    """What an engine reads of a row; everything else in it is skipped."""

    context: _Text
    tier: _Text
    method: _Text
    quality: _Amount = 1.0
    accesses: _Amount = 0.0
    keys: _Keys | None = None


class _Rows:
    """Collects rows, a block at a time, in columns."""

    def __init__(self, header: dict[str, Any], engine: str, chunk_size: int | None) -> None:
        self.count = 0
        self._header, self._engine, self._chunk_size = header, engine, chunk_size
        self._decoder = msgspec.json.Decoder(_Row)
        self._contexts: set[str] = set()
        self._without_keys = 0
        #: Faster tiers have the higher rank.
        self._rank = {tier.get("name"): -i for i, tier in enumerate(header["tiers"])} | {RECOMPUTE: 0}
        self._targets: dict[tuple[str, str], int] = {}
        self._salts: dict[str, int] = {}
        self._hashes = bytearray()
        # Per row with keys: how many chunks, the numbers of target and salt, the quality.
        self._chunks, self._target_of, self._salt_of = array("q"), array("I"), array("I")
        self._quality = array("d")

    def add(self, block: bytes, path: Any, first: int) -> None:
        """Takes whole lines; ``first`` is the number of the first. Raises PlanRefused with the line at fault."""
        try:
            rows = self._decoder.decode_lines(block)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise self._undecodable(block, path, first) from None
        try:
            self._take(rows)
        except PlanRefused:
            # Nothing of the block was taken: one row at a time, the first at fault is found.
            for line, row in enumerate(rows, first):
                try:
                    self._take([row])
                except PlanRefused as refusal:
                    raise PlanRefused(f"{path}:{line}: {refusal}") from None

    def _undecodable(self, block: bytes, path: Any, first: int) -> PlanRefused:
        for line, text in enumerate(block.split(b"\n"), first):
            try:
                self._decoder.decode(text)
            except msgspec.ValidationError as error:
                return PlanRefused(f"{path}:{line}: {error}.")
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                return PlanRefused(f"{path}:{line}: not valid JSON ({error}).")
        return PlanRefused(f"{path}:{first}: not valid JSON from here on.")

    def _take(self, rows: list[_Row]) -> None:
        """Takes all rows or none. Column by column: a million rows pass here."""
        contexts = {row.context for row in rows}
        if len(contexts) < len(rows) or not contexts.isdisjoint(self._contexts):
            raise PlanRefused(f"context {rows[-1].context!r} is placed twice.")
        for tier in {row.tier for row in rows} - self._rank.keys():
            raise PlanRefused(f"tier {tier!r} is not among the tiers of the plan's header.")
        keyed = [row for row in rows if row.keys is not None and row.keys.engine == self._engine]
        keys = [row.keys for row in keyed]
        for size in {entry.chunkSize for entry in keys} - {self._chunk_size}:
            if self._chunk_size is not None:
                raise PlanRefused(f"chunks of {size} tokens; this server, or the plan before, has {self._chunk_size}.")
            self._chunk_size = size
        hashes = _hash_bytes(list(chain.from_iterable(entry.hashes for entry in keys)))

        self._contexts |= contexts
        self.count += len(rows)
        self._without_keys += len(rows) - len(keyed)
        for pair in {(row.tier, row.method) for row in rows} - self._targets.keys():
            self._targets[pair] = len(self._targets)
        for salt in {entry.salt for entry in keys} - self._salts.keys():
            self._salts[salt] = len(self._salts)
        self._chunks.extend([len(entry.hashes) for entry in keys])
        self._target_of.extend([self._targets[row.tier, row.method] for row in keyed])
        self._salt_of.extend([self._salts[entry.salt] for entry in keys])
        self._quality.extend([row.quality for row in keyed])
        self._hashes += hashes

    def block(self, sha256: str) -> list[bytes]:
        """The plan's block, in pieces."""
        chunks = np.frombuffer(self._chunks, np.int64)
        spread = lambda column, kind: np.repeat(np.frombuffer(column, kind), chunks)  # noqa: E731
        places = [Target(tier, UNCOMPRESSED if tier == RECOMPUTE else method) for tier, method in self._targets]
        number_of = {place: number for number, place in enumerate(dict.fromkeys(places))}
        targets = np.array([number_of[place] for place in places], np.uint32)[spread(self._target_of, np.uint32)]
        distinct = list(number_of)
        kept = np.array([place.tier != RECOMPUTE for place in distinct], np.int8)
        rank = np.array([self._rank[place.tier] for place in distinct], np.int64)
        # A chunk that several contexts share serves all of them: kept before not kept, then the better quality,
        # then the faster tier.
        worth = [kept[targets], spread(self._quality, np.float64), rank[targets]]
        description = {
            "header": self._header,
            "sha256": sha256,
            "chunkSize": self._chunk_size,
            "contexts": self.count,
            "contextsWithoutKeys": self._without_keys,
            "salts": list(self._salts),
            "targets": distinct,
        }
        return build_table(description, bytes(self._hashes), spread(self._salt_of, np.uint32), targets, worth)


def _hash_bytes(hashes: list[str]) -> bytes:
    """Hashes of one context, each padded to the width of the table."""
    try:
        data = bytes.fromhex("".join(hashes))
        if len(data) == HASH_BYTES * len(hashes) and all(len(text) == 2 * HASH_BYTES for text in hashes):
            return data
    except ValueError:
        pass
    return b"".join(map(_padded_hash, hashes))


def _padded_hash(text: str) -> bytes:
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise PlanRefused(f"{text!r:.80} is not a chunk hash in hexadecimal digits.") from None
    if not 0 < len(data) <= HASH_BYTES:
        raise PlanRefused(f"{text!r:.80} is not a chunk hash: it has {len(data)} bytes, not 1 to {HASH_BYTES}.")
    return data.ljust(HASH_BYTES, b"\0")


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
