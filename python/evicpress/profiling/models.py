"""Whether a model can be profiled: first what its folder shows, in milliseconds, then what its layers are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_GIVE = "Give a folder with a Hugging Face model (config.json, weights, tokenizer)."


def check_folder(model: str) -> None:
    """Looks at the folder before anything large is imported or read; names of a hub pass.

    @raises ValueError where there is nothing to load, or nothing that keeps a KV cache of its context.
    """
    looks_like_path = model.startswith((".", "/", "~")) or model.count("/") != 1
    folder = Path(model)
    if not folder.is_dir():
        if looks_like_path:
            raise ValueError(f'Model "{model}": there is no such folder. {_GIVE}')
        return
    if not (folder / "config.json").is_file():
        raise ValueError(f'Model "{model}": the folder has no config.json. {_GIVE}')
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no object")
    except ValueError as error:
        raise ValueError(f'Model "{model}": its config.json cannot be read: {error}. {_GIVE}') from error
    if config.get("use_cache", True) is False or config.get("is_encoder_decoder", False):
        raise ValueError(
            f'Model "{model}" ({config.get("model_type", "no model_type")}) keeps no KV cache of its context: there is nothing to compress.'
        )


def check_layers(model: Any, name: str) -> None:
    """@param model a decoder, with or without its weights. @raises ValueError where kvpress could not compress it."""
    inner = getattr(model, "model", None)
    layers = getattr(getattr(inner, "language_model", inner), "layers", None)
    attention = [getattr(layer, "self_attn", None) for layer in layers] if layers is not None else []
    if not attention or not all(hasattr(each, "k_proj") or hasattr(each, "qkv_proj") for each in attention):
        raise ValueError(
            f'Model "{name}" ({model.config.model_type}) keeps no KV cache that kvpress can compress: it needs a decoder '
            "with attention in every layer (Llama, Mistral, Phi 3, Qwen 2 and 3, and what is built like them)."
        )
