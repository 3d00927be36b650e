"""Chunks go where the plan says, and follow a new plan; a plan that cannot be carried out is refused."""

import threading
import time

import pytest
from conftest import row

pytest.importorskip("stand", reason="LMCache is not installed")

import torch  # noqa: E402
from stand import ELEMENTS, PLACES, RAW_BYTES, SETTLE_SECONDS, hex_of, key_of, settle  # noqa: E402

from evicpress.lmcache.plan import Target  # noqa: E402
from evicpress.lmcache.quantize import QUANTIZERS  # noqa: E402


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
    expected = {**dict.fromkeys(PLACES, 0), ("ssd", "int8"): 1, ("ssd", "int4"): 1, ("ssd", "none"): 1}
    settle(lambda: s.everywhere() == expected)
    assert s.everywhere() == expected
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
        generation=2,
    )
    expected = {**dict.fromkeys(PLACES, 0), ("ssd", "int8"): 1, ("ssd", "int4"): 1, ("far", "int8"): 1}
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


def test_a_migration_keeps_its_rate(stand, write_plan):
    keys = [key_of(f"k{i}") for i in range(6)]
    size = QUANTIZERS["int8"].stored_bytes(ELEMENTS, 64)
    s = stand([row("k", "ssd", "int8", hex_of(*keys))], migration_bytes_per_second=2 * size)
    for key in keys:
        s.write(key)
    assert settle(lambda: len(s.files("ssd", "int8")) == 6)
    started = time.monotonic()
    write_plan([row("k", "far", "int8", hex_of(*keys))], generation=2)
    assert settle(lambda: len(s.files("far", "int8")) == 6)
    # Two chunks a second; the first goes at once.
    assert time.monotonic() - started >= 2.5
    assert s.director.counters.migrated_bytes == 6 * size


def test_a_new_plan_is_noticed_while_a_move_is_stuck(stand, write_plan, monkeypatch):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    s.write(a)
    assert settle(lambda: len(s.files("ssd", "int8")) == 1)
    begun, free = threading.Event(), threading.Event()
    monkeypatch.setattr(s.keeper._mover, "place", lambda *_: begun.set() or free.wait(SETTLE_SECONDS))
    write_plan([row("a", "far", "int8", hex_of(a))], generation=2)
    assert begun.wait(SETTLE_SECONDS)
    write_plan([row("a", "ssd", "int8", hex_of(a))], generation=3)
    assert settle(lambda: s.director.plan.generation == 3)
    assert s.director.misplaced == {}
    free.set()


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
    write_plan([row("a", "ssd", "keydiff", hex_of(a))], generation=2)
    assert settle(lambda: s.director.counters.plans_refused == 1)
    assert "keydiff in tier ssd" in s.director.last_refusal
    assert s.director.plan.generation == 1


def test_a_plan_for_another_model_is_refused(stand, write_plan):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    write_plan([row("a", "ssd", "none", hex_of(a))], generation=2, model="another")
    assert settle(lambda: s.director.counters.plans_refused == 1)
    assert "for model 'another'" in s.director.last_refusal
    assert s.director.plan.generation == 1
