"""Speaks NDJSON: one request per line on standard input, one reply per line on standard output.

    {"id": 1, "op": "open", "model": "...", "dtype": "float32", "device": "cpu"}
    {"id": 2, "op": "prepare", "context": "...", "text": "...", "queries": ["..."], "limit": 32, "long_contexts": "cut"}
    {"id": 3, "op": "measure", "configurations": [{"method": "snapkv+int4", "ratio": 0.9}], "answer": true}
    {"id": 4, "op": "ask", "text": "...", "requests": ["..."], "seed": 1}

Replies carry the request's id and what `worker.Worker` says. Nothing else is written to standard output.
With --ray ADDRESS|local every request names a `lane`; lanes are actors of a Ray cluster (see cluster.py) and replies
come in whatever order they are ready.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from .worker import Worker


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evicpress.profiling")
    parser.add_argument("--ray", metavar="ADDRESS", help="run on a Ray cluster: its address, or local")
    parser.add_argument("--workers", type=int, help="actors at most (default: as many as the cluster has room for)")
    options = parser.parse_args()
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    # Libraries print; only replies may reach the reader.
    os.dup2(2, 1)
    requests = (json.loads(line) for line in sys.stdin)
    if options.ray is not None:
        from .cluster import serve

        serve(requests, lambda reply: replies.write(json.dumps(reply) + "\n"), options.ray, options.workers)
        return
    worker = Worker()
    for request in requests:
        replies.write(json.dumps({"id": request["id"], **worker.reply(request)}) + "\n")


if __name__ == "__main__":
    main()
