"""LMCache's real storage manager with our policies, serdes and keeper; no engine, no model."""

import argparse
import contextlib
import hashlib
import multiprocessing
import os
import subprocess
import time

import pytest
from conftest import row

pytest.importorskip("lmcache", reason="LMCache is not installed")
torch = pytest.importorskip("torch")

from lmcache.v1.distributed.config import add_storage_manager_args, parse_args_to_config  # noqa: E402
from lmcache.v1.mp_observability.event_bus import get_event_bus  # noqa: E402

from evicpress.lmcache import mover, policies  # noqa: E402
from evicpress.lmcache.__main__ import take_routes  # noqa: E402
from evicpress.lmcache.compat import (  # noqa: E402
    GroupedObjectKeys,
    MemoryLayoutDesc,
    ObjectKey,
    PrefetchTaskSpec,
    StorageManager,
)
from evicpress.lmcache.director import Director  # noqa: E402
from evicpress.lmcache.keeper import Keeper  # noqa: E402
from evicpress.lmcache.plan_file import Target  # noqa: E402
from evicpress.lmcache.quantize import QUANTIZERS  # noqa: E402
from evicpress.lmcache.routes import Routes  # noqa: E402
from evicpress.lmcache.serdes import register_serdes  # noqa: E402
from evicpress.lmcache.server_module import attach  # noqa: E402

LAYOUT = MemoryLayoutDesc([torch.Size([4, 256, 96])], [torch.bfloat16])
ELEMENTS = LAYOUT.shapes[0].numel()
RAW_BYTES = 2 * ELEMENTS
SETTLE_SECONDS = 30
names = iter(range(10**6))


class Stand:
    """A server's storage side: manager, director, keeper, and four places to store in."""

    def __init__(self, folder, plan_path, l1_gb=0.05, **keeper):
        self.folder = folder
        places = [("dram", "int8"), ("ssd", "none"), ("ssd", "int8"), ("ssd", "int4"), ("far", "int8")]
        name = f"evicpress-test-{os.getpid()}-{next(names)}"
        arguments = ["--l1-size-gb", str(l1_gb), "--eviction-policy", "noop", "--no-l1-use-lazy"]
        for tier, method in places:
            serde = "" if method == "none" else f',"serde":{{"type":"evicpress-{method}"}}'
            base = os.path.join(folder, tier, method)
            arguments += ["--l2-adapter", f'{{"type":"fs","base_path":"{base}","evicpress_tier":"{tier}"{serde}}}']
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
        self.storage = StorageManager(config)
        attach(self.director, self.storage, get_event_bus())
        self.director.chunk_bytes = RAW_BYTES
        self.keeper = Keeper(
            self.director, self.storage, plan_path, lambda key: LAYOUT, chunk_size=256, grace_seconds=0.5, **keeper
        )
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
        return {(t, m): len(self.files(t, m)) for t, m in [("dram", "int8"), ("ssd", "none"), ("ssd", "int8"), ("ssd", "int4"), ("far", "int8")]}

    def close(self):
        self.keeper.close()
        self.storage.close()


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


TIERS = [
    {"name": "dram", "capacityBytes": None, "price": 0},
    {"name": "ssd", "capacityBytes": None, "price": 0},
    {"name": "far", "capacityBytes": None, "price": 0},
]


@pytest.fixture(scope="module", autouse=True)
def serdes():
    register_serdes()


