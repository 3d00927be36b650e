"""The presses of kvpress 0.5.5 that need nothing but the model, by the names evicpress gives them.

Left out: presses that fetch trained weights or statistics (qfilter, kvzap, fastkvzip, duo, dms), that compress while
decoding, that need marks in the text (finch), or that have no ratio of tokens (think, simlayerkv).
"""

from __future__ import annotations

from collections.abc import Callable

import kvpress
from kvpress.presses.base_press import BasePress

Factory = Callable[[float], BasePress]


def _scorer(name: str, **settings: object) -> Factory:
    return lambda ratio: getattr(kvpress, name)(compression_ratio=ratio, **settings)


def _around(wrapper: str, inner: Factory) -> Factory:
    """A press that takes its scores, and its ratio, from another one."""
    return lambda ratio: getattr(kvpress, wrapper)(press=inner(ratio))


SCORERS: dict[str, Factory] = {
    "knorm": _scorer("KnormPress"),
    "keydiff": _scorer("KeyDiffPress"),
    "snapkv": _scorer("SnapKVPress"),
    "streaming-llm": _scorer("StreamingLLMPress"),
    "tova": _scorer("TOVAPress"),
    "lagkv": _scorer("LagKVPress"),
    "expected-attention": _scorer("ExpectedAttentionPress"),
    "pyramidkv": _scorer("PyramidKVPress"),
    "random": _scorer("RandomPress", seed=0),
}

PRESSES: dict[str, Factory] = {
    **SCORERS,
    "kvzip": _scorer("KVzipPress"),
    "adakv-snapkv": _around("AdaKVPress", SCORERS["snapkv"]),
    "adakv-knorm": _around("AdaKVPress", SCORERS["knorm"]),
    "adakv-keydiff": _around("AdaKVPress", SCORERS["keydiff"]),
    "adakv-expected-attention": _around("AdaKVPress", SCORERS["expected-attention"]),
    "criticalkv-snapkv": _around("CriticalKVPress", SCORERS["snapkv"]),
    "criticaladakv-snapkv": _around("CriticalAdaKVPress", SCORERS["snapkv"]),
    "chunkkv-snapkv": _around("ChunkKVPress", SCORERS["snapkv"]),
}


def works_on_copies(press: BasePress) -> bool:
    """Whether the press is one call per layer on keys and values, so that one prefill serves every ratio."""
    return type(press).__call__ is BasePress.__call__ and type(press).forward_hook is BasePress.forward_hook
