"""Guesses at how an answer goes on, so that one pass of the model can check several tokens at once.

Greedy answers to one query from caches compressed in different ways are largely the same, and answers about a text
quote it: what an answer says next often stands in an earlier one, or in the context (prompt lookup decoding). A wrong
guess costs a little arithmetic and changes nothing: a token is only taken where the model itself chooses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

#: Tokens guessed at once: after an earlier answer that began the same, and after a place that ends the same.
_FROM_ANSWER, _FROM_TEXT = 8, 4
#: Tokens that must agree for a place in the text to be taken for the same.
_ALIKE = 2


class Drafts:
    """What the answers to the queries of one context may be made of. @param context its token ids."""

    def __init__(self, context: Sequence[int], queries: int):
        self._in_context = _continuations(context)
        self._answers: list[list[list[int]]] = [[] for _ in range(queries)]
        #: Per query, what followed a run of `_ALIKE` tokens in an earlier answer.
        self._in_answers: list[dict[tuple[int, ...], Sequence[int]]] = [{} for _ in range(queries)]

    def of(self, queries: Iterable[int]) -> Drafts:
        """The part of it that belongs to these queries; what it learns is learned by the whole."""
        places = list(queries)
        part = copy(self)
        part._answers = [self._answers[place] for place in places]
        part._in_answers = [self._in_answers[place] for place in places]
        return part

    def learn(self, query: int, answer: list[int]) -> None:
        """Takes in an answer to a query, by the query's place."""
        if answer not in self._answers[query]:
            self._answers[query].append(answer)
            self._in_answers[query].update(_continuations(answer))

    def guess(self, query: int, answer: list[int], room: int) -> Sequence[int]:
        """How the answer may go on, `room` tokens at most; empty without an idea."""
        length = len(answer)
        for earlier in reversed(self._answers[query]):
            if len(earlier) > length and earlier[:length] == answer:
                return earlier[length : length + min(room, _FROM_ANSWER)]
        ending = tuple(answer[-_ALIKE:])
        return (self._in_answers[query].get(ending) or self._in_context.get(ending) or ())[:room]


def _continuations(tokens: Sequence[int]) -> dict[tuple[int, ...], Sequence[int]]:
    """What follows every run of `_ALIKE` tokens, where it stands last."""
    return {tuple(tokens[i - _ALIKE : i]): tokens[i : i + _FROM_TEXT] for i in range(_ALIKE, len(tokens))}
