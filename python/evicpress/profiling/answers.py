"""Many queries against many caches at once: one pass reads all reference answers, one step continues all that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from .attention import GrowingLayer, attending
from .caches import Layer
from .drafts import Drafts


class Distribution:
    """What the model expects behind every token of an answer, [tokens, vocabulary]. @param logits of the same shape."""

    def __init__(self, logits: torch.Tensor):
        self.logarithms = logits.log_softmax(-1)
        self.probabilities = self.logarithms.exp()


@dataclass
class Reference:
    answers: list[list[int]]
    #: Per query.
    distributions: list[Distribution]

    def of(self, queries: Iterable[int]) -> Reference:
        """The part of it that belongs to these queries."""
        places = list(queries)
        return Reference([self.answers[place] for place in places], [self.distributions[place] for place in places])


@dataclass
class Candidate:
    answers: list[list[int]]
    token_agreement: list[float]
    kl_divergence: list[float]


class PackedRow:
    """One row of tokens of several queries, each behind one of several caches of the same context.

    Queries are counted through: those of the first cache, then those of the second, and so on.
    """

    def __init__(self, model: PreTrainedModel, caches: list[list[Layer]], context_tokens: int, queries: list[list[int]], limit: int):
        self.model, self.context_tokens = model, context_tokens
        self.per_cache = len(queries)
        self.queries = queries * len(caches)
        # The answers are read once as they are expected and once more where they differ.
        room = sum(len(query) for query in queries) + 2 * limit * len(queries)
        self._caches = [[GrowingLayer(layer, room) for layer in layers] for layers in caches]
        #: Per cache, which query an own token belongs to, and its place in it.
        self._owners = [torch.empty(0, dtype=torch.long) for _ in caches]
        self._places = [torch.empty(0, dtype=torch.long) for _ in caches]

    def read(self, tokens: list[list[int]], starts: list[int], wanted: list[list[int]]) -> list[torch.Tensor]:
        """Feeds `tokens[q]` at place `starts[q]` of query q; returns the logits at its `wanted` tokens."""
        device = self.model.device
        ids = torch.tensor([token for row in tokens for token in row], device=device)[None]
        places = torch.tensor([starts[q] + i for q, row in enumerate(tokens) for i in range(len(row))])
        offsets = torch.tensor([0] + [len(row) for row in tokens]).cumsum(0).tolist()
        keep = torch.tensor([offsets[q] + place for q, wished in enumerate(wanted) for place in wished], device=device)
        parts = [part for cache in range(len(self._caches)) if (part := self._part(cache, tokens, places, offsets)) is not None]
        with attending(self.model, parts):
            state = self.model.model(
                input_ids=ids,
                position_ids=(places + self.context_tokens)[None].to(device),
                use_cache=False,
                # A mask in four dimensions keeps the model from making one; what may be seen is decided elsewhere.
                attention_mask=torch.zeros(1, 1, len(places), 1, dtype=self.model.dtype, device=device),
            ).last_hidden_state[0]
        logits = self.model.lm_head(state[keep]).float()
        return list(logits.split([len(wished) for wished in wanted]))

    def _part(
        self, cache: int, tokens: list[list[int]], places: torch.Tensor, offsets: list[int]
    ) -> tuple[slice, list[GrowingLayer], torch.Tensor] | None:
        """Where a cache's tokens stand in the row, and which own tokens each of them sees; None where it has none."""
        first, last = cache * self.per_cache, (cache + 1) * self.per_cache
        where = slice(offsets[first], offsets[last])
        if where.start == where.stop:
            return None
        owners = torch.tensor([q for q in range(first, last) for _ in tokens[q]])
        self._owners[cache] = torch.cat([self._owners[cache], owners])
        self._places[cache] = torch.cat([self._places[cache], places[where]])
        visible = (owners[:, None] == self._owners[cache]) & (self._places[cache] <= places[where, None])
        return where, self._caches[cache], visible.to(self.model.device)

    def forget_after(self, query: int, place: int) -> None:
        """Hides what query `query` has read from this place on."""
        cache = query // self.per_cache
        owners = self._owners[cache]
        owners[(owners == query) & (self._places[cache] >= place)] = -1


