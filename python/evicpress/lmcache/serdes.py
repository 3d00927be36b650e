"""LMCache serdes for the methods of a plan: ``evicpress-int8``, ``evicpress-int4`` and ``evicpress-fp8``.

    {"type": "fs", "base_path": "/kv/ssd/int8", "serde": {"type": "evicpress-int8", "layout": "blocks"}}

Options: ``layout`` (see quantize.py), ``group`` (values per scale, default 64) and ``max_workers``. Each method
keeps count of the bytes and seconds it spent, for the server's metrics.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import torch

from .compat import AsyncSerdeProcessor, Deserializer, MemoryLayoutDesc, MemoryObj, ObjectKey, Serializer, register_serde
from .quantize import LAYOUTS, QUANTIZERS, Quantizer, decode_chunk, encode_chunk

PREFIX = "evicpress-"
DEFAULT_GROUP = 64


@dataclass
class WorkDone:
    """What compressing and decompressing with one method has cost since the server started."""

    compressed_chunks: int = 0
    compress_seconds: float = 0.0
    full_bytes: int = 0
    stored_bytes: int = 0
    decompressed_chunks: int = 0
    decompress_seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


work_done: dict[str, WorkDone] = {name: WorkDone() for name in QUANTIZERS}


def method_of(serde_type: str | None) -> str:
    """The plan's name for what an adapter's serde does; LMCache's own are marked so that they are not mixed up."""
    if serde_type is None:
        return "none"
    return serde_type.removeprefix(PREFIX) if serde_type.startswith(PREFIX) else f"lmcache-{serde_type}"


class GroupSerializer(Serializer):
    """Compresses a chunk; its size is known beforehand."""

    def __init__(self, quantizer: Quantizer, layout: str, group: int) -> None:
        self._quantizer, self._layout, self._group = quantizer, layout, group

    def serialize(self, src: MemoryObj, dst: MemoryObj, key: ObjectKey) -> int:
        started = time.perf_counter()
        chunk, out = _tensor(src), _tensor(dst).view(torch.uint8).flatten()
        size = encode_chunk(self._quantizer, chunk, self._layout, self._group, out)
        done = work_done[self._quantizer.name]
        with done.lock:
            done.compressed_chunks += 1
            done.compress_seconds += time.perf_counter() - started
            done.full_bytes += chunk.numel() * chunk.element_size()
            done.stored_bytes += size
        return size

    def estimate_serialized_size(self, layout_desc: MemoryLayoutDesc) -> int:
        return sum(self._quantizer.stored_bytes(shape.numel(), self._group) for shape in layout_desc.shapes)


class GroupDeserializer(Deserializer):
    """Restores a chunk in the data type the engine asks for."""

    def __init__(self, quantizer: Quantizer, layout: str, group: int) -> None:
        self._quantizer, self._layout, self._group = quantizer, layout, group

    def deserialize(self, src: MemoryObj, dst: MemoryObj, key: ObjectKey) -> None:
        started = time.perf_counter()
        data = _tensor(src).view(torch.uint8).flatten()
        decode_chunk(self._quantizer, data, self._layout, self._group, _tensor(dst))
        done = work_done[self._quantizer.name]
        with done.lock:
            done.decompressed_chunks += 1
            done.decompress_seconds += time.perf_counter() - started


def _tensor(obj: MemoryObj) -> torch.Tensor:
    if obj.tensor is None:
        raise ValueError("this chunk has no tensor; only tensors can be quantized")
    return obj.tensor


def register_serdes() -> None:
    """Makes every method known to LMCache; call once, before its command line is parsed."""
    for quantizer in QUANTIZERS.values():
        register_serde(PREFIX + quantizer.name, _factory(quantizer))


def _factory(quantizer: Quantizer):
    def create(options: dict[str, object]) -> AsyncSerdeProcessor:
        layout = str(options.get("layout", "blocks"))
        group = int(str(options.get("group", DEFAULT_GROUP)))
        if layout not in LAYOUTS:
            raise ValueError(f"serde {PREFIX}{quantizer.name}: unknown layout {layout!r}; one of: {', '.join(LAYOUTS)}")
        if group < 2 or group % 2:
            raise ValueError(f"serde {PREFIX}{quantizer.name}: group must be an even number ≥ 2, got {group}")
        workers = int(str(options.get("max_workers", 1)))
        return AsyncSerdeProcessor(
            GroupSerializer(quantizer, layout, group), GroupDeserializer(quantizer, layout, group), max_workers=workers
        )

    return create
