"""Quantization of keys and values, KIVI's scheme: keys per channel over groups of tokens, values per token over
groups of channels, a scale and an offset in half precision for each group (Liu et al., arXiv 2402.02750)."""

from __future__ import annotations

import math

import torch

GROUP_SIZE = 64
BITS = {"int8": 8, "int4": 4, "int3": 3, "int2": 2}
#: The share of 16 bits that the bits alone remove.
FIXED_RATIOS = {**{name: 1 - bits / 16 for name, bits in BITS.items()}, "fp8": 0.5}
_E4M3_LARGEST = 448.0


def round_trip(name: str, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Keys and values [batch, heads, tokens, channels] as they come back, and the bytes stored for them."""
    if name == "fp8":
        return _fp8(keys), _fp8(values), keys.numel() + values.numel() + 8
    bits = BITS[name]
    restored_keys, key_bytes = _groups(keys.transpose(2, 3), bits)
    restored_values, value_bytes = _groups(values, bits)
    return restored_keys.transpose(2, 3).contiguous(), restored_values, key_bytes + value_bytes


def _groups(tensor: torch.Tensor, bits: int) -> tuple[torch.Tensor, int]:
    """Quantizes along the last axis; a last group that is not full has its own scale."""
    levels = 2**bits - 1
    length = tensor.shape[-1]
    pieces = []
    for piece in tensor.split(GROUP_SIZE, dim=-1):
        low, high = piece.amin(-1, keepdim=True), piece.amax(-1, keepdim=True)
        scale = ((high - low).float() / levels).half().float()
        offset = low.half().float()
        inverse = torch.where(scale == 0, 0, 1 / scale)
        codes = ((piece.float() - offset) * inverse).round().clamp(0, levels)
        pieces.append((codes * scale + offset).to(tensor.dtype))
    groups = tensor.numel() // length * math.ceil(length / GROUP_SIZE)
    return torch.cat(pieces, dim=-1), math.ceil(tensor.numel() * bits / 8) + 4 * groups


def _fp8(tensor: torch.Tensor) -> torch.Tensor:
    scale = (tensor.abs().amax().float() / _E4M3_LARGEST).clamp(min=1e-12)
    return ((tensor.float() / scale).to(torch.float8_e4m3fn).float() * scale).to(tensor.dtype)
