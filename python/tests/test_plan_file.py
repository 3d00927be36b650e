"""Reading a plan: whole, damaged, hostile."""

import json

import pytest
from conftest import plan_bytes, row

from evicpress.lmcache.plan_file import ChunkId, PlanRefused, Target, read_plan

HASH = "ab" * 32


def test_a_whole_plan_gives_each_chunk_its_place(write_plan):
    plan = read_plan(write_plan([row("a", "ssd", "int8", ["0x" + HASH]), row("b", "recompute", "none", ["cd" * 32])]))
    assert plan.chunks[ChunkId("", bytes.fromhex(HASH))].target == Target("ssd", "int8")
    assert plan.chunks[ChunkId("", bytes.fromhex("cd" * 32))].target == Target("recompute", "none")
    assert plan.contexts == 2


def test_every_way_to_cut_a_plan_short_is_refused(tmp_path):
    whole = plan_bytes([row("a", "ssd", "int8", [HASH])])
    path = tmp_path / "p"
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(PlanRefused):
            read_plan(path)
    path.write_bytes(whole)
    assert read_plan(path).generation == 1


def test_one_changed_byte_is_refused(tmp_path):
    whole = bytearray(plan_bytes([row("a", "ssd", "int8", [HASH])]))
    at = whole.index(b'"accesses": 1') + len(b'"accesses": ')
    whole[at : at + 1] = b"7"
    path = tmp_path / "p"
    path.write_bytes(whole)
    with pytest.raises(PlanRefused, match="altered"):
        read_plan(path)


@pytest.mark.parametrize(
    ("rows", "header", "says"),
    [
        ([row("a", "tape", "none", [HASH])], {}, "tier 'tape'"),
        ([row("a", "ssd", "none", ["zz"])], {}, "not a chunk hash"),
        ([row("a", "ssd", "none", [7])], {}, "not a chunk hash"),
        ([row("a", "ssd", "none", [HASH], quality=-1)], {}, "quality"),
        ([row("a", "ssd", "none", [HASH]), row("a", "ssd", "none", [])], {}, "placed twice"),
        ([row("a", "ssd", "none", [HASH], chunk_size=64)], {}, "chunks of 64 tokens"),
        ([], {"version": 2}, "version 2"),
        ([], {"format": "evicpress.tiers"}, "expected"),
        ([], {"generation": -1}, "generation"),
        ([], {"tiers": [{"name": "ssd", "capacityBytes": -5}]}, "capacityBytes"),
    ],
)
def test_hostile_content_is_refused_with_its_reason(tmp_path, rows, header, says):
    path = tmp_path / "p"
    path.write_bytes(plan_bytes(rows, **header))
    with pytest.raises(PlanRefused, match=says):
        read_plan(path, chunk_size=256)


def test_nan_is_refused(tmp_path):
    text = plan_bytes([row("a", "ssd", "none", [HASH], accesses=float("nan"))])
    path = tmp_path / "p"
    path.write_bytes(text)
    with pytest.raises(PlanRefused, match="accesses"):
        read_plan(path)


def test_a_chunk_of_two_contexts_gets_the_better_quality(write_plan):
    rows = [row("a", "ssd", "int4", [HASH], quality=0.6), row("b", "dram", "none", [HASH]), row("c", "recompute", "none", [HASH])]
    for order in (rows, rows[::-1]):
        plan = read_plan(write_plan(order))
        assert plan.chunks[ChunkId("", bytes.fromhex(HASH))].target == Target("dram", "none")
        assert plan.conflicts > 0


def test_tenants_do_not_share(write_plan):
    plan = read_plan(write_plan([row("a", "ssd", "none", [HASH], salt="t1"), row("b", "recompute", "none", [HASH], salt="t2")]))
    assert plan.chunks[ChunkId("t1", bytes.fromhex(HASH))].target.tier == "ssd"
    assert plan.chunks[ChunkId("t2", bytes.fromhex(HASH))].target.tier == "recompute"


def test_rows_of_other_engines_are_counted_not_followed(write_plan):
    other = row("a", "ssd", "none", [HASH])
    other["keys"]["engine"] = "sglang"
    bare = {k: v for k, v in row("b", "ssd", "none", []).items() if k != "keys"}
    plan = read_plan(write_plan([other, bare]))
    assert plan.contexts_without_keys == 2
    assert plan.chunks == {}


def test_deep_nesting_is_refused(tmp_path):
    path = tmp_path / "p"
    path.write_bytes(b"[" * 200_000 + b"\n")
    with pytest.raises(PlanRefused):
        read_plan(path)
    path.write_text(json.dumps([1]) + "\n")
    with pytest.raises(PlanRefused, match="JSON object"):
        read_plan(path)