@pytest.fixture
def stand(tmp_path, write_plan):
    made = []

    def make(rows, **kwargs):
        path = write_plan(rows, tiers=TIERS, **kwargs)
        made.append(Stand(str(tmp_path / "kv"), path))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_each_chunk_goes_where_the_plan_says_and_comes_back_within_its_methods_error(stand):
    a, b, c, d, e = (key_of(x) for x in "abcde")
    s = stand(
        [
            row("a", "dram", "none", hex_of(a)),
            row("b", "ssd", "int8", hex_of(b)),
            row("c", "ssd", "int4", hex_of(c)),
            row("d", "recompute", "none", hex_of(d)),
            row("e", "ssd", "none", hex_of(e)),
        ]
    )
    written = {key: s.write(key, seed) for seed, key in enumerate((a, b, c, d, e))}
    assert settle(lambda: s.everywhere() == {**dict.fromkeys(s.everywhere(), 0), ("ssd", "int8"): 1, ("ssd", "int4"): 1, ("ssd", "none"): 1})
    assert s.files("ssd", "int8") == [QUANTIZERS["int8"].stored_bytes(ELEMENTS, 64)]
    assert s.files("ssd", "int4") == [QUANTIZERS["int4"].stored_bytes(ELEMENTS, 64)]
    assert s.files("ssd", "none") == [RAW_BYTES]
    # What belongs in L2 or nowhere leaves L1; what is pinned stays.
    assert settle(lambda: s.read([d])[:2] == (0, 0))
    assert settle(lambda: s.read([b])[:2] == (0, 1))
    assert s.read([a])[:2] == (1, 0)
    assert torch.equal(s.read([a])[2], written[a])
    assert torch.equal(s.read([e])[2], written[e])
    int8_error = (s.read([b])[2].float() - written[b].float()).abs().max()
    int4_error = (s.read([c])[2].float() - written[c].float()).abs().max()
    assert 0 < int8_error < 0.05 < int4_error < 0.7
    assert s.director.counters.hit_chunks[Target("ssd", "int8")] >= 1


def test_a_new_plan_is_followed_and_old_copies_go(stand, write_plan):
    keys = {x: key_of(x) for x in "abcdef"}
    s = stand(
        [
            row("a", "ssd", "none", hex_of(keys["a"])),
            row("b", "ssd", "none", hex_of(keys["b"])),
            row("c", "ssd", "int8", hex_of(keys["c"])),
            row("d", "ssd", "int8", hex_of(keys["d"])),
            row("e", "dram", "none", hex_of(keys["e"])),
            row("f", "ssd", "none", hex_of(keys["f"])),
        ]
    )
    written = {x: s.write(key, seed) for seed, (x, key) in enumerate(keys.items())}
    assert settle(lambda: s.everywhere()[("ssd", "none")] == 3 and s.everywhere()[("ssd", "int8")] == 2)
    assert settle(lambda: s.read([keys["a"]])[:2] == (0, 1))
    write_plan(
        [
            row("a", "ssd", "int4", hex_of(keys["a"])),  # recompressed from the uncompressed copy
            row("b", "dram", "none", hex_of(keys["b"])),  # promoted
            row("c", "far", "int8", hex_of(keys["c"])),  # moved as it is
            row("d", "ssd", "none", hex_of(keys["d"])),  # cannot be upgraded: dropped
            row("e", "ssd", "int8", hex_of(keys["e"])),  # demoted from L1
            row("f", "recompute", "none", hex_of(keys["f"])),
        ],
        tiers=TIERS,
        generation=2,
    )
    expected = {("dram", "int8"): 0, ("ssd", "none"): 0, ("ssd", "int8"): 1, ("ssd", "int4"): 1, ("far", "int8"): 1}
    settle(lambda: s.everywhere() == expected)
    assert s.everywhere() == expected
    assert s.director.plan.generation == 2
    assert s.director.misplaced == {}
    assert settle(lambda: s.read([keys["e"]])[:2] == (0, 1))
    assert torch.equal(s.read([keys["b"]])[2], written["b"])
    assert s.read([keys["b"]])[:2] == (1, 0)
    assert s.read([keys["d"]])[:2] == (0, 0)
    assert s.read([keys["f"]])[:2] == (0, 0)
    moved = s.read([keys["c"]])[2]
    assert (moved.float() - written["c"].float()).abs().max() < 0.05


