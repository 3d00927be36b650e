"""Quantizers for chunks of KV cache: int8, int4 and scaled fp8, each with one scale per group of values.

Keys have outlier channels, values have not: keys are grouped along the tokens of one channel, values along the
channels of one token (the finding of KIVI, arXiv 2402.02750). Which elements of a chunk are neighbours in that
sense depends on how the engine lays its blocks out, so a quantizer is told the layout:

``blocks``  what vLLM's CPU attention keeps per layer and block: keys as [head][channel][token], values as
            [head][token][channel]. Consecutive elements then are what must share a scale, for both.
``kv``      [2][layers][tokens][channels]: keys first, then values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import torch

LAYOUTS = ("blocks", "kv")
#: O_DIRECT wants sizes in multiples of the device's block.
ALIGNMENT_BYTES = 4096
_E4M3_MAX = 448.0


@dataclass(frozen=True)
class Quantizer:
    """A compression with a fixed size: ``encode`` gives (codes, scales) as flat byte tensors, ``decode`` undoes it."""

    name: str
    code_bits: int
    scale_bytes: int
    encode: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    decode: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None]

    def code_bytes(self, elements: int) -> int:
        return elements * self.code_bits // 8

    def stored_bytes(self, elements: int, group: int) -> int:
        """Bytes of a chunk of so many elements, padded to the alignment of direct I/O."""
        size = self.code_bytes(elements) + elements // group * self.scale_bytes
        return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def grouped(chunk: torch.Tensor, layout: str, group: int) -> list[torch.Tensor]:
    """Views of a chunk whose last axis is one group of values that share a scale; they write through to it.

    Raises:
        ValueError: where the chunk does not divide into groups.
    """
    if layout == "blocks":
        return [_split(chunk.reshape(1, -1), group)]
    if layout == "kv":
        if chunk.dim() < 3 or chunk.shape[0] != 2:
            raise ValueError(f'layout "kv" needs a chunk of [2, layers, tokens, channels], got {tuple(chunk.shape)}')
        keys = chunk[0].unflatten(-2, (-1, min(group, chunk.shape[-2]))).transpose(-1, -2)
        return [keys, _split(chunk[1], group)]
    raise ValueError(f"unknown layout {layout!r}; one of: {', '.join(LAYOUTS)}")


def _split(tensor: torch.Tensor, group: int) -> torch.Tensor:
    if tensor.shape[-1] % group:
        raise ValueError(f"{tensor.shape[-1]} values do not divide into groups of {group}")
    return tensor.unflatten(-1, (-1, group))


def _as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(torch.uint8).flatten()


def _scale_of(peak: torch.Tensor, largest: float) -> torch.Tensor:
    # Scales are kept in bfloat16: the range of float32 in two bytes. Quantizing with the rounded scale keeps
    # its rounding out of the error.
    return (peak.float() / largest).clamp_min(1e-30).to(torch.bfloat16)


def _int8_encode(groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values = groups.float()
    scale = _scale_of(values.abs().amax(-1, keepdim=True), 127)
    codes = (values / scale.float()).round_().clamp_(-127, 127).to(torch.int8)
    return _as_bytes(codes), _as_bytes(scale)


def _int8_decode(codes: torch.Tensor, scales: torch.Tensor, out: torch.Tensor) -> None:
    q = codes.view(torch.int8).view(out.shape)
    # One pass: the product of int8 and bfloat16 is bfloat16, and every int8 is exact in it.
    _multiply(q, scales.view(torch.bfloat16).view(*out.shape[:-1], 1), out)


def _multiply(codes: torch.Tensor, scale: torch.Tensor, out: torch.Tensor) -> None:
    if out.dtype == torch.bfloat16:
        torch.mul(codes, scale, out=out)
    else:
        out.copy_(codes.float() * scale.float())


def _int4_encode(groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values = groups.float()
    low = values.amin(-1, keepdim=True).to(torch.bfloat16)
    scale = _scale_of(values.amax(-1, keepdim=True) - low.float(), 15)
    codes = ((values - low.float()) / scale.float()).round_().clamp_(0, 15).to(torch.uint8)
    half = codes.shape[-1] // 2
    # The low nibbles are the first half of the group: unpacking is two passes over whole halves.
    packed = codes[..., :half] | (codes[..., half:] << 4)
    return _as_bytes(packed), _as_bytes(torch.cat((scale, low), dim=-1))


def _int4_decode(codes: torch.Tensor, scales: torch.Tensor, out: torch.Tensor) -> None:
    half = out.shape[-1] // 2
    packed = codes.view(*out.shape[:-1], half)
    pair = scales.view(torch.bfloat16).view(*out.shape[:-1], 2)
    scale, low = pair[..., :1], pair[..., 1:]
    for part, nibbles in ((out[..., :half], packed & 15), (out[..., half:], packed >> 4)):
        _multiply(nibbles, scale, part)
        part.add_(low.to(out.dtype))


def _fp8_encode(groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values = groups.float()
    scale = _scale_of(values.abs().amax(-1, keepdim=True), _E4M3_MAX)
    codes = (values / scale.float()).clamp_(-_E4M3_MAX, _E4M3_MAX).to(torch.float8_e4m3fn)
    return _as_bytes(codes), _as_bytes(scale)


def _fp8_decode(codes: torch.Tensor, scales: torch.Tensor, out: torch.Tensor) -> None:
    # e4m3 moved into the fields of bfloat16 is the same number times 2^-120 (the difference of the exponent
    # biases), subnormals included; the scale takes that back. Several times faster than torch's cast on a CPU.
    wide = codes.view(torch.int8).view(out.shape).to(torch.int16)
    moved = ((wide << 4) & 0x07F0) | (wide & -0x8000)
    scale = scales.view(torch.bfloat16).view(*out.shape[:-1], 1)
    _multiply(moved.view(torch.bfloat16), scale * 2.0**120, out)


#: Every method this adapter can store with, by the name plans use.
QUANTIZERS: dict[str, Quantizer] = {
    "int8": Quantizer("int8", 8, 2, _int8_encode, _int8_decode),
    "int4": Quantizer("int4", 4, 4, _int4_encode, _int4_decode),
    "fp8": Quantizer("fp8", 8, 2, _fp8_encode, _fp8_decode),
}


def encode_chunk(quantizer: Quantizer, chunk: torch.Tensor, layout: str, group: int, out: torch.Tensor) -> int:
    """Writes the compressed chunk into the byte tensor ``out``; returns the bytes that count, padding included."""
    position = 0
    for groups in grouped(chunk, layout, group):
        for part in quantizer.encode(groups):
            out[position : position + part.numel()] = part
            position += part.numel()
    size = -(-position // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    out[position:size] = 0
    return size


def decode_chunk(quantizer: Quantizer, data: torch.Tensor, layout: str, group: int, chunk: torch.Tensor) -> None:
    """Restores a chunk from what ``encode_chunk`` wrote."""
    position = 0
    for groups in grouped(chunk, layout, group):
        code_bytes = quantizer.code_bytes(groups.numel())
        scale_bytes = groups.numel() // groups.shape[-1] * quantizer.scale_bytes
        codes = data[position : position + code_bytes]
        scales = data[position + code_bytes : position + code_bytes + scale_bytes]
        quantizer.decode(codes, scales, groups)
        position += code_bytes + scale_bytes
