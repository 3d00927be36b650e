"""A server that is ended, in good order or by kill -9, goes on from what its adapters hold."""

import multiprocessing
import os
import time

import pytest
from conftest import row

pytest.importorskip("stand", reason="LMCache is not installed")

from stand import Stand, hex_of, key_of, settle  # noqa: E402

from evicpress.lmcache import mover  # noqa: E402
from lmcache.v1.multiprocess.modules.engine_driven_transfer import EngineDrivenTransferModule  # noqa: E402

from evicpress.lmcache.inventory import file_name  # noqa: E402
from evicpress.lmcache.server_module import PlanModule  # noqa: E402

MOVED = [key_of(f"moved{i}") for i in range(30)]
RECOMPRESSED = [key_of(f"recompressed{i}") for i in range(30)]


def test_placements_are_rebuilt_after_a_restart(stand, write_plan):
    a, b = key_of("a"), key_of("b", salt="tenant")
    first = stand([row("a", "ssd", "int8", hex_of(a)), row("b", "ssd", "none", hex_of(b), salt="tenant")])
    first.write(a)
    first.write(b)
    assert settle(lambda: first.everywhere()[("ssd", "int8")] == 1 and first.everywhere()[("ssd", "none")] == 1)
    first.close()
    write_plan([row("a", "far", "int8", hex_of(a)), row("b", "recompute", "none", hex_of(b), salt="tenant")], generation=2)
    second = stand()
    assert second.director.plan.generation == 2
    assert settle(lambda: second.everywhere()[("far", "int8")] == 1 and sum(second.everywhere().values()) == 1)
    assert second.read([a])[:2] == (0, 1)


def _serve_slowly(folder, path, write):
    """A server in a process of its own, which moves so slowly that it can be killed at it."""
    s = Stand(folder, path, migration_bytes_per_second=1e6)
    for i, key in enumerate(MOVED + RECOMPRESSED if write else []):
        s.write(key, i)
    time.sleep(3600)


def test_killed_in_the_middle_of_a_migration_it_goes_on_where_it_stopped(stand, tmp_path, write_plan):
    path = write_plan([row("m", "ssd", "int8", hex_of(*MOVED)), row("r", "ssd", "none", hex_of(*RECOMPRESSED))])
    folder = tmp_path / "kv"
    count = lambda tier, method: len(list((folder / tier / method).glob("*.data")))  # noqa: E731
    arrived = lambda: count("far", "int8") + count("ssd", "int4")  # noqa: E731
    spawn = multiprocessing.get_context("spawn")
    # Killed while it migrates, and once more while it goes on with that.
    for life, enough in enumerate((10, 25)):
        server = spawn.Process(target=_serve_slowly, args=(str(folder), path, life == 0))
        server.start()
        try:
            if life == 0:
                assert settle(lambda: count("ssd", "int8") == 30 and count("ssd", "none") == 30, seconds=300)
                write_plan([row("m", "far", "int8", hex_of(*MOVED)), row("r", "ssd", "int4", hex_of(*RECOMPRESSED))], generation=2)
            assert settle(lambda: arrived() >= enough, seconds=120)
        finally:
            server.kill()
            server.join()
        assert arrived() < 60
    # What processes killed in the middle of a copy and of a store leave behind, and what another writes now.
    copy = folder / "far" / "int8" / f"x.data{mover._MARK}{server.pid}.tmp"
    store, fresh = ((folder / "ssd" / "int8" / file_name(key_of(x))).with_suffix(".tmp") for x in ("store", "fresh"))
    for left in (copy, store, fresh):
        left.write_bytes(b"half")
    os.utime(store, (0, 0))
    s = stand()
    expected = {**dict.fromkeys(s.everywhere(), 0), ("ssd", "int4"): 30, ("far", "int8"): 30}
    settle(lambda: s.everywhere() == expected and s.director.misplaced == {})
    assert s.everywhere() == expected
    assert [left.exists() for left in (copy, store, fresh)] == [False, False, True]
    assert s.read(MOVED)[:2] == (0, 30)
    assert s.read(RECOMPRESSED[:8])[:2] == (0, 8)


class _Registered(EngineDrivenTransferModule):
    """A transfer module that so many workers have registered with."""

    def __init__(self, workers):
        self.workers = workers

    def tracked_instance_count(self):
        return self.workers


def test_an_engine_that_knows_an_earlier_server_is_told_once():
    transfer = _Registered(workers=0)
    module = PlanModule(None, None, None, [transfer])
    # Two ranks of one engine, both from before the restart.
    for rank in (1, 2):
        with pytest.raises(RuntimeError, match="register anew"):
            module.touch_instance(rank)
    # The next ping must succeed: by that the engine sees that the server is back, and registers.
    module.touch_instance(1)
    module.touch_instance(2)
    transfer.workers = 2
    module.touch_instance(1)


def test_an_engine_that_has_registered_may_ping():
    transfer = _Registered(workers=1)
    module = PlanModule(None, None, None, [transfer])
    module.touch_instance(1)
    transfer.workers = 2
    module.touch_instance(2)
