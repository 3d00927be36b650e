"""A server's storage side for tests: LMCache's real storage manager with our policies, serdes and keeper."""

import argparse
import contextlib
import hashlib
import json
import os
import time

import torch
from lmcache.v1.distributed.config import add_storage_manager_args, parse_args_to_config
from lmcache.v1.mp_observability.event_bus import EventBusConfig, init_event_bus

from evicpress.lmcache import policies
from evicpress.lmcache.__main__ import take_routes
from evicpress.lmcache.compat import (
    GroupedObjectKeys,
    MemoryLayoutDesc,
    ObjectKey,
    PrefetchTaskSpec,
    StorageManager,
)
from evicpress.lmcache.director import Director
from evicpress.lmcache.keeper import Keeper
from evicpress.lmcache.routes import Routes
from evicpress.lmcache.serdes import register_serdes
from evicpress.lmcache.server_module import attach

LAYOUT = MemoryLayoutDesc([torch.Size([4, 256, 96])], [torch.bfloat16])
ELEMENTS = LAYOUT.shapes[0].numel()
RAW_BYTES = 2 * ELEMENTS
SETTLE_SECONDS = 30
#: The places of every stand: one L2 adapter each.
PLACES = [("dram", "int8"), ("ssd", "none"), ("ssd", "int8"), ("ssd", "int4"), ("far", "int8")]
names = iter(range(10**6))

register_serdes()


class Stand:
    """A server's storage side: manager, director, keeper, and five places to store in."""

    def __init__(self, folder, plan_path, l1_gb=0.05, places=PLACES, spec_of=None, **keeper):
        self.folder = folder
        self.places = places
        spec_of = spec_of or (lambda tier, method: {"type": "fs", "base_path": os.path.join(folder, tier, method)})
        name = f"evicpress-test-{os.getpid()}-{next(names)}"
        arguments = ["--l1-size-gb", str(l1_gb), "--eviction-policy", "noop", "--no-l1-use-lazy"]
        for tier, method in places:
            serde = {} if method == "none" else {"serde": {"type": f"evicpress-{method}"}}
            arguments += ["--l2-adapter", json.dumps({**spec_of(tier, method), "evicpress_tier": tier, **serde})]
        passed, routes = take_routes(arguments)
        self.director = Director(Routes("dram", tuple(routes)))
        self._register(name)
        parser = argparse.ArgumentParser()
        add_storage_manager_args(parser)
        config = parse_args_to_config(
            parser.parse_args([*passed, "--l2-store-policy", name, "--l2-prefetch-policy", name])
        )
        # Several servers in one process must not share their memory.
        config.l1_manager_configs[0].memory_config.shm_name = name
        # LMCache knows one bus for the process; each stand brings its own.
        self._bus = init_event_bus(EventBusConfig())
        self._bus.start()
        self.storage = StorageManager(config)
        attach(self.director, self.storage, self._bus)
        self.director.chunk_bytes = RAW_BYTES
        self.keeper = Keeper(
            self.director, self.storage, plan_path, lambda key: LAYOUT, chunk_size=256, grace_seconds=0.5, **keeper
        )
        self._closed = False
        self.keeper.start()

    def _register(self, name):
        # LMCache's registries are for the life of a process; each stand registers under a name of its own.
        policies.NAME = name
        policies.register_policies(self.director)

    def write(self, key, seed=0):
        chunk = torch.randn(LAYOUT.shapes[0], generator=torch.Generator().manual_seed(seed)).to(torch.bfloat16)
        reserved = self.storage.reserve_write([key], LAYOUT)
        reserved[key].tensor.copy_(chunk)
        self.storage.finish_write([key])
        return chunk

    def read(self, keys):
        """(chunks served from L1, from L2, the first one's data) of a request for these keys."""
        spec = PrefetchTaskSpec([GroupedObjectKeys(list(keys), 0, LAYOUT)])
        handle = self.storage.submit_prefetch_task(spec)
        assert self.storage.wait_prefetch_status(handle, SETTLE_SECONDS)
        result = self.storage.query_prefetch_status(handle)
        held = list(keys)[: result.l1_hit_count + result.l2_hit_count]
        data = None
        if held:
            _keys, objects = self.storage.unsafe_read(held)
            data = objects[0].tensor.clone()
            self.storage.finish_read_prefetched(held)
        return result.l1_hit_count, result.l2_hit_count, data

    def files(self, tier, method):
        folder = os.path.join(self.folder, tier, method)
        # A chunk may be moved away between the listing and the look at it.
        with contextlib.suppress(FileNotFoundError):
            return sorted(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".data"))
        return []

    def everywhere(self):
        """How many chunks lie in each place."""
        return {place: len(self.files(*place)) for place in self.places}

    def close(self):
        if not self._closed:
            self._closed = True
            self.keeper.close()
            self.storage.close()
            self._bus.stop()


def settle(condition, seconds=SETTLE_SECONDS):
    """Waits until a condition holds; its last value is what the assertion shows."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def key_of(name, salt=""):
    return ObjectKey(hashlib.blake2b(name.encode(), digest_size=32).digest(), "m", 0x01000100, 0, salt)


def hex_of(*keys):
    return [key.chunk_hash.hex() for key in keys]
