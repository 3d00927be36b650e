"""A context's KV cache: prefilled once, and compressed copies of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from kvpress.presses.base_press import BasePress
from transformers import DynamicCache, PreTrainedModel

from .presses import NARROWERS, PRESSES, RECONSTRUCTORS, innermost, scored_once
from .quantizers import FIXED_RATIOS, round_trip

#: Bytes of a value as it is served. The worker may compute in 32 bits; caches are stored in 16.
VALUE_BYTES = 2


@dataclass
class Layer:
    """Keys and values [1, heads, tokens, channels]; `hidden_from` [heads, tokens] is True where a head may not look."""

    keys: torch.Tensor
    values: torch.Tensor
    hidden_from: torch.Tensor | None = None

    def stored_bytes(self, removed_from_keys: float = 0.0) -> int:
        """Bytes at 16 bits a value. @param removed_from_keys the share of the keys' channels that is zero."""
        heads, tokens, channels = self.keys.shape[1:]
        kept = heads * tokens
        if self.hidden_from is not None:
            kept -= int(self.hidden_from.sum())
        key_channels = channels - int(channels * removed_from_keys)
        return kept * (key_channels + channels) * VALUE_BYTES


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
    inputs: list[dict[str, Any]]
    #: What presses found that holds for every ratio: scores by (scorer, layer), marks' scores by reconstructor.
    scores: dict[Any, torch.Tensor] = field(default_factory=dict)
    #: What finding them took: a press is charged with it at every ratio, as if it had been asked for that alone.
    score_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.ids.shape[1]


def inner_model(model: PreTrainedModel) -> Any:
    """The decoder without its output layer."""
    return getattr(model.model, "language_model", model.model)


def attention_layers(model: PreTrainedModel) -> list[torch.nn.Module]:
    return [layer.self_attn for layer in inner_model(model).layers]


