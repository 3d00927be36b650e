"""Runs workers as actors of a Ray cluster: one per GPU, or per core where there are none.

The runner gives every context to a lane; a lane is an actor that may be lost. Then another one takes its place,
opens the model, prepares the lane's context and answers the request again, so that nothing but time is lost. The
journal stays with the runner: this process holds nothing that a killed driver would have to recover.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from .worker import Worker

_PACKAGE = Path(__file__).parents[1]
#: An actor lost this often over one request is taken to be killed by it.
_ATTEMPTS = 3

Request = dict[str, Any]


def serve(requests: Iterable[Request], write: Callable[[Request], None], address: str, most: int | None) -> None:
    """Answers requests in whatever order they are ready, until there are no more."""
    ray.init(
        address=None if address == "local" else address,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"py_modules": [str(_PACKAGE)]},
    )
    resources = ray.cluster_resources()
    need = "num_gpus" if resources.get("GPU", 0) >= 1 else "num_cpus"
    room = int(resources.get("GPU" if need == "num_gpus" else "CPU", 1))
    lanes = [_Lane({need: 1}) for _ in range(max(1, min(room, most or room)))]
    with ThreadPoolExecutor(len(lanes)) as pool:
        for request in requests:
            if request["op"] == "open":
                replies = list(pool.map(lambda lane: lane.answer(request), lanes))
                bad = next((reply for reply in replies if "ok" not in reply), None)
                ok = {"ok": {**replies[0]["ok"], "lanes": len(lanes)}} if bad is None else bad
                write({"id": request["id"], **ok})
            else:
                lane = lanes[request["lane"]]
                pool.submit(lambda lane=lane, request=request: write({"id": request["id"], **lane.answer(request)}))


class _Lane:
    """An actor, and what another one needs to take its place."""

    def __init__(self, resources: dict[str, float]) -> None:
        self._resources = resources
        self._actor: Any = None
        #: The last `open` and the last `prepare`, by operation.
        self._state: dict[str, Request] = {}

    def answer(self, request: Request) -> Request:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                reply = self._ask(request)
            except RayError as error:
                print(f"a Ray worker was lost ({type(error).__name__}); attempt {attempt} of {_ATTEMPTS}", file=sys.stderr)
                self._actor = None
                continue
            if request["op"] in ("open", "prepare"):
                self._state[request["op"]] = request
            return reply
        return {"failed": f"the Ray worker was lost {_ATTEMPTS} times in a row here, perhaps for want of memory"}

    def _ask(self, request: Request) -> Request:
        if self._actor is None:
            self._actor = ray.remote(Worker).options(**self._resources, max_restarts=0).remote()
            for step in self._before(request["op"]):
                reply = ray.get(self._actor.reply.remote(step))
                if "ok" not in reply:
                    return reply
        return ray.get(self._actor.reply.remote(request))

    def _before(self, op: str) -> list[Request]:
        """What a new actor must have done before it can answer a request of this kind."""
        needed = {"open": [], "measure": ["open", "prepare"]}.get(op, ["open"])
        return [self._state[step] for step in needed]