def greedy_answers(
    row: PackedRow,
    answers: list[list[int]],
    chosen: list[torch.Tensor],
    limit: int,
    end_tokens: set[int],
    drafts: Drafts | None = None,
    choose: Callable[[torch.Tensor], int] = lambda logits: int(logits.argmax()),
) -> list[list[int]]:
    """The greedy answers, given what the model chooses after each token of `answers`: each is kept up to where the
    choice differs and continued from there.

    @param drafts guesses that are checked along the way; what is right of them costs no pass of its own.
    @param choose takes logits to a token; greedy if not given.
    """
    result, open_queries = [list(answer) for answer in answers], []
    for q, answer in enumerate(answers):
        choices = chosen[q].tolist()
        differs = next((i for i, token in enumerate(answer) if choices[i] != token), len(answer))
        if differs == len(answer) and answer:
            continue
        result[q] = answer[:differs] + [choices[differs]]
        row.forget_after(q, len(row.queries[q]) + differs)
        open_queries.append(q)

    def ended(q: int) -> bool:
        # As in kvpress's pipeline, an answer has one token at least besides the one that ends it.
        return len(result[q]) >= limit or (len(result[q]) > 1 and result[q][-1] in end_tokens)

    def guess(q: int) -> list[int]:
        return list(drafts.guess(q % row.per_cache, result[q], limit - len(result[q]) - 1)) if drafts is not None else []

    open_queries = [q for q in open_queries if not ended(q)]
    while open_queries:
        guesses = {q: guess(q) for q in open_queries}
        tokens = [result[q][-1:] + guesses[q] if q in guesses else [] for q in range(len(result))]
        starts = [len(query) + len(answer) - 1 for query, answer in zip(row.queries, result, strict=True)]
        logits = row.read(tokens, starts, [list(range(len(each))) for each in tokens])
        for q in open_queries:
            for place, guessed in enumerate([*guesses[q], None]):
                result[q].append(choose(logits[q][place]))
                if ended(q) or result[q][-1] != guessed:
                    break
            row.forget_after(q, len(row.queries[q]) + len(result[q]) - 1)
        open_queries = [q for q in open_queries if not ended(q)]
    if drafts is not None:
        for q, answer in enumerate(result):
            drafts.learn(q % row.per_cache, answer)
    return result


def read_answers(row: PackedRow, answers: list[list[int]]) -> list[torch.Tensor]:
    """The logits behind every token of the answers, given the tokens before it."""
    tokens = [query + answer for query, answer in zip(row.queries, answers, strict=True)]
    # The last token of an answer is read too, but nothing is asked after it.
    wanted = [[len(query) - 1 + i for i in range(max(1, len(answer)))] for query, answer in zip(row.queries, answers, strict=True)]
    return row.read(tokens, [0] * len(tokens), wanted)


def reference_answers(row: PackedRow, limit: int, end_tokens: set[int], drafts: Drafts) -> list[list[int]]:
    """Greedy answers from scratch."""
    empty: list[list[int]] = [[] for _ in row.queries]
    logits = read_answers(row, empty)
    return greedy_answers(row, empty, [each.argmax(-1) for each in logits], limit, end_tokens, drafts)


def compare(
    row: PackedRow, reference: Reference, limit: int, end_tokens: set[int], drafts: Drafts, answer: bool = True
) -> list[Candidate]:
    """What each of the row's caches makes of the reference answers. @param answer False: only read, write none."""
    caches = len(row.queries) // row.per_cache
    given = reference.answers * caches
    logits = read_answers(row, given)
    choices = [each.argmax(-1) for each in logits]
    agreement, divergence = [], []
    for expected_ids, expected, scores, choice in zip(given, reference.distributions * caches, logits, choices, strict=True):
        agreement.append(float((choice.cpu() == torch.tensor(expected_ids)).float().mean()))
        # Σ p (log p − log q), with log q = scores − logsumexp(scores).
        surprise = scores.logsumexp(-1) + torch.linalg.vecdot(expected.probabilities, expected.logarithms - scores)
        divergence.append(max(0.0, float(surprise.mean())))
    del logits
    answers = greedy_answers(row, given, choices, limit, end_tokens, drafts) if answer else [[] for _ in given]
    of = lambda cache: slice(cache * row.per_cache, (cache + 1) * row.per_cache)  # noqa: E731
    return [Candidate(answers[of(c)] if answer else [], agreement[of(c)], divergence[of(c)]) for c in range(caches)]
