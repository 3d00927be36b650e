"""Attention of many queries over several caches at once.

The tokens of all queries of all caches stand in one row, so that the model's weights are read once for all of them.
Only attention takes the row apart: the tokens of each cache look at that cache and at what came before them in
their own query. It is PyTorch's own attention, as the model uses it, over keys that are neither copied per query
nor per query head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .caches import Layer

_NAME = "evicpress-row"


class GrowingLayer:
    """A layer of a compressed cache with room behind it for the row's own keys and values."""

    def __init__(self, layer: Layer, room: int):
        heads, self.cached, channels = layer.keys.shape[1:]
        self.length = self.cached
        self.hidden_from = layer.hidden_from
        self._keys = layer.keys.new_empty(1, heads, self.cached + room, channels)
        self._values = layer.values.new_empty(1, heads, self.cached + room, layer.values.shape[3])
        self._keys[:, :, : self.cached] = layer.keys
        self._values[:, :, : self.cached] = layer.values

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes in the row's next tokens; returns all keys and values so far, [1, heads, length, channels]."""
        end = self.length + keys.shape[2]
        if end > self._keys.shape[2]:
            # Guesses that proved wrong have filled the room.
            self._keys, self._values = (_longer(each, 2 * (end - self.cached)) for each in (self._keys, self._values))
        self._keys[:, :, self.length : end] = keys
        self._values[:, :, self.length : end] = values
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def mask(self, own: torch.Tensor) -> torch.Tensor:
        """[1 or heads, new tokens, cached and own]: what the new tokens see, given what they see of the own tokens."""
        if self.hidden_from is None:
            cached = own.new_ones(1, own.shape[0], self.cached)
        else:
            cached = ~self.hidden_from[:, None].expand(-1, own.shape[0], -1)
        return torch.cat([cached, own.expand(cached.shape[0], *own.shape)], dim=-1)


def _longer(tensor: torch.Tensor, room: int) -> torch.Tensor:
    heads, length, channels = tensor.shape[1:]
    return torch.cat([tensor, tensor.new_empty(1, heads, room, channels)], dim=2)


@contextmanager
def attending(model: PreTrainedModel, parts: list[tuple[slice, list[GrowingLayer], torch.Tensor]]) -> Iterator[None]:
    """While this lasts, the model's attention works part by part.

    @param parts for each cache that has tokens in the row: where they stand, the cache, and what they see of the own
        tokens [new, own so far and new].
    """
    ALL_ATTENTION_FUNCTIONS[_NAME] = _attend
    before = model.config._attn_implementation
    _row.extend((where, layers, own, {}) for where, layers, own in parts)
    model.config._attn_implementation = _NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before
        _row.clear()


#: What `attending` has set; a worker reads one row at a time. Masks are kept for the layers that share them.
_row: list[tuple[slice, list[GrowingLayer], torch.Tensor, dict[int, torch.Tensor]]] = []


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _attention_mask: Any,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    heads, key_heads = query.shape[1], key.shape[1]
    group = heads // key_heads
    output = query.new_empty(1, query.shape[2], heads, value.shape[3])
    for where, layers, own, masks in _row:
        layer = layers[module.layer_idx]
        keys, values = layer.append(key[:, :, where], value[:, :, where])
        if layer.hidden_from is not None:
            mask = layer.mask(own)
        else:
            if layer.cached not in masks:
                masks[layer.cached] = layer.mask(own)
            mask = masks[layer.cached]
        part = query[:, :, where]
        tokens, channels = part.shape[2:]
        # The query heads of one key head become more rows over the same keys.
        grouped = part.reshape(1, key_heads, group * tokens, channels)
        seen = scaled_dot_product_attention(
            grouped, keys, values, attn_mask=mask.repeat(1, group, 1)[None], scale=scaling
        )
        output[:, where] = seen.reshape(1, heads, tokens, -1).transpose(1, 2)
    return output, None