def test_a_damaged_plan_is_refused_and_the_old_one_stays(stand, tmp_path):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    path = tmp_path / "plan.ndjson"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert settle(lambda: s.director.counters.plans_refused == 1)
    assert s.director.plan.generation == 1
    assert "not valid JSON" in s.director.last_refusal or "cut short" in s.director.last_refusal
    s.write(a)
    assert settle(lambda: s.everywhere()[("ssd", "int8")] == 1)


def test_a_plan_for_places_this_server_has_not_is_refused(stand, write_plan):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    write_plan([row("a", "ssd", "keydiff", hex_of(a))], tiers=TIERS, generation=2)
    assert settle(lambda: s.director.counters.plans_refused == 1)
    assert "keydiff in tier ssd" in s.director.last_refusal
    assert s.director.plan.generation == 1


def test_placements_are_rebuilt_after_a_restart(tmp_path, write_plan):
    a, b = key_of("a"), key_of("b", salt="tenant")
    path = write_plan([row("a", "ssd", "int8", hex_of(a)), row("b", "ssd", "none", hex_of(b), salt="tenant")], tiers=TIERS)
    first = Stand(str(tmp_path / "kv"), path)
    try:
        first.write(a)
        first.write(b)
        assert settle(lambda: first.everywhere()[("ssd", "int8")] == 1 and first.everywhere()[("ssd", "none")] == 1)
    finally:
        first.close()
    write_plan([row("a", "far", "int8", hex_of(a)), row("b", "recompute", "none", hex_of(b), salt="tenant")], tiers=TIERS, generation=2)
    second = Stand(str(tmp_path / "kv"), path)
    try:
        assert second.director.plan.generation == 2
        assert settle(lambda: second.everywhere()[("far", "int8")] == 1 and sum(second.everywhere().values()) == 1)
        assert second.read([a])[:2] == (0, 1)
    finally:
        second.close()


def test_capacity_of_a_tier_is_respected(tmp_path, write_plan):
    size = QUANTIZERS["int8"].stored_bytes(ELEMENTS, 64)
    tiers = [{"name": "dram", "capacityBytes": None, "price": 0}, {"name": "ssd", "capacityBytes": 3 * size, "price": 0}, {"name": "far", "capacityBytes": None, "price": 0}]
    planned = key_of("planned")
    rules = {"classes": [{"class": "x", "accesses": 1, "method": "int8", "compressionRatio": 0.5, "bytesFraction": 0.5, "quality": 1}]}
    path = write_plan([row("p", "ssd", "int8", hex_of(planned))], tiers=tiers, rules=rules)
    s = Stand(str(tmp_path / "kv"), path)
    # Unseen chunks of this class go to the first place for int8, which is the compressed part of dram.
    s.director.rules._decided[("", RAW_BYTES)] = Target("ssd", "int8")
    try:
        s.write(planned)
        for i in range(6):
            s.write(key_of(f"unseen{i}"), i)
            assert settle(lambda: s.director.counters.stored_chunks[Target("ssd", "int8")] == i + 2)
        assert settle(lambda: s.director.used_bytes("ssd") <= 3 * size)
        assert settle(lambda: len(s.files("ssd", "int8")) == 3)
        assert s.director.counters.evicted_chunks == 4
        assert s.director.planned(planned) == Target("ssd", "int8")
        assert planned in s.director.stored[s.director.routes.find(Target("ssd", "int8")).index]
    finally:
        s.close()


def test_l1_keeps_its_staging_room(tmp_path, write_plan):
    s = Stand(str(tmp_path / "kv"), write_plan([], tiers=TIERS), l1_gb=0.004)
    try:
        used, total = s.storage.get_l1_usage()
        for i in range(40):
            key = key_of(f"k{i}")
            if s.storage.reserve_write([key], LAYOUT):
                s.storage.finish_write([key])
            assert settle(lambda: s.storage.get_l1_usage()[0] <= 0.8 * total)
    finally:
        s.close()


