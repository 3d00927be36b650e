"""A model, and one context at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from .answers import Distribution, PackedRow, Reference, compare, greedy_answers, read_answers, reference_answers
from .caches import VALUE_BYTES, Prefill, compress, prefill
from .drafts import Drafts
from .features import features
from .models import check_layers
from .presses import PRESSES
from .quantizers import FIXED_RATIOS, GROUP_SIZE

#: How free the model is when it thinks up questions; greedy decoding would ask the same one again and again.
_TEMPERATURE = 0.8
_QUESTION_TOKENS = 48
#: How many configurations are measured at once; with more, more would be lost when a run is killed.
TOGETHER = 10


class Session:
    """@raises ValueError with what is wrong with the model, in words for whoever named it."""

    def __init__(self, model: str, dtype: str, device: str, threads: int | None = None):
        if threads is not None:
            torch.set_num_threads(threads)
        config = _config(model)
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModelForCausalLM.from_pretrained(model, config=config, dtype=getattr(torch, dtype)).to(device).eval()
        end = self.model.generation_config.eos_token_id
        self.end_tokens = {end} if isinstance(end, int) else set(end or [])
        self.full: Prefill | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "model": self.model.config.name_or_path.rstrip("/").split("/")[-1],
            "presses": list(PRESSES),
            "fixedRatios": FIXED_RATIOS,
            "groupSize": GROUP_SIZE,
            "together": TOGETHER,
        }

    @torch.no_grad()
    def prepare(self, context: str, text: str, queries: list[str], limit: int, long_contexts: str) -> dict[str, Any]:
        """Prefills a context and answers its queries from the whole cache."""
        before, after = self._frame(text)
        self.queries = [self._encode(query + after) for query in queries]
        ids = self._encode(before)
        room = self._room(limit + max(len(query) for query in self.queries))
        if room < 1:
            raise ValueError(
                f'Context "{context}": its longest query and an answer of {limit} tokens leave nothing of the model\'s '
                "window. Shorten the query, or the answers with --answer-tokens."
            )
        if len(ids) > room and long_contexts == "refuse":
            raise ValueError(
                f'Context "{context}" has {len(ids)} tokens; {room} fit into the model\'s window beside the query and '
                "its answer. Shorten it, or let it be cut with --long-contexts cut."
            )
        self.limit = limit
        self.full = self._prefilled(ids[:room])
        self.drafts = Drafts(self.full.ids[0].tolist(), len(self.queries))
        answers = reference_answers(self._full_row(), limit, self.end_tokens, self.drafts)
        logits = read_answers(self._full_row(), answers)
        self.reference = Reference(answers, [Distribution(each) for each in logits])
        return {
            "tokens": self.full.tokens,
            "fullBytes": sum((layer.keys.numel() + layer.values.numel()) * VALUE_BYTES for layer in self.full.layers),
            "cutTokens": max(0, len(ids) - room),
            "prefillSeconds": self.full.seconds,
            "features": features(self.model, self.full),
            "referenceAnswers": self._decode(answers),
        }

    @torch.no_grad()
    def measure(
        self, configurations: list[dict[str, Any]], asked: list[int] | None = None, answer: bool = True
    ) -> list[dict[str, Any]]:
        """Compresses the prepared context in several ways and compares; the weights are read once for all of them.

        @param configurations method and ratio of each
        @param asked which queries, by their place; all of them if None
        @param answer False: no answers, only the teacher-forced measures, at a fraction of the cost
        """
        assert self.full is not None
        compressed = [compress(self.model, self.full, each["method"], each["ratio"]) for each in configurations]
        places = range(len(self.queries)) if asked is None else asked
        queries = [self.queries[place] for place in places]
        row = PackedRow(self.model, [each.layers for each in compressed], self.full.tokens, queries, self.limit)
        candidates = compare(row, self.reference.of(places), self.limit, self.end_tokens, self.drafts.of(places), answer)
        return [
            {
                "storedBytes": each.stored_bytes,
                "compressSeconds": each.compress_seconds,
                "decompressSeconds": each.decompress_seconds,
                "answers": self._decode(candidate.answers),
                "tokenAgreement": candidate.token_agreement,
                "klDivergence": candidate.kl_divergence,
            }
            for each, candidate in zip(compressed, candidates, strict=True)
        ]

    @torch.no_grad()
    def ask(self, text: str, requests: list[str], seed: int) -> list[str]:
        """Lets the model answer `requests` about a text freely: that is how a context gets queries."""
        before, after = self._frame(text)
        queries = [self._encode(request + after) for request in requests]
        full = self._prefilled(self._encode(before)[: self._room(_QUESTION_TOKENS + max(map(len, queries)))])
        row = PackedRow(self.model, [full.layers], full.tokens, queries, _QUESTION_TOKENS)
        generator = torch.Generator().manual_seed(seed)
        choose: Callable[[torch.Tensor], int] = lambda logits: int(  # noqa: E731
            torch.multinomial((logits.cpu() / _TEMPERATURE).softmax(-1), 1, generator=generator)
        )
        empty: list[list[int]] = [[] for _ in queries]
        first = [torch.tensor([choose(each[0])]) for each in read_answers(row, empty)]
        return self._decode(greedy_answers(row, empty, first, _QUESTION_TOKENS, self.end_tokens, choose=choose))

    def _prefilled(self, ids: list[int]) -> Prefill:
        """Prefills a context, unless it is the one that is there."""
        tensor = torch.tensor([ids], device=self.model.device)
        if self.full is not None and torch.equal(self.full.ids, tensor):
            return self.full
        self.full = None
        self.full = prefill(self.model, tensor)
        return self.full

    def _full_row(self) -> PackedRow:
        assert self.full is not None
        return PackedRow(self.model, [self.full.layers], self.full.tokens, self.queries, self.limit)

    def _frame(self, text: str) -> tuple[str, str]:
        """What stands before the query and after it, as kvpress's pipeline splits the chat template."""
        if self.tokenizer.chat_template is None:
            return (self.tokenizer.bos_token or "") + text, "\n"
        mark = "#" * (len(text) + 10)
        message = [{"role": "user", "content": text + mark}]
        framed = self.tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False, enable_thinking=False)
        before, after = framed.split(mark)
        return before, after

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def _decode(self, answers: list[list[int]]) -> list[str]:
        return [self.tokenizer.decode(answer, skip_special_tokens=True) for answer in answers]

    def _room(self, beside: int) -> int:
        """Tokens of a context that fit beside a query and its answer: into the window, and into sliding layers."""
        config = self.model.config.get_text_config()
        window = getattr(config, "max_position_embeddings", 1 << 30)
        sliding = getattr(config, "sliding_window", None)
        if sliding and getattr(config, "use_sliding_window", True):
            window = min(window, sliding)
        return window - beside



def _config(model: str) -> Any:
    """The model's configuration, and a look at its layers before the weights are read. @raises ValueError"""
    try:
        config = AutoConfig.from_pretrained(model)
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config)
    except Exception as error:  # whatever a model's files make the library raise
        raise ValueError(f'Model "{model}" cannot be read: {str(error).strip().splitlines()[0]}') from error
    check_layers(empty, model)
    return config
