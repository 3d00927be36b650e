"""Speaks NDJSON: one request per line on standard input, one reply per line on standard output.

    {"id": 1, "op": "open", "model": "...", "dtype": "float32", "device": "cpu"}
    {"id": 2, "op": "prepare", "text": "...", "queries": ["..."], "maxAnswerTokens": 32, "longContexts": "cut"}
    {"id": 3, "op": "measure", "method": "snapkv+int4", "compressionRatio": 0.9}

A reply is {"id", "ok": {...}} or {"id", "failed": "why this configuration cannot be measured"} or
{"id", "error": "what is wrong with the request"}. Nothing else is written to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    # Libraries print; only replies may reach the reader.
    os.dup2(2, 1)
    session = None
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict = {"id": request.get("id")}
        try:
            if request["op"] == "open":
                from .session import Session

                session = Session(request["model"], request["dtype"], request["device"])
                reply["ok"] = session.describe()
            elif request["op"] == "prepare":
                reply["ok"] = session.prepare(
                    request["text"], request["queries"], request["maxAnswerTokens"], request["longContexts"]
                )
            elif request["op"] == "measure":
                reply["ok"] = session.measure(request["method"], request["compressionRatio"])
            else:
                reply["error"] = f"unknown request {request['op']}"
        except Exception as error:  # whatever a press or a model raises belongs to this request alone
            traceback.print_exc(file=sys.stderr)
            kind = "failed" if request["op"] == "measure" else "error"
            reply[kind] = f"{type(error).__name__}: {error}".split("\n")[0][:500]
        replies.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
