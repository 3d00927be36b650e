"""Watches the plan file, and reads a new plan while the old one is followed.

Looking costs one ``stat``. A small plan is read on the spot; a large one by another process, because parsing a
million rows here would hold the interpreter's lock against the requests for seconds.
"""

from __future__ import annotations

import logging
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .plan import Plan, PlanRefused
from .plan_file import REFUSED_CODE, read_plan

logger = logging.getLogger(__name__)

ENGINE = "lmcache"
#: Plans up to this size are read in the server: some ten milliseconds.
SMALL_BYTES = 2 * 2**20
_PACKAGE_FOLDER = str(Path(__file__).parents[2])


class PlanLoader:
    """Calls ``adopt`` with each new plan and ``refuse`` with the reason where there is none to adopt.

    ``adopt`` may raise PlanRefused. Use it from one thread.
    """

    def __init__(
        self, path: str, chunk_size: int | None, adopt: Callable[[Plan], None], refuse: Callable[[str], None]
    ) -> None:
        self.path = path
        self._chunk_size, self._adopt, self._refuse = chunk_size, adopt, refuse
        #: (inode, size, time of change) of the file last looked at; None where there was none.
        self._seen: tuple[int, int, int] | None = None
        self._missed = False
        self._reader: _Reader | None = None

    @property
    def reading_bytes(self) -> int:
        """Size of the plan that is being read; 0 where none is."""
        return self._reader.size if self._reader else 0

    def poll(self) -> None:
        """Starts on a file that has changed, and adopts what has been read. Never waits."""
        if self._has_changed():
            self.close()
            _inode, size, _changed = self._seen or (0, 0, 0)
            logger.warning("evicpress: new plan noticed, %d bytes", size)
            if size <= SMALL_BYTES:
                self._take(lambda: read_plan(self.path, ENGINE, self._chunk_size))
            else:
                self._reader = _Reader(self.path, self._chunk_size, size)
        if self._reader is not None and self._reader.has_ended():
            reader, self._reader = self._reader, None
            self._take(reader.plan)

    def load(self) -> None:
        """Like ``poll``, and waits for a plan that is being read."""
        self.poll()
        while self._reader is not None:
            time.sleep(0.02)
            self.poll()

    def close(self) -> None:
        """Gives up a plan that is being read."""
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

    def _has_changed(self) -> bool:
        try:
            info = os.stat(self.path)
        except OSError as error:
            # Said once; the plan in force stays.
            if not self._missed:
                self._refuse(f"{self.path}: {error.strerror}")
            self._missed, self._seen = True, None
            return False
        self._missed = False
        seen, self._seen = self._seen, (info.st_ino, info.st_size, info.st_mtime_ns)
        return self._seen != seen

    def _take(self, read: Callable[[], Plan]) -> None:
        try:
            self._adopt(read())
        except (PlanRefused, OSError) as error:
            self._refuse(str(error))


class _Reader:
    """Another process that reads a plan into a file without a name, which is then mapped."""

    def __init__(self, path: str, chunk_size: int | None, size: int) -> None:
        self.size = size
        self._block: IO[bytes] = tempfile.TemporaryFile()
        search = os.pathsep.join(filter(None, (_PACKAGE_FOLDER, os.environ.get("PYTHONPATH"))))
        descriptor = self._block.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evicpress.lmcache.plan_file", path, ENGINE, str(chunk_size or 0), str(descriptor)],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search},
        )

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def plan(self) -> Plan:
        """Raises PlanRefused with the reader's reason."""
        with self._block, self._process.stderr:  # type: ignore[union-attr]
            said = self._process.stderr.read().decode(errors="replace").strip()  # type: ignore[union-attr]
            if self._process.returncode == 0:
                return Plan(mmap.mmap(self._block.fileno(), 0, access=mmap.ACCESS_READ))
            if self._process.returncode == REFUSED_CODE:
                raise PlanRefused(said)
            raise PlanRefused(f"the plan's reader ended with {self._process.returncode}: {said[-500:]}")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()  # type: ignore[union-attr]
        self._block.close()