def test_a_full_disk_costs_the_chunk_not_the_server(tmp_path, write_plan, monkeypatch):
    a, b = key_of("a"), key_of("b")
    s = Stand(str(tmp_path / "kv"), write_plan([row("a", "ssd", "int8", hex_of(a)), row("b", "far", "int8", hex_of(b))], tiers=TIERS))
    try:
        import aiofiles

        real = aiofiles.open

        def full(path, *args, **kwargs):
            if "/ssd/" in str(path):
                raise OSError(28, "No space left on device")
            return real(path, *args, **kwargs)

        monkeypatch.setattr(aiofiles, "open", full)
        s.write(a)
        s.write(b)
        assert settle(lambda: s.everywhere()[("far", "int8")] == 1)
        assert s.everywhere()[("ssd", "int8")] == 0
        monkeypatch.setattr(aiofiles, "open", real)
        # The chunk is still in L1: once there is room its transfer is tried again.
        assert settle(lambda: s.everywhere()[("ssd", "int8")] == 1)
        assert s.keeper.is_alive()
    finally:
        s.close()


def test_a_plan_for_another_model_is_refused(stand, write_plan):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    write_plan([row("a", "ssd", "none", hex_of(a))], tiers=TIERS, generation=2, model="another")
    assert settle(lambda: s.director.counters.plans_refused == 1)
    assert "for model 'another'" in s.director.last_refusal
    assert s.director.plan.generation == 1


def test_requests_are_served_by_the_old_plan_while_a_large_one_is_read(stand, write_plan, monkeypatch):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    s.write(a)
    assert settle(lambda: s.read([a])[:2] == (0, 1))
    many = [row(f"c{i}", "ssd", "none", [f"{i:064x}"]) for i in range(60_000)]
    write_plan([row("a", "ssd", "int4", hex_of(a)), *many], tiers=TIERS, generation=2)
    served_meanwhile = 0
    while s.director.plan.generation == 1:
        noticed = s.director.reading_bytes > 0
        assert s.read([a])[:2] == (0, 1)
        served_meanwhile += noticed and s.director.plan.generation == 1
    assert served_meanwhile > 0
    assert s.director.plan.chunks == 60_001


def test_two_servers_follow_one_plan_each_with_its_own_disk(tmp_path, write_plan):
    keys = [key_of(f"k{i}") for i in range(4)]
    path = write_plan([row("x", "ssd", "int8", hex_of(*keys))], tiers=TIERS)
    servers = [Stand(str(tmp_path / name), path) for name in ("one", "two")]
    try:
        for s in servers:
            for i, key in enumerate(keys):
                s.write(key, i)
        assert settle(lambda: all(len(s.files("ssd", "int8")) == 4 for s in servers))
        write_plan([row("x", "far", "int8", hex_of(*keys))], tiers=TIERS, generation=2)
        assert settle(lambda: all(len(s.files("far", "int8")) == 4 and not s.files("ssd", "int8") for s in servers))
    finally:
        for s in servers:
            s.close()


def test_two_servers_on_one_folder_agree(tmp_path, write_plan):
    keys = [key_of(f"k{i}") for i in range(6)]
    path = write_plan([row("x", "ssd", "int8", hex_of(*keys))], tiers=TIERS)
    servers = [Stand(str(tmp_path / "shared"), path) for _ in range(2)]
    try:
        for i, key in enumerate(keys):
            servers[i % 2].write(key, i)
        assert settle(lambda: len(servers[0].files("ssd", "int8")) == 6)
        # Both read what either has stored, and both carry out the new plan on what they know of.
        assert settle(lambda: all(s.read(keys)[:2] == (0, 6) for s in servers))
        write_plan([row("x", "far", "int8", hex_of(*keys))], tiers=TIERS, generation=2)
        assert settle(lambda: all(s.director.misplaced == {} and s.director.plan.generation == 2 for s in servers))
        assert settle(lambda: len(servers[0].files("far", "int8")) == 6 and not servers[0].files("ssd", "int8"))
        assert all(s.read(keys)[:2] == (0, 6) for s in servers)
    finally:
        for s in servers:
            s.close()


