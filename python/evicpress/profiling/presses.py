"""The presses of kvpress 0.5.5 that need nothing but the model, by the names evicpress gives them.

A wrapper and the press whose scores it takes make one name: `adakv-snapkv`, `chunkkv-tova`. Left out: presses that
fetch trained weights or statistics (qfilter, kvzap, fastkvzip, duo, dms, lukv, restorekv), that compress while
decoding (cam), that need marks in the text or prompts to score with (finch, kvcompose), whole attention matrices
(observed-attention), that move tokens to new positions (key-rerotation), or that have no ratio (simlayerkv).
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
    "cur": _scorer("CURPress"),
    "cap": _scorer("CapPress"),
    "compactor": _scorer("CompactorPress"),
    "leverage": _scorer("LeverageScorePress"),
    "non-causal-attention": _scorer("NonCausalAttnPress"),
    "random": _scorer("RandomPress", seed=0),
}


WRAPPERS = {
    "adakv": "AdaKVPress",
    "criticalkv": "CriticalKVPress",
    "criticaladakv": "CriticalAdaKVPress",
    "chunkkv": "ChunkKVPress",
    "entropy-chunkkv": "EntropyGatedChunkKVPress",
    "block": "BlockPress",
    "chunk": "ChunkPress",
    "merging": "MergingPress",
}

#: They read the context again to score it, and only mark what they drop.
RECONSTRUCTORS: dict[str, Factory] = {"kvzip": _scorer("KVzipPress"), "kvgrad": _scorer("KVgradPress")}


def _think(ratio: float) -> BasePress:
    """ThinK drops channels of the keys; values stay, so its ratio is half of that of the keys."""
    if ratio > 0.5:
        raise ValueError("think removes channels of keys only, at most half of the bytes: give it a ratio up to 0.5")
    return kvpress.ThinKPress(key_channel_compression_ratio=2 * ratio)


#: Presses that keep every token and narrow the keys: bytes follow from the ratio, not from the shapes.
NARROWERS: dict[str, Factory] = {"think": _think}

PRESSES: dict[str, Factory] = {
    **SCORERS,
    **RECONSTRUCTORS,
    **NARROWERS,
    # Around pyramidkv a wrapper would see snapkv's scores: its budgets by layer are not part of them.
    **{
        f"{name}-{inner}": _around(press, SCORERS[inner])
        for name, press in WRAPPERS.items()
        for inner in SCORERS
        if inner != "pyramidkv"
    },
}


#: Scorers that look at the ratio when they score.
_SCORED_BY_RATIO = {"streaming-llm", "compactor"}


def scored_once(name: str) -> str | None:
    """The scorer whose scores over the whole context serve every ratio of this press; None where they would not:
    where they depend on the ratio, or are of pieces of the context (block, chunk)."""
    wrapper = next((each for each in WRAPPERS if name.startswith(f"{each}-")), "")
    scorer = name.removeprefix(f"{wrapper}-") if wrapper else name
    return None if wrapper in ("block", "chunk") or scorer not in SCORERS or scorer in _SCORED_BY_RATIO else scorer


def innermost(press: BasePress) -> BasePress:
    """The press that scores: itself, or what a wrapper holds."""
    while hasattr(press, "press"):
        press = press.press
    return press
