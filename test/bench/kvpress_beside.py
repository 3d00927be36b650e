"""Our worker beside kvpress's own pipeline: the same presses, ratios, context and queries, in one process.

    python kvpress_beside.py MODEL CONTEXTS [--number N] [--characters N] [--queries N] [--tokens N]
                             [--presses a,b] [--ratios .1,.3] [--threads N]

In turns, first the one, then the other is timed on the same configurations, so that a busy machine slows both;
seconds of the processor are taken along, which other programs change least. Our prefill and the reference answers are timed too, and shared
by all configurations of a context. Prints one JSON object.
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
parser.add_argument("--number", type=int, default=1, help="contexts")
parser.add_argument("--characters", type=int, help="of each context, from its beginning")
parser.add_argument("--queries", type=int, default=5)
parser.add_argument("--tokens", type=int, default=32, help="of an answer, at most")
parser.add_argument("--presses", default="keydiff,knorm,snapkv,streaming-llm,tova,lagkv,expected-attention,adakv-snapkv")
parser.add_argument("--ratios", default="0.1,0.3,0.5,0.7,0.9")
parser.add_argument("--dtype", default="float32")
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, help="of the processor, for both (default: PyTorch's)")
options = parser.parse_args()

session = Session(options.model, options.dtype, options.device, options.threads)
pipeline = KVPressTextGenerationPipeline(model=session.model, tokenizer=session.tokenizer)
presses, ratios = options.presses.split(","), [float(ratio) for ratio in options.ratios.split(",")]
rows = [row for row in map(json.loads, Path(options.contexts).read_text().splitlines()) if "text" in row]
rows = [row for row in rows if len(row.get("queries", [])) >= options.queries][: options.number]

configurations = [{"method": press, "ratio": ratio} for press in presses for ratio in ratios]
together = session.describe()["together"]
tokens, different, answers = 0, [], 0


class Clock:
    """Seconds on the wall and of the processor."""

    def __init__(self):
        self.wall = self.cpu = 0.0

    def time(self, work):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        if options.device != "cpu":
            torch.cuda.synchronize()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return result


ours, theirs, preparing = Clock(), Clock(), Clock()


@torch.no_grad()
def pipeline_answers(text, queries, method, ratio):
    return pipeline(text, questions=queries, press=PRESSES[method](ratio), max_new_tokens=options.tokens)["answers"]


for row in rows:
    text, queries = row["text"][: options.characters], row["queries"][: options.queries]
    prepared = preparing.time(lambda: session.prepare(row["context"], text, queries, options.tokens, "cut"))
    tokens += prepared["tokens"]
    for first in range(0, len(configurations), together):
        chunk = configurations[first : first + together]
        measured = ours.time(lambda: session.measure(chunk))
        for configuration, found in zip(chunk, measured, strict=True):
            expected = theirs.time(lambda: pipeline_answers(text, queries, **configuration))
            answers += len(expected)
            for query, own, other in zip(queries, found["answers"], expected, strict=True):
                if own != other:
                    different.append({"context": row["context"], **configuration, "query": query, "ours": own, "kvpress": other})
        seconds = f"ours {ours.cpu:.1f} s of the processor, kvpress {theirs.cpu:.1f} s"
        print(f"{row['context']} {first + len(chunk)} of {len(configurations)}: {seconds}, {len(different)} of {answers} different", file=sys.stderr, flush=True)

ours.wall, ours.cpu = ours.wall + preparing.wall, ours.cpu + preparing.cpu
print(
    json.dumps(
        {
            "contexts": len(rows),
            "contextTokens": tokens / max(1, len(rows)),
            "configurations": len(configurations),
            "queries": options.queries,
            "answerTokens": options.tokens,
            "threads": torch.get_num_threads(),
            "secondsOurs": ours.wall,
            "secondsKvpress": theirs.wall,
            "ratio": theirs.wall / ours.wall,
            "cpuSecondsPreparing": preparing.cpu,
            "cpuSecondsOurs": ours.cpu,
            "cpuSecondsKvpress": theirs.cpu,
            "cpuRatio": theirs.cpu / ours.cpu,
            "identicalAnswers": answers - len(different),
            "answers": answers,
            "different": different,
        }
    )
)