MANY = [key_of(f"many{i}") for i in range(120)]


def _serve_slowly(folder, path):
    """A server in a process of its own, which moves so slowly that it can be killed at it."""
    register_serdes()
    s = Stand(folder, path, migration_bytes_per_second=2e6)
    for i, key in enumerate(MANY):
        s.write(key, i)
    time.sleep(3600)


def test_killed_in_the_middle_of_a_migration_it_goes_on_where_it_stopped(tmp_path, write_plan):
    moved, recompressed = MANY[:60], MANY[60:]
    path = write_plan([row("m", "ssd", "int8", hex_of(*moved)), row("r", "ssd", "none", hex_of(*recompressed))], tiers=TIERS)
    folder = tmp_path / "kv"
    count = lambda tier, method: len(list((folder / tier / method).glob("*.data")))  # noqa: E731
    server = multiprocessing.get_context("spawn").Process(target=_serve_slowly, args=(str(folder), path))
    server.start()
    try:
        assert settle(lambda: count("ssd", "int8") == 60 and count("ssd", "none") == 60, seconds=300)
        write_plan([row("m", "far", "int8", hex_of(*moved)), row("r", "ssd", "int4", hex_of(*recompressed))], tiers=TIERS, generation=2)
        assert settle(lambda: 10 <= count("far", "int8") + count("ssd", "int4"))
    finally:
        server.kill()
        server.join()
    assert count("far", "int8") + count("ssd", "int4") < 120
    # What a process killed in the middle of a copy leaves behind.
    left = folder / "far" / "int8" / f"x.data{mover._MARK}{server.pid}.tmp"
    left.write_bytes(b"half")
    s = Stand(str(folder), path)
    try:
        expected = {("dram", "int8"): 0, ("ssd", "none"): 0, ("ssd", "int8"): 0, ("ssd", "int4"): 60, ("far", "int8"): 60}
        settle(lambda: s.everywhere() == expected and s.director.misplaced == {})
        assert s.everywhere() == expected
        assert not left.exists()
        assert s.read(moved)[:2] == (0, 60)
        assert s.read(recompressed[:8])[:2] == (0, 8)
    finally:
        s.close()


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for little, where ssd lies."""
    folder = tmp_path / "kv" / "ssd"
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_really_full_leaves_the_other_tiers_and_the_pinned_chunks_alone(tmp_path, write_plan, small_disk):
    there, full, pinned = key_of("there"), [key_of(f"full{i}") for i in range(8)], key_of("pinned")
    path = write_plan(
        [row("p", "dram", "none", hex_of(pinned)), row("f", "ssd", "none", hex_of(*full)), row("t", "far", "int8", hex_of(there))],
        tiers=TIERS,
    )
    s = Stand(str(tmp_path / "kv"), path, l1_gb=0.002)
    try:
        written = s.write(pinned)
        for i, key in enumerate(full):
            if s.storage.reserve_write([key], LAYOUT):
                s.storage.finish_write([key])
            assert settle(lambda: s.storage.get_l1_usage()[0] <= 0.8 * s.storage.get_l1_usage()[1])
        s.write(there)
        assert settle(lambda: s.everywhere()[("far", "int8")] == 1)
        assert 1 <= len(s.files("ssd", "none")) <= 2
        # What could not be stored made room; what is pinned stayed.
        assert s.read([pinned])[0] == 1
        assert torch.equal(s.read([pinned])[2], written)
        write_plan([row("f", "recompute", "none", hex_of(*full)), row("t", "ssd", "int8", hex_of(there))], tiers=TIERS, generation=2)
        assert settle(lambda: s.files("ssd", "none") == [] and len(s.files("ssd", "int8")) == 1)
        assert s.keeper.is_alive()
    finally:
        s.close()
