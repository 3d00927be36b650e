"""Many queries against one cache at once: one pass reads all reference answers, one step continues all that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedModel

from .attention import attending
from .caches import Layer


@dataclass
class Reference:
    answers: list[list[int]]
    #: Per query [tokens of the answer, vocabulary], log-probabilities.
    distributions: list[torch.Tensor]

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
    """One row of tokens of several queries behind a compressed cache."""

    def __init__(self, model: PreTrainedModel, layers: list[Layer], context_tokens: int, queries: list[list[int]]):
        self.model, self.layers, self.queries = model, layers, queries
        #: Keys and values of the row's own tokens; the context's stay in `layers`.
        self.own = DynamicCache()
        #: Which query a token of the row belongs to, and its position.
        self.owners = torch.empty(0, dtype=torch.long)
        self.positions = torch.empty(0, dtype=torch.long)
        self.context_tokens = context_tokens

    def read(self, tokens: list[list[int]], starts: list[int], wanted: list[list[int]]) -> list[torch.Tensor]:
        """Feeds `tokens[q]` at place `starts[q]` of query q; returns the logits at its `wanted` tokens."""
        device = self.model.device
        owners = torch.tensor([q for q, ids in enumerate(tokens) for _ in ids])
        places = torch.tensor([starts[q] + i for q, ids in enumerate(tokens) for i in range(len(ids))])
        self.owners, self.positions = torch.cat([self.owners, owners]), torch.cat([self.positions, places])
        offsets = torch.tensor([0] + [len(ids) for ids in tokens]).cumsum(0)
        keep = torch.cat([offsets[q] + torch.tensor(places, dtype=torch.long) for q, places in enumerate(wanted)])
        visible = (owners[:, None] == self.owners[None]) & (self.positions[None] <= places[:, None])
        ids = torch.tensor([token for row in tokens for token in row], device=device)[None]
        with attending(self.model, self.layers, visible.to(device)):
            state = self.model.model(
                input_ids=ids,
                position_ids=(places + self.context_tokens)[None].to(device),
                past_key_values=self.own,
                # A mask in four dimensions keeps the model from making one; what may be seen is decided elsewhere.
                attention_mask=torch.zeros(1, 1, len(owners), 1, dtype=self.model.dtype, device=device),
            ).last_hidden_state[0]
        logits = self.model.lm_head(state[keep.to(device)]).float()
        return list(logits.split([len(places) for places in wanted]))

    def forget_after(self, query: int, places: int) -> None:
        """Hides what query `query` has read from place `places` on."""
        self.owners[(self.owners == query) & (self.positions >= places)] = -1


def greedy_answers(
    row: PackedRow,
    answers: list[list[int]],
    chosen: list[torch.Tensor],
    limit: int,
    end_tokens: set[int],
    choose: Callable[[torch.Tensor], int] = lambda logits: int(logits.argmax()),
) -> list[list[int]]:
    """The greedy answers, given what the model chooses after each token of `answers`: each is kept up to where the
    choice differs and continued from there. @param choose takes logits to a token; greedy if not given."""
    result, open_queries = [list(answer) for answer in answers], []
    for q, answer in enumerate(answers):
        choices = chosen[q].tolist()
        differs = next((i for i, token in enumerate(answer) if choices[i] != token), len(answer))
        if differs == len(answer) and answer:
            continue
        result[q] = answer[:differs] + [choices[differs]]
        row.forget_after(q, len(row.queries[q]) + differs)
        open_queries.append(q)
    ended = lambda q: len(result[q]) >= limit or result[q][-1] in end_tokens  # noqa: E731
    open_queries = [q for q in open_queries if not ended(q)]
    while open_queries:
        tokens = [[result[q][-1]] if q in open_queries else [] for q in range(len(answers))]
        starts = [len(row.queries[q]) + len(result[q]) - 1 for q in range(len(answers))]
        logits = row.read(tokens, starts, [[0] if ids else [] for ids in tokens])
        for q in open_queries:
            result[q].append(choose(logits[q][0]))
        open_queries = [q for q in open_queries if not ended(q)]
    return result


def read_answers(row: PackedRow, answers: list[list[int]]) -> list[torch.Tensor]:
    """The logits behind every token of the answers, given the tokens before it."""
    tokens = [query + answer for query, answer in zip(row.queries, answers, strict=True)]
    # The last token of an answer is read too, but nothing is asked after it.
    wanted = [[len(query) - 1 + i for i in range(max(1, len(answer)))] for query, answer in zip(row.queries, answers, strict=True)]
    return row.read(tokens, [0] * len(tokens), wanted)


def reference_answers(row: PackedRow, limit: int, end_tokens: set[int]) -> list[list[int]]:
    """Greedy answers from scratch."""
    empty: list[list[int]] = [[] for _ in row.queries]
    logits = read_answers(row, empty)
    return greedy_answers(row, empty, [each.argmax(-1) for each in logits], limit, end_tokens)


def compare(row: PackedRow, reference: Reference, limit: int, end_tokens: set[int], answer: bool = True) -> Candidate:
    """What a compressed cache makes of the reference answers. @param answer False: only read, write none."""
    logits = read_answers(row, reference.answers)
    choices = [each.argmax(-1) for each in logits]
    agreement, divergence = [], []
    for given, expected, scores, choice in zip(reference.answers, reference.distributions, logits, choices, strict=True):
        agreement.append(float((choice.cpu() == torch.tensor(given)).float().mean()))
        log_candidate = scores.log_softmax(-1)
        divergence.append(max(0.0, float((expected.exp() * (expected - log_candidate)).sum(-1).mean())))
    answers = greedy_answers(row, reference.answers, choices, limit, end_tokens) if answer else []
    return Candidate(answers, agreement, divergence)
