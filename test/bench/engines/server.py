"""Starts an LMCache server, stock or ours, whose file adapters read at a stated rate.

    python server.py BYTES_PER_SECOND FOLDER stock|plan ARGUMENTS...

Adapters below FOLDER wait for as long as a disk of that rate would take before each read; with a rate of 0 nothing
waits. The folder is meant to lie in memory, so that the wait is all there is and every arm has the same disk
whatever else the machine does.
"""

import runpy
import sys
import time

from lmcache import lmcache_fs

rate, folder, kind, *arguments = sys.argv[1:]
native = lmcache_fs.LMCacheFSClient


class SlowClient:
    """LMCache's own file client behind a disk of the given rate."""

    def __init__(self, base_path, *rest):
        self._client = native(base_path, *rest)
        self._seconds_per_byte = 1 / float(rate) if float(rate) > 0 and base_path.startswith(folder) else 0.0

    def submit_batch_get(self, keys, views):
        time.sleep(self._seconds_per_byte * sum(len(view) for view in views))
        return self._client.submit_batch_get(keys, views)

    def __getattr__(self, name):
        return getattr(self._client, name)


lmcache_fs.LMCacheFSClient = SlowClient
if kind == "plan":
    sys.argv = ["evicpress.lmcache", *arguments]
    runpy.run_module("evicpress.lmcache", run_name="__main__")
else:
    sys.argv = ["lmcache", "server", *arguments]
    from lmcache.cli.main import main

    main()
