"""Room: capacities, the staging room of L1, and disks that are really full."""

import shutil
import subprocess

import pytest
from conftest import row

pytest.importorskip("stand", reason="LMCache is not installed")

import torch  # noqa: E402
from stand import ELEMENTS, LAYOUT, RAW_BYTES, hex_of, key_of, settle  # noqa: E402

from evicpress.lmcache.plan import Target  # noqa: E402
from evicpress.lmcache.quantize import QUANTIZERS  # noqa: E402


def test_capacity_of_a_tier_is_respected(stand, write_plan):
    size = QUANTIZERS["int8"].stored_bytes(ELEMENTS, 64)
    capacity = {"dram": None, "ssd": 3 * size, "far": None}
    tiers = [{"name": name, "capacityBytes": room, "price": 0} for name, room in capacity.items()]
    planned = key_of("planned")
    rules = {"classes": [{"class": "x", "accesses": 1, "method": "int8", "compressionRatio": 0.5, "bytesFraction": 0.5, "quality": 1}]}
    write_plan([row("p", "ssd", "int8", hex_of(planned))], tiers=tiers, rules=rules)
    s = stand()
    # Unseen chunks of this class go to the first place for int8, which is the compressed part of dram.
    s.director.rules._decided[("", RAW_BYTES)] = Target("ssd", "int8")
    s.write(planned)
    for i in range(6):
        s.write(key_of(f"unseen{i}"), i)
        assert settle(lambda: s.director.counters.stored_chunks[Target("ssd", "int8")] == i + 2)
    assert settle(lambda: s.director.used_bytes("ssd") <= 3 * size)
    assert settle(lambda: len(s.files("ssd", "int8")) == 3)
    assert s.director.counters.evicted_chunks == 4
    assert s.director.planned(planned) == Target("ssd", "int8")
    assert planned in s.director.stored[s.director.routes.find(Target("ssd", "int8")).index]


def test_compressed_chunks_in_memory_are_inside_the_budget_of_memory(stand, write_plan):
    size = QUANTIZERS["int8"].stored_bytes(ELEMENTS, 64)
    s = stand([], l1_gb=0.004)
    _used, l1_bytes = s.storage.get_l1_usage()
    # What is reserved for staging is a part of L1: the plan's capacity is what is left.
    reserved = l1_bytes // 4
    capacity = {"dram": l1_bytes + 2 * size - reserved, "ssd": None, "far": None}
    tiers = [{"name": name, "capacityBytes": room, "price": 0} for name, room in capacity.items()]
    tiers[0]["reservedBytes"] = reserved
    keys = [key_of(f"k{i}") for i in range(4)]
    write_plan([row("k", "dram", "int8", hex_of(*keys))], tiers=tiers, generation=2)
    assert settle(lambda: s.director.plan.generation == 2)
    for i, key in enumerate(keys):
        s.write(key)
        assert settle(lambda: s.director.counters.stored_chunks[Target("dram", "int8")] == i + 1)
    assert settle(lambda: s.files("dram", "int8") == [size, size])


def write_while_there_is_room(s, keys):
    """As an engine writes: what finds no room in L1 is left out; the keeper has its time in between."""
    for key in keys:
        if s.storage.reserve_write([key], LAYOUT):
            s.storage.finish_write([key])
        assert settle(lambda: s.storage.get_l1_usage()[0] <= 0.8 * s.storage.get_l1_usage()[1])


def test_l1_keeps_its_staging_room(stand):
    s = stand([], l1_gb=0.004)
    write_while_there_is_room(s, [key_of(f"k{i}") for i in range(40)])


def test_writes_that_find_no_room_are_counted(stand):
    s = stand([], l1_gb=0.002)
    reserved = [key for key in (key_of(f"k{i}") for i in range(40)) if s.storage.reserve_write([key], LAYOUT)]
    assert 0 < len(reserved) < 40
    assert settle(lambda: s.director.counters.l1_allocation_failures == 40 - len(reserved))
    s.storage.finish_write(reserved)


def test_a_copy_that_cannot_be_read_is_counted_and_replaced(stand, tmp_path):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    s.write(a)
    assert settle(lambda: s.read([a])[:2] == (0, 1))
    (file,) = (tmp_path / "kv" / "ssd" / "int8").glob("*.data")
    file.write_bytes(b"torn")
    assert s.read([a])[:2] == (0, 0)
    assert settle(lambda: s.director.counters.prefetch_failures == 1 and not file.exists())
    written = s.write(a, 1)
    assert settle(lambda: s.files("ssd", "int8") == [QUANTIZERS["int8"].stored_bytes(ELEMENTS, 64)])
    assert settle(lambda: s.read([a])[:2] == (0, 1))
    assert (s.read([a])[2].float() - written.float()).abs().max() < 0.05


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for two uncompressed chunks, where ssd lies."""
    folder = tmp_path / "kv" / "ssd"
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * RAW_BYTES + 8192}", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def filler(small_disk):
    """A file that takes all the room there is."""
    path = small_disk / "filler"
    path.write_bytes(bytes(shutil.disk_usage(small_disk).free - 8192))
    return path


def test_a_full_disk_costs_the_chunk_not_the_server(stand, write_plan, filler):
    a, b = key_of("a"), key_of("b")
    s = stand([row("a", "ssd", "int8", hex_of(a)), row("b", "far", "int8", hex_of(b))])
    s.write(a)
    s.write(b)
    assert settle(lambda: s.everywhere()[("far", "int8")] == 1)
    assert s.everywhere()[("ssd", "int8")] == 0
    # A move to the full tier leaves the chunk where it is.
    write_plan([row("a", "ssd", "int8", hex_of(a)), row("b", "ssd", "int8", hex_of(b))], generation=2)
    assert settle(lambda: s.director.counters.failed_moves > 0)
    assert s.read([b])[:2] == (0, 1)
    assert s.everywhere()[("far", "int8")] == 1
    assert [path.name for path in filler.parent.rglob("*") if path.is_file()] == ["filler"]
    filler.unlink()
    # One chunk is still in L1, the other in its old tier: once there is room both are tried again.
    assert settle(lambda: s.everywhere()[("ssd", "int8")] == 2)
    assert s.everywhere()[("far", "int8")] == 0
    assert s.keeper.is_alive()


def test_a_full_disk_leaves_the_other_tiers_and_the_pinned_chunks_alone(stand, write_plan, small_disk):
    there, full, pinned = key_of("there"), [key_of(f"full{i}") for i in range(8)], key_of("pinned")
    s = stand(
        [row("p", "dram", "none", hex_of(pinned)), row("f", "ssd", "none", hex_of(*full)), row("t", "far", "int8", hex_of(there))],
        l1_gb=0.002,
    )
    written = s.write(pinned)
    write_while_there_is_room(s, full)
    s.write(there)
    assert settle(lambda: s.everywhere()[("far", "int8")] == 1)
    assert 1 <= len(s.files("ssd", "none")) <= 2
    # What could not be stored made room; what is pinned stayed.
    assert s.read([pinned])[0] == 1
    assert torch.equal(s.read([pinned])[2], written)
    write_plan([row("f", "recompute", "none", hex_of(*full)), row("t", "ssd", "int8", hex_of(there))], generation=2)
    assert settle(lambda: s.files("ssd", "none") == [] and len(s.files("ssd", "int8")) == 1)
    assert s.keeper.is_alive()
