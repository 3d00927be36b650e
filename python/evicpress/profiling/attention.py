"""Attention of many queries over one cache.

The tokens of all queries stand in one row behind the cache. Scores against the cache are one product per key head,
so the cache is neither copied per query nor per query head, nor appended to; a mask keeps the queries apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .caches import Layer

_NAME = "evicpress-row"
#: Scores computed at once, in values: beyond this, key heads are taken one by one.
_MOST_SCORES = 1 << 28


@contextmanager
def attending(model: PreTrainedModel, layers: list[Layer], visible: torch.Tensor) -> Iterator[None]:
    """While this lasts, the model's attention sees `layers` and, of its own tokens, what `visible` allows.

    @param visible [new tokens, own tokens so far and new]: True where a token may look.
    """
    ALL_ATTENTION_FUNCTIONS[_NAME] = _attend
    before = model.config._attn_implementation
    _row["layers"], _row["visible"] = layers, visible
    model.config._attn_implementation = _NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before
        _row.clear()


#: What `attending` has set; a worker reads one row at a time.
_row: dict[str, Any] = {}


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _attention_mask: Any,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    layer: Layer = _row["layers"][module.layer_idx]
    _, heads, tokens, channels = query.shape
    key_heads = key.shape[1]
    grouped = query[0].reshape(key_heads, heads // key_heads * tokens, channels)
    own_mask = _row["visible"].repeat(heads // key_heads, 1)
    scale = channels**-0.5 if scaling is None else scaling
    many = key_heads * grouped.shape[1] * (layer.keys.shape[2] + key.shape[2]) > _MOST_SCORES
    slices = [slice(head, head + 1) for head in range(key_heads)] if many else [slice(0, key_heads)]
    parts = []
    for part in slices:
        over_cache = grouped[part] @ layer.keys[0, part].transpose(1, 2) * scale
        if layer.hidden_from is not None:
            over_cache = over_cache.masked_fill(layer.hidden_from[part, None], float("-inf"))
        over_own = (grouped[part] @ key[0, part].transpose(1, 2) * scale).masked_fill(~own_mask, float("-inf"))
        weights = torch.cat([over_cache, over_own], dim=-1).softmax(-1, dtype=torch.float32).to(query.dtype)
        cached = layer.keys.shape[2]
        parts.append(weights[..., :cached] @ layer.values[0, part] + weights[..., cached:] @ value[0, part])
    output = torch.cat(parts).reshape(heads, tokens, channels)
    return output.transpose(0, 1)[None].contiguous(), None
