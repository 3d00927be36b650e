"""A random two-layer Llama with a tokenizer of words, for tests: python small_model.py FOLDER [no-cache]"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = [f"w{i}" for i in range(200)]


def make_model(folder: Path, **settings) -> str:
    """Writes it and returns where."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=203, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, bos_token_id=0, eos_token_id=1, **settings,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>").save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    make_model(Path(sys.argv[1]), use_cache="no-cache" not in sys.argv[2:])