def prefill(model: PreTrainedModel, ids: torch.Tensor) -> Prefill:
    """Runs the context through the model once."""
    inputs: list[dict[str, Any]] = []

    def remember(_module: torch.nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        inputs.append({name: kwargs[name] for name in ("hidden_states", "position_embeddings") if name in kwargs})

    cache = DynamicCache()
    start = time.perf_counter()
    with hooks(model, lambda module: module.register_forward_pre_hook(remember, with_kwargs=True)):
        model.model(input_ids=ids, past_key_values=cache)
    layers = [Layer(layer.keys, layer.values) for layer in cache.layers if layer.keys is not None]
    if len(layers) != len(inputs):
        raise ValueError(f"the model keeps no KV cache in {len(inputs) - len(layers)} of its {len(inputs)} layers")
    return Prefill(ids, layers, time.perf_counter() - start, inputs)


def split_method(method: str) -> tuple[str, str]:
    """`snapkv`, `int4` or `snapkv+int4` as (press, quantizer), either of which may be empty."""
    press, _, quantizer = method.partition("+")
    return ("", press) if press in FIXED_RATIOS else (press, quantizer)


def compress(model: PreTrainedModel, full: Prefill, method: str, ratio: float) -> Compressed:
    """Compresses a copy: `press`, `quantizer` or `press+quantizer`, whose ratio is that of the whole."""
    press, quantizer = split_method(method)
    # Some presses draw (leverage sketches, random): the same in every run.
    torch.manual_seed(0)
    start = time.perf_counter()
    reused = full.score_seconds.get(scored_once(press) or press, 0.0)
    layers = _press(model, full, press, _dropped(ratio, quantizer)) if press else full.layers
    pressed = time.perf_counter()
    if not quantizer:
        narrowed = 2 * ratio if press in NARROWERS else 0.0
        stored = sum(layer.stored_bytes(narrowed) for layer in layers)
        return Compressed(layers, stored, pressed - start + reused, 0.0)
    if press in NARROWERS:
        raise ValueError(f"{press} is not combined with {quantizer}: its zeroed channels would be quantized as values")
    restored, stored = [], 0
    for layer in layers:
        piece, count = _quantized(layer, quantizer)
        restored.append(piece)
        stored += count
    seconds = time.perf_counter() - pressed
    # A round trip is timed as one; its second half is taken for the decompression.
    return Compressed(restored, stored, pressed - start + reused + seconds / 2, seconds / 2)


def _quantized(layer: Layer, quantizer: str) -> tuple[Layer, int]:
    """A layer as it comes back from a quantizer. Heads that hide different tokens are quantized one by one, so
    that a group holds only what is kept."""
    if layer.hidden_from is None:
        keys, values, count = round_trip(quantizer, layer.keys, layer.values)
        return Layer(keys, values), count
    keys, values, stored = layer.keys.clone(), layer.values.clone(), 0
    for head, hidden in enumerate(layer.hidden_from):
        kept = (~hidden).nonzero().flatten()
        if len(kept) == 0:
            continue
        own_keys, own_values, count = round_trip(quantizer, keys[:, head : head + 1, kept], values[:, head : head + 1, kept])
        keys[:, head, kept], values[:, head, kept] = own_keys[:, 0], own_values[:, 0]
        stored += count
    return Layer(keys, values, layer.hidden_from), stored


def _dropped(ratio: float, quantizer: str) -> float:
    """The share of the tokens to drop, so that dropping and quantizing together remove `ratio`."""
    return max(0.0, 1 - (1 - ratio) / (1 - FIXED_RATIOS[quantizer])) if quantizer else ratio


def _press(model: PreTrainedModel, full: Prefill, name: str, ratio: float) -> list[Layer]:
    if ratio == 0:
        return full.layers
    modules = attention_layers(model)
    for module in modules:
        module.masked_key_indices = None
        module.rotary_emb = inner_model(model).rotary_emb
    press = PRESSES[name](ratio)
    if name in RECONSTRUCTORS:
        _mark_by_reconstruction(model, full, name, press)
        return [_with_mask(module, layer) for module, layer in zip(modules, full.layers, strict=True)]
    press.post_init_from_model(model)
    scorer = scored_once(name)
    if scorer is not None:
        _score_once(full, scorer, innermost(press))
    layers = []
    for module, layer, kwargs in zip(modules, full.layers, full.inputs, strict=True):
        keys, values = press.compress(module, kwargs["hidden_states"], layer.keys.clone(), layer.values.clone(), None, kwargs)
        layers.append(_with_mask(module, Layer(keys, values)))
    return layers


def _score_once(full: Prefill, scorer: str, press: BasePress) -> None:
    """Lets a press take its scores from `full` where an earlier ratio has left them."""
    score = press.score

    def remembered(module: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.Tensor:
        key = (scorer, module.layer_idx)
        if key not in full.scores:
            start = time.perf_counter()
            full.scores[key] = score(module, *args, **kwargs)
            full.score_seconds[scorer] = full.score_seconds.get(scorer, 0.0) + time.perf_counter() - start
        # Wrappers write into what they get.
        return full.scores[key].clone()

    press.score = remembered


def _mark_by_reconstruction(model: PreTrainedModel, full: Prefill, name: str, press: BasePress) -> None:
    """kvzip and kvgrad read the context again to score it: once, behind the cache that is there already."""
    if name not in full.scores:
        cache = DynamicCache()
        for index, layer in enumerate(full.layers):
            cache.update(layer.keys.clone(), layer.values.clone(), index)
        mark = press.compress_post
        press.compress_post = lambda _model: full.scores.__setitem__(name, press.score_val.clone())
        start = time.perf_counter()
        with press(model):
            press._context_ids, press._cache = full.ids, cache
        full.score_seconds[name] = time.perf_counter() - start
        press.compress_post = mark
    press.score_val = full.scores[name].clone()
    press.compress_post(model)


def _with_mask(module: torch.nn.Module, layer: Layer) -> Layer:
    """Takes over the positions that a press only marks, and clears the mark: kvpress would look for it again."""
    indices = getattr(module, "masked_key_indices", None)
    module.masked_key_indices = None
    if indices is None:
        return layer
    hidden = torch.zeros(layer.keys.shape[1:3], dtype=torch.bool, device=layer.keys.device)
    hidden[indices[1], indices[2]] = True
    return Layer(layer.keys, layer.values, hidden)


@contextmanager
def hooks(model: PreTrainedModel, register: Callable[[torch.nn.Module], Any]) -> Iterator[None]:
    """Hooks on every attention layer, for as long as the block lasts."""
    handles = [register(module) for module in attention_layers(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
