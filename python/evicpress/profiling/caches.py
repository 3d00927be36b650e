"""A context's KV cache, plain and compressed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache, PreTrainedModel

from .presses import PRESSES, works_on_copies
from .quantizers import round_trip

#: Bytes of a value as it is served. The worker may compute in 32 bits; caches are stored in 16.
VALUE_BYTES = 2


@dataclass
class Layer:
    """Keys and values [1, heads, tokens, channels]; `hidden_from` [heads, tokens] is True where a head may not look."""

    keys: torch.Tensor
    values: torch.Tensor
    hidden_from: torch.Tensor | None = None

    def stored_bytes(self) -> int:
        heads, tokens, channels = self.keys.shape[1:]
        kept = heads * tokens
        if self.hidden_from is not None:
            kept -= int(self.hidden_from.sum())
        return 2 * kept * channels * VALUE_BYTES


@dataclass
class Compressed:
    layers: list[Layer]
    stored_bytes: int
    compress_seconds: float
    decompress_seconds: float


@dataclass
class Prefill:
    """One pass over a context, with what presses look at: every attention layer's inputs."""

    ids: torch.Tensor
    layers: list[Layer]
    seconds: float
    inputs: list[dict] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return self.ids.shape[1]


def attention_layers(model: PreTrainedModel) -> list[torch.nn.Module]:
    inner = getattr(model.model, "language_model", model.model)
    return [layer.self_attn for layer in inner.layers]


def prefill(model: PreTrainedModel, ids: torch.Tensor) -> Prefill:
    """Runs the context through the model once."""
    inputs: list[dict] = []

    def remember(_module, _args, kwargs):
        inputs.append({name: kwargs[name] for name in ("hidden_states", "position_embeddings") if name in kwargs})

    with _hooks(model, lambda module: module.register_forward_pre_hook(remember, with_kwargs=True)):
        layers, seconds = _run(model, ids)
    return Prefill(ids, layers, seconds, inputs)


def compress(model: PreTrainedModel, full: Prefill, method: str, ratio: float) -> Compressed:
    """Compresses a copy: `press`, `quantizer` or `press+quantizer`, whose ratio is that of the whole."""
    press_name, _, quantizer = method.partition("+")
    if press_name not in PRESSES:
        press_name, quantizer = "", press_name
    start = time.perf_counter()
    layers = _press(model, full, press_name, ratio if not quantizer else _dropped(ratio, quantizer)) if press_name else full.layers
    pressed = time.perf_counter()
    if not quantizer:
        return Compressed(layers, sum(layer.stored_bytes() for layer in layers), pressed - start, 0.0)
    if any(layer.hidden_from is not None for layer in layers):
        raise ValueError(f"{press_name} hides tokens head by head and cannot be followed by {quantizer}")
    restored, stored = [], 0
    for layer in layers:
        keys, values, count = round_trip(quantizer, layer.keys, layer.values)
        restored.append(Layer(keys, values))
        stored += count
    return Compressed(restored, stored, time.perf_counter() - start, time.perf_counter() - pressed)


def _dropped(ratio: float, quantizer: str) -> float:
    from .quantizers import FIXED_RATIOS

    return max(0.0, 1 - (1 - ratio) / (1 - FIXED_RATIOS[quantizer]))


def _press(model: PreTrainedModel, full: Prefill, name: str, ratio: float) -> list[Layer]:
    press = PRESSES[name](ratio)
    modules = attention_layers(model)
    for module in modules:
        module.masked_key_indices = None
    if not works_on_copies(press):
        with press(model):
            layers, _ = _run(model, full.ids)
        return [_with_mask(module, layer) for module, layer in zip(modules, layers, strict=True)]
    press.post_init_from_model(model)
    layers = []
    for module, layer, kwargs in zip(modules, full.layers, full.inputs, strict=True):
        module.rotary_emb = getattr(model.model, "language_model", model.model).rotary_emb
        keys, values = press.compress(module, kwargs["hidden_states"], layer.keys.clone(), layer.values.clone(), None, kwargs)
        layers.append(_with_mask(module, Layer(keys, values)))
    return layers


def _with_mask(module: torch.nn.Module, layer: Layer) -> Layer:
    """Takes over the positions that a press only marks, and clears the mark: kvpress would look for it again."""
    indices = getattr(module, "masked_key_indices", None)
    module.masked_key_indices = None
    if indices is None:
        return layer
    hidden = torch.zeros(layer.keys.shape[1:3], dtype=torch.bool, device=layer.keys.device)
    hidden[indices[1], indices[2]] = True
    return Layer(layer.keys, layer.values, hidden)


def _run(model: PreTrainedModel, ids: torch.Tensor) -> tuple[list[Layer], float]:
    cache = DynamicCache()
    start = time.perf_counter()
    model.model(input_ids=ids, past_key_values=cache)
    return [Layer(layer.keys, layer.values) for layer in cache.layers], time.perf_counter() - start


@contextmanager
def _hooks(model: PreTrainedModel, register: Callable):
    handles = [register(module) for module in attention_layers(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
