"""The rows of a plan, collected in columns: a million of them pass here."""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np

from .chunk_table import HASH_BYTES, build_table
from .plan import RECOMPUTE, UNCOMPRESSED, PlanRefused, Target

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


class PlanRows:
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
        places = [(row.tier, row.method) for row in rows]
        distinct = set(places)
        for tier in {tier for tier, _method in distinct} - self._rank.keys():
            raise PlanRefused(f"tier {tier!r} is not among the tiers of the plan's header.")
        engine = self._engine
        keyed = [i for i, row in enumerate(rows) if row.keys is not None and row.keys.engine == engine]
        keys = [rows[i].keys for i in keyed]
        for size in {entry.chunkSize for entry in keys} - {self._chunk_size}:
            if self._chunk_size is not None:
                raise PlanRefused(f"chunks of {size} tokens; this server, or the plan before, has {self._chunk_size}.")
            self._chunk_size = size
        hashes = _hash_bytes(list(chain.from_iterable(entry.hashes for entry in keys)))

        self._contexts |= contexts
        self.count += len(rows)
        self._without_keys += len(rows) - len(keyed)
        for place in distinct - self._targets.keys():
            self._targets[place] = len(self._targets)
        for salt in {entry.salt for entry in keys} - self._salts.keys():
            self._salts[salt] = len(self._salts)
        self._chunks.extend([len(entry.hashes) for entry in keys])
        self._target_of.extend([self._targets[places[i]] for i in keyed])
        self._salt_of.extend([self._salts[entry.salt] for entry in keys])
        self._quality.extend([rows[i].quality for i in keyed])
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
        # White space passes fromhex, hence the length in digits too.
        if len(data) == HASH_BYTES * len(hashes) and set(map(len, hashes)) <= {2 * HASH_BYTES}:
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
