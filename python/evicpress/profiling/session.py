"""A model, and one context at a time."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from .answers import PackedRow, Reference, compare, read_answers, reference_answers
from .caches import VALUE_BYTES, Prefill, compress, prefill
from .presses import PRESSES
from .quantizers import FIXED_RATIOS, GROUP_SIZE


class Session:
    def __init__(self, model: str, dtype: str, device: str):
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).to(device).eval()
        if not getattr(self.model.config, "use_cache", True):
            raise ValueError(f"{model} does not keep a KV cache (use_cache is off)")
        end = self.model.generation_config.eos_token_id
        self.end_tokens = {end} if isinstance(end, int) else set(end or [])

    def describe(self) -> dict:
        return {
            "model": self.model.config.name_or_path.rstrip("/").split("/")[-1],
            "presses": list(PRESSES),
            "fixedRatios": FIXED_RATIOS,
            "groupSize": GROUP_SIZE,
        }

    @torch.inference_mode()
    def prepare(self, text: str, queries: list[str], limit: int, long_contexts: str) -> dict:
        before, after = self._frame(text)
        self.queries = [self._encode(query + after) for query in queries]
        ids = self._encode(before)
        room = self._window() - limit - max(len(query) for query in self.queries)
        if len(ids) > room and long_contexts == "refuse":
            raise ValueError(f"the context has {len(ids)} tokens; {room} fit into the model's window beside query and answer")
        cut = max(0, len(ids) - room)
        self.limit = limit
        self.full: Prefill = prefill(self.model, torch.tensor([ids[:room]], device=self.model.device))
        answers = reference_answers(self._row(self.full.layers), limit, self.end_tokens)
        logits = read_answers(self._row(self.full.layers), answers)
        self.reference = Reference(answers, [each.log_softmax(-1) for each in logits])
        return {
            "tokens": self.full.tokens,
            "fullBytes": sum((layer.keys.numel() + layer.values.numel()) * VALUE_BYTES for layer in self.full.layers),
            "cutTokens": cut,
            "prefillSeconds": self.full.seconds,
            "referenceAnswers": self._decode(answers),
        }

    @torch.inference_mode()
    def measure(self, method: str, ratio: float) -> dict:
        compressed = compress(self.model, self.full, method, ratio)
        candidate = compare(self._row(compressed.layers), self.reference, self.limit, self.end_tokens)
        return {
            "storedBytes": compressed.stored_bytes,
            "compressSeconds": compressed.compress_seconds,
            "decompressSeconds": compressed.decompress_seconds,
            "answers": self._decode(candidate.answers),
            "tokenAgreement": candidate.token_agreement,
            "klDivergence": candidate.kl_divergence,
        }

    def _row(self, layers) -> PackedRow:
        return PackedRow(self.model, layers, self.full.tokens, self.queries)

    def _frame(self, text: str) -> tuple[str, str]:
        """What stands before the query and after it, as kvpress's pipeline splits the chat template."""
        if self.tokenizer.chat_template is None:
            return (self.tokenizer.bos_token or "") + text, "\n"
        mark = "#" * (len(text) + 10)
        message = [{"role": "user", "content": text + mark}]
        framed = self.tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        before, after = framed.split(mark)
        return before, after

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def _decode(self, answers: list[list[int]]) -> list[str]:
        return [self.tokenizer.decode(answer, skip_special_tokens=True) for answer in answers]

    def _window(self) -> int:
        return getattr(self.model.config, "max_position_embeddings", 1 << 30)
