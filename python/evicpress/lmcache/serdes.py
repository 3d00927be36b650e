"""LMCache serdes for the methods of a plan: ``evicpress-int8``, ``evicpress-int4`` and ``evicpress-fp8``.

    {"type": "fs", "base_path": "/kv/ssd/int8", "serde": {"type": "evicpress-int8", "layout": "blocks"}}

Options: ``layout`` (see quantize.py), ``group`` (values per scale, default 64) and ``max_workers`` (threads each way).
Each method keeps count of the bytes and seconds it spent, for the server's metrics.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import torch

from .compat import (
    AsyncSerdeProcessor,
    Deserializer,
    MemoryLayoutDesc,
    MemoryObj,
    ObjectKey,
    SerdeProcessor,
    Serializer,
    register_serde,
)
from .quantize import LAYOUTS, QUANTIZERS, Quantizer, decode_chunk, encode_chunk

PREFIX = "evicpress-"
DEFAULT_GROUP = 64
#: One chunk in so many is restored at once, to know the error.
ERROR_SAMPLE = 64


@dataclass
class WorkDone:
    """What compressing and decompressing with one method has cost since the server started."""

    compressed_chunks: int = 0
    compress_seconds: float = 0.0
    full_bytes: int = 0
    stored_bytes: int = 0
    decompressed_chunks: int = 0
    decompress_seconds: float = 0.0
    #: Chunks whose error was measured, and the sum of |restored − raw| / |raw| over them.
    sampled_chunks: int = 0
    relative_errors: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


work_done: dict[str, WorkDone] = {name: WorkDone() for name in QUANTIZERS}


def method_of(serde_type: str | None) -> str:
    """The plan's name for what an adapter's serde does; LMCache's own are marked so that they are not mixed up."""
    if serde_type is None:
        return "none"
    return serde_type.removeprefix(PREFIX) if serde_type.startswith(PREFIX) else f"lmcache-{serde_type}"


@dataclass(frozen=True)
class _Codec:
    """A method, and how it groups the values of a chunk."""

    quantizer: Quantizer
    layout: str
    group: int

    @property
    def done(self) -> WorkDone:
        return work_done[self.quantizer.name]

    def encode(self, chunk: torch.Tensor, out: torch.Tensor) -> int:
        return encode_chunk(self.quantizer, chunk, self.layout, self.group, out)

    def decode(self, data: torch.Tensor, chunk: torch.Tensor) -> None:
        decode_chunk(self.quantizer, data, self.layout, self.group, chunk)


class GroupSerializer(Serializer):
    """Compresses a chunk; its size is known beforehand."""

    def __init__(self, codec: _Codec) -> None:
        self._codec = codec

    def serialize(self, src: MemoryObj, dst: MemoryObj, key: ObjectKey) -> int:
        started = time.perf_counter()
        chunk, out = _tensor(src), _bytes(dst)
        size = self._codec.encode(chunk, out)
        done = self._codec.done
        with done.lock:
            done.compressed_chunks += 1
            done.compress_seconds += time.perf_counter() - started
            done.full_bytes += chunk.numel() * chunk.element_size()
            done.stored_bytes += size
            sampled = done.compressed_chunks % ERROR_SAMPLE == 1
        if sampled:
            self._measure_error(chunk, out)
        return size

    def _measure_error(self, chunk: torch.Tensor, data: torch.Tensor) -> None:
        restored = torch.empty_like(chunk)
        self._codec.decode(data, restored)
        raw = chunk.float()
        error = ((restored.float() - raw).norm() / raw.norm().clamp_min(1e-30)).item()
        done = self._codec.done
        with done.lock:
            done.sampled_chunks += 1
            done.relative_errors += error

    def estimate_serialized_size(self, layout_desc: MemoryLayoutDesc) -> int:
        stored_bytes, group = self._codec.quantizer.stored_bytes, self._codec.group
        return sum(stored_bytes(shape.numel(), group) for shape in layout_desc.shapes)


class GroupDeserializer(Deserializer):
    """Restores a chunk in the data type the engine asks for."""

    def __init__(self, codec: _Codec) -> None:
        self._codec = codec

    def deserialize(self, src: MemoryObj, dst: MemoryObj, key: ObjectKey) -> None:
        started = time.perf_counter()
        self._codec.decode(_bytes(src), _tensor(dst))
        done = self._codec.done
        with done.lock:
            done.decompressed_chunks += 1
            done.decompress_seconds += time.perf_counter() - started


class TwoWaySerde(SerdeProcessor):
    """Decompresses beside compressing, each in threads of its own.

    A request waits for what is decompressed, and nobody for what is compressed: in one queue a load would stand
    behind all that the requests before it have still to store.
    """

    def __init__(self, serializer: Serializer, deserializer: Deserializer, max_workers: int = 1) -> None:
        self._storing = AsyncSerdeProcessor(serializer, deserializer, max_workers)
        self._loading = AsyncSerdeProcessor(serializer, deserializer, max_workers)

    def get_serialize_event_fd(self) -> int:
        return self._storing.get_serialize_event_fd()

    def get_deserialize_event_fd(self) -> int:
        return self._loading.get_deserialize_event_fd()

    def submit_serialize(self, src_objs: list[MemoryObj], dst_objs: list[MemoryObj], keys: list[ObjectKey]) -> int:
        return self._storing.submit_serialize(src_objs, dst_objs, keys)

    def query_serialize_result(self, task_id: int) -> bool | None:
        return self._storing.query_serialize_result(task_id)

    def submit_deserialize(self, src_objs: list[MemoryObj], dst_objs: list[MemoryObj], keys: list[ObjectKey]) -> int:
        return self._loading.submit_deserialize(src_objs, dst_objs, keys)

    def query_deserialize_result(self, task_id: int) -> bool | None:
        return self._loading.query_deserialize_result(task_id)

    def estimate_serialized_size(self, layout_desc: MemoryLayoutDesc) -> int:
        return self._storing.estimate_serialized_size(layout_desc)

    def close(self) -> None:
        self._storing.close()
        self._loading.close()


def _bytes(obj: MemoryObj) -> torch.Tensor:
    return _tensor(obj).view(torch.uint8).flatten()


def _tensor(obj: MemoryObj) -> torch.Tensor:
    if obj.tensor is None:
        raise ValueError("this chunk has no tensor; only tensors can be quantized")
    return obj.tensor


def register_serdes() -> None:
    """Makes every method known to LMCache; call once, before its command line is parsed."""
    for quantizer in QUANTIZERS.values():
        register_serde(PREFIX + quantizer.name, _factory(quantizer))


def _factory(quantizer: Quantizer):
    def create(options: dict[str, object]) -> SerdeProcessor:
        layout = str(options.get("layout", "blocks"))
        group = int(str(options.get("group", DEFAULT_GROUP)))
        if layout not in LAYOUTS:
            raise ValueError(f"serde {PREFIX}{quantizer.name}: unknown layout {layout!r}; one of: {', '.join(LAYOUTS)}")
        if group < 2 or group % 2:
            raise ValueError(f"serde {PREFIX}{quantizer.name}: group must be an even number ≥ 2, got {group}")
        workers = int(str(options.get("max_workers", 1)))
        codec = _Codec(quantizer, layout, group)
        return TwoWaySerde(GroupSerializer(codec), GroupDeserializer(codec), workers)

    return create
