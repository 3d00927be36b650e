"""What a prefill shows of a context at no further cost: how its keys lie and where its last tokens look.

The same five figures as the embedded runner's (src/methods/features.ts), so that profiles of either can be compared.
"""

from __future__ import annotations

import math

import torch
from kvpress import SnapKVPress
from transformers import PreTrainedModel

from .caches import Prefill, attention_layers

WINDOW = 64
SINKS = 4


def features(model: PreTrainedModel, full: Prefill) -> dict[str, float]:
    """Means over layers and heads; contexts no longer than the window have none of the attention figures."""
    rows = []
    for module, layer, kwargs in zip(attention_layers(model), full.layers, full.inputs, strict=True):
        keys = layer.keys[0].float()
        norms = keys.norm(dim=-1)
        directions = keys / norms.clamp(min=1e-12)[..., None]
        row = {
            "keyNormVariation": float((norms.std(-1, correction=0) / norms.mean(-1)).mean()),
            "keyAlikeness": float(torch.nn.functional.cosine_similarity(directions, directions.mean(1, keepdim=True), dim=-1).mean()),
        }
        seen = full.tokens - WINDOW
        if seen > SINKS:
            attention = SnapKVPress.compute_window_attention(
                module, kwargs["hidden_states"], layer.keys, WINDOW, kwargs["position_embeddings"]
            )[0].float().mean(1)
            share = attention / attention.sum(-1, keepdim=True)
            entropy = -(share * share.clamp(min=1e-30).log()).sum(-1) / math.log(seen)
            row |= {
                "sinkAttention": float(attention[:, :SINKS].sum(-1).mean()),
                "recentAttention": float(1 - attention.sum(-1).mean()),
                "attentionEntropy": float(entropy.mean()),
            }
        rows.append(row)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
