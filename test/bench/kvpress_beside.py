"""Our worker beside kvpress's own pipeline: the same presses, ratios, context and queries, in one process.

    python kvpress_beside.py MODEL CONTEXTS [--contexts N] [--queries N] [--tokens N] [--presses a,b] [--ratios .1,.3]

For every configuration first the one, then the other is timed, so that a busy machine slows both. Our prefill and
the reference answers are timed too, and shared by all configurations of a context. Prints one JSON object.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

import torch  # noqa: E402
from kvpress import KVPressTextGenerationPipeline  # noqa: E402

from evicpress.profiling.presses import PRESSES  # noqa: E402
from evicpress.profiling.session import Session  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("contexts")
parser.add_argument("--number", type=int, default=1)
parser.add_argument("--queries", type=int, default=5)
parser.add_argument("--tokens", type=int, default=32)
parser.add_argument("--presses", default="keydiff,knorm,snapkv,streaming-llm,tova,lagkv,expected-attention,adakv-snapkv")
parser.add_argument("--ratios", default="0.1,0.3,0.5,0.7,0.9")
parser.add_argument("--dtype", default="float32")
parser.add_argument("--device", default="cpu")
options = parser.parse_args()

session = Session(options.model, options.dtype, options.device)
pipeline = KVPressTextGenerationPipeline(model=session.model, tokenizer=session.tokenizer)
grid = [(name, float(ratio)) for name in options.presses.split(",") for ratio in options.ratios.split(",")]
rows = [row for row in map(json.loads, Path(options.contexts).read_text().splitlines()) if "text" in row]
with_queries = [row for row in rows if len(row.get("queries", [])) >= options.queries][: options.number]

ours = theirs = prefill_tokens = 0.0
same = answers = 0
per_press = {name: [0.0, 0.0] for name in options.presses.split(",")}


def timed(work):
    start = time.perf_counter()
    return work(), time.perf_counter() - start


for row in with_queries:
    queries = row["queries"][: options.queries]
    prepared, seconds = timed(lambda: session.prepare(row["context"], row["text"], queries, options.tokens, "cut"))
    ours += seconds
    prefill_tokens += prepared["tokens"]
    for name, ratio in grid:
        measured, seconds = timed(lambda: session.measure(name, ratio))
        ours += seconds
        per_press[name][0] += seconds
        with torch.no_grad():
            expected, their_seconds = timed(
                lambda: pipeline(row["text"], questions=queries, press=PRESSES[name](ratio), max_new_tokens=options.tokens)["answers"]
            )
        theirs += their_seconds
        per_press[name][1] += their_seconds
        answers += len(expected)
        same += sum(a == b for a, b in zip(measured["answers"], expected, strict=True))
        print(f"{row['context']} {name}@{ratio}: ours {seconds:.2f} s, kvpress {their_seconds:.2f} s", file=sys.stderr, flush=True)

print(
    json.dumps(
        {
            "contexts": len(with_queries),
            "contextTokens": prefill_tokens / max(1, len(with_queries)),
            "configurations": len(grid),
            "queries": options.queries,
            "answerTokens": options.tokens,
            "secondsOurs": ours,
            "secondsKvpress": theirs,
            "ratio": theirs / ours,
            "identicalAnswers": same,
            "answers": answers,
            "secondsByPress": per_press,
        }
    )
)
