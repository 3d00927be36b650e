"""One request of the runner, one reply: what a session does, and how its failures are told apart."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from .models import check_folder

#: What torch says where memory runs out on a CPU; on a GPU it has an exception of its own.
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")


class Worker:
    """Holds a session and answers requests.

    A reply is {"ok": ...}, {"failed": "why this context cannot be measured"}, or {"error": "what is wrong with the
    request"}, which ends the run. The `ok` of `measure` is a list with {"ok": {...}} or {"failed": "why"} for each
    configuration.
    """

    def __init__(self) -> None:
        self.session: Any = None

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": self._measured(request) if request["op"] == "measure" else self._answer(request)}
        except Exception as error:  # whatever a model raises belongs to this request alone
            if _is_out_of_memory(error):
                self._free()
                return {"failed": f"out of memory: {_first_line(error)}"}
            if isinstance(error, ValueError):
                return {"error": _first_line(error)}
            traceback.print_exc(file=sys.stderr)
            return {"error": f"{type(error).__name__}: {_first_line(error)}"}

    def _measured(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """A reply for each configuration. What fails together is tried one by one: a press that cannot do it, or
        the memory that only suffices for one, costs the others nothing."""
        try:
            return [{"ok": each} for each in self._answer(request)]
        except Exception as error:  # whatever a press raises belongs to its configuration alone
            self._free()
            configurations = request["configurations"]
            if len(configurations) > 1:
                return [reply for each in configurations for reply in self._measured({**request, "configurations": [each]})]
            if _is_out_of_memory(error):
                return [{"failed": f"out of memory: {_first_line(error)}"}]
            if not isinstance(error, ValueError):
                traceback.print_exc(file=sys.stderr)
            return [{"failed": f"{type(error).__name__}: {_first_line(error)}"}]

    def _answer(self, request: dict[str, Any]) -> Any:
        arguments = {name: value for name, value in request.items() if name not in ("id", "op", "lane")}
        if request["op"] == "open":
            # First what costs nothing: torch alone takes seconds to import.
            check_folder(arguments["model"])
            from .session import Session

            self.session = Session(**arguments)
            return self.session.describe()
        if request["op"] in ("prepare", "measure", "ask"):
            return getattr(self.session, request["op"])(**arguments)
        raise ValueError(f"unknown request {request['op']}")

    def _free(self) -> None:
        """Gives back what a failed attempt still holds, so that the next one does not fail because of it."""
        import gc

        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or any(part in text for part in _NO_MEMORY)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:500]
