"""Where each chunk belongs, as one block of bytes.

A plan of a million contexts as Python objects would take gigabytes and seconds of the interpreter's lock. This
block is built once, outside the server where it is large, is mapped and not read, and answers in microseconds.

    0        length of the description (8 bytes, little-endian), the description as JSON, zeros to a multiple of 8
    then     for each value of a name's first two bytes, and once more at the end, where its names start (uint64)
    then     names in ascending order (36 bytes each: the chunk hash, zeros to 32 bytes, the salt's number)
    then     for each name the number of its target (uint32)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

HASH_BYTES = 32
NAME_BYTES = HASH_BYTES + 4
_PREFIXES = 1 << 16
_STARTS_BYTES = 8 * (_PREFIXES + 1)


class ChunkTable:
    """Answers from a block that ``build_table`` made; the block stays where it is."""

    def __init__(self, block: Any) -> None:
        length = int.from_bytes(block[:8], "little")
        self.description: dict[str, Any] = json.loads(bytes(block[8 : 8 + length]))
        self._salts = {salt: number.to_bytes(4, "big") for number, salt in enumerate(self.description["salts"])}
        self._block = block
        starts = _aligned(8 + length)
        self._starts = memoryview(block)[starts : starts + _STARTS_BYTES].cast("Q")
        self._names = starts + _STARTS_BYTES
        self._count = self._starts[_PREFIXES]
        targets = self._names + NAME_BYTES * self._count
        self._targets = memoryview(block)[targets : targets + 4 * self._count].cast("I")

    def __len__(self) -> int:
        return self._count

    def find(self, salt: str, chunk_hash: bytes) -> int | None:
        """The number of the chunk's target, or None where the plan does not know the chunk."""
        number = self._salts.get(salt)
        if number is None:
            return None
        name = chunk_hash.ljust(HASH_BYTES, b"\0") + number
        prefix = name[0] << 8 | name[1]
        low, high = self._starts[prefix], self._starts[prefix + 1]
        while low < high:
            middle = (low + high) // 2
            at = self._names + NAME_BYTES * middle
            if bytes(self._block[at : at + NAME_BYTES]) < name:
                low = middle + 1
            else:
                high = middle
        at = self._names + NAME_BYTES * low
        found = low < self._count and bytes(self._block[at : at + NAME_BYTES]) == name
        return self._targets[low] if found else None


def build_table(
    description: dict[str, Any], hashes: bytes, salts: np.ndarray, targets: np.ndarray, worth: Sequence[np.ndarray]
) -> list[bytes]:
    """The block in pieces; its description also counts the ``conflicts``, chunks with several targets asked for.

    Args:
        description: what else is to be known, JSON; ``salts`` lists the salts by number.
        hashes: 32 bytes per entry.
        salts: number of each entry's salt.
        targets: number of each entry's target.
        worth: columns by which one entry of a chunk is preferred to another, the weightiest first, more is better.
    """
    names = np.frombuffer(hashes, ">u8").astype(np.uint64).reshape(-1, HASH_BYTES // 8)
    order = _sorted(names, salts, worth)
    names, salts, targets = names[order], salts[order], targets[order]
    same = (names[1:] == names[:-1]).all(axis=1) & (salts[1:] == salts[:-1])
    first = np.concatenate(([True], ~same)) if len(names) else np.zeros(0, bool)
    group = np.cumsum(first) - 1
    contested = np.unique(group[targets != targets[first][group]])
    names, salts, targets = names[first], salts[first], targets[first]
    records = np.empty(len(names), np.dtype([("hash", ">u8", (4,)), ("salt", ">u4")]))
    records["hash"], records["salt"] = names, salts
    starts = np.searchsorted(names[:, 0] >> np.uint64(48), np.arange(_PREFIXES + 1, dtype=np.uint64))
    text = json.dumps({**description, "conflicts": len(contested)}).encode()
    head = len(text).to_bytes(8, "little") + text
    head += bytes(_aligned(len(head)) - len(head))
    return [head, starts.astype("<u8").tobytes(), records.tobytes(), targets.astype("<u4").tobytes()]


def _sorted(names: np.ndarray, salts: np.ndarray, worth: Sequence[np.ndarray]) -> np.ndarray:
    """The order of entries by hash, then salt, then worth."""
    # Hashes differ in their first eight bytes, all but never; what is left is sorted by everything.
    order = np.argsort(names[:, 0], kind="stable")
    first = names[order, 0]
    same = np.zeros(len(order) + 1, bool)
    same[1:-1] = first[1:] == first[:-1]
    left = np.flatnonzero(same[1:] | same[:-1])
    entries = order[left]
    # lexsort takes the weightiest column last.
    columns = [-column[entries] for column in reversed(worth)] + [salts[entries]] + [names[entries, i] for i in (3, 2, 1, 0)]
    order[left] = entries[np.lexsort(columns)]
    return order


def _aligned(position: int) -> int:
    return -(-position // 8) * 8
