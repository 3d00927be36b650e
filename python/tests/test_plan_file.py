"""Reading a plan: whole, damaged, hostile."""

import json
import random

import pytest
from conftest import plan_bytes, row

from evicpress.lmcache.loader import PlanLoader
from evicpress.lmcache.plan import PlanRefused, Target
from evicpress.lmcache.plan_file import read_plan

HASH = "ab" * 32


def test_a_whole_plan_gives_each_chunk_its_place(write_plan):
    plan = read_plan(write_plan([row("a", "ssd", "int8", ["0x" + HASH]), row("b", "recompute", "none", ["cd" * 32])]))
    assert plan.target("", bytes.fromhex(HASH)) == Target("ssd", "int8")
    assert plan.target("", bytes.fromhex("cd" * 32)) == Target("recompute", "none")
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
        ([row("a", "ssd", "none", [7])], {}, r":2: .*hashes\[0\]"),
        ([row("a", "ssd", "none", ["ab" * 33])], {}, "has 33 bytes"),
        ([row("a", "ssd", "none", [HASH[:-2] + " x"])], {}, "not a chunk hash"),
        ([row("a", "ssd", "none", [HASH]), row("b", "ssd", "none", [HASH], chunk_size=128)], {}, ":3: chunks of 128"),
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
    with pytest.raises(PlanRefused, match="p:2: not valid JSON"):
        read_plan(path)


def test_a_chunk_of_two_contexts_gets_the_better_quality(write_plan):
    rows = [row("a", "ssd", "int4", [HASH], quality=0.6), row("b", "dram", "none", [HASH]), row("c", "recompute", "none", [HASH])]
    for order in (rows, rows[::-1]):
        plan = read_plan(write_plan(order))
        assert plan.target("", bytes.fromhex(HASH)) == Target("dram", "none")
        assert plan.conflicts > 0


def test_tenants_do_not_share(write_plan):
    plan = read_plan(write_plan([row("a", "ssd", "none", [HASH], salt="t1"), row("b", "recompute", "none", [HASH], salt="t2")]))
    assert plan.target("t1", bytes.fromhex(HASH)).tier == "ssd"
    assert plan.target("t2", bytes.fromhex(HASH)).tier == "recompute"


def test_rows_of_other_engines_are_counted_not_followed(write_plan):
    other = row("a", "ssd", "none", [HASH])
    other["keys"]["engine"] = "sglang"
    bare = {k: v for k, v in row("b", "ssd", "none", []).items() if k != "keys"}
    plan = read_plan(write_plan([other, bare]))
    assert plan.contexts_without_keys == 2
    assert plan.chunks == 0


def test_deep_nesting_is_refused(tmp_path):
    path = tmp_path / "p"
    path.write_bytes(b"[" * 200_000 + b"\n")
    with pytest.raises(PlanRefused):
        read_plan(path)
    path.write_text(json.dumps([1]) + "\n")
    with pytest.raises(PlanRefused, match="JSON object"):
        read_plan(path)


def test_the_table_answers_as_a_dictionary_would(write_plan):
    draw = random.Random(5)
    # Names that share their first two bytes, and names of several tenants.
    hashes = [draw.choice(["0000", "ffff", f"{draw.randrange(2**16):04x}"]) + draw.randbytes(30).hex() for _ in range(500)]
    rows, expected = [], {}
    for i in range(300):
        tier, method, salt = draw.choice(["dram", "ssd", "recompute"]), draw.choice(["none", "int8"]), draw.choice(["", "t1", "t2"])
        quality, own = draw.choice([0.5, 0.75, 1.0]), draw.sample(hashes, 4)
        rows.append(row(f"c{i}", tier, method, own, salt=salt, quality=quality))
        target = Target(tier, "none" if tier == "recompute" else method)
        for text in own:
            worth = (tier != "recompute", quality, 0 if tier == "recompute" else -["dram", "ssd"].index(tier))
            expected.setdefault((salt, bytes.fromhex(text)), []).append((worth, target))
    plan = read_plan(write_plan(rows))
    assert plan.chunks == len(expected)
    assert plan.conflicts == sum(len({target for _worth, target in wants}) > 1 for wants in expected.values())
    for (salt, chunk_hash), wants in expected.items():
        best = max(worth for worth, _target in wants)
        assert plan.target(salt, chunk_hash) in {target for worth, target in wants if worth == best}
    for text in hashes:
        for salt in ("", "t1", "t2", "t3"):
            if (salt, bytes.fromhex(text)) not in expected:
                assert plan.target(salt, bytes.fromhex(text)) is None
    assert plan.target("", bytes(32)) is None and plan.target("", b"\xff" * 32) is None


def test_faults_are_named_by_their_line_however_large_the_plan(tmp_path, monkeypatch):
    monkeypatch.setattr("evicpress.lmcache.plan_file.BLOCK_BYTES", 1000)
    rows = [row(f"c{i}", "ssd", "none", [f"{i:064x}"]) for i in range(50)]
    path = tmp_path / "p"
    path.write_bytes(plan_bytes(rows))
    assert read_plan(path).chunks == 50
    for fault, says in (({"context": "c3"}, "placed twice"), ({"accesses": -1}, "accesses"), ({"tier": "tape"}, "tape")):
        path.write_bytes(plan_bytes([*rows[:40], {**rows[40], **fault}, *rows[41:]]))
        with pytest.raises(PlanRefused, match=f"p:42: .*{says}"):
            read_plan(path)


def watch(path, *, small_bytes, monkeypatch):
    monkeypatch.setattr("evicpress.lmcache.loader.SMALL_BYTES", small_bytes)
    adopted, refused = [], []
    return PlanLoader(str(path), 256, adopted.append, refused.append), adopted, refused


@pytest.mark.parametrize("small_bytes", [2**20, 0], ids=["in the server", "by another process"])
def test_a_changed_file_is_adopted_once(write_plan, monkeypatch, small_bytes):
    path = write_plan([row("a", "ssd", "int8", [HASH])])
    loader, adopted, refused = watch(path, small_bytes=small_bytes, monkeypatch=monkeypatch)
    loader.load()
    loader.load()
    assert [plan.generation for plan in adopted] == [1]
    assert adopted[0].target("", bytes.fromhex(HASH)) == Target("ssd", "int8")
    write_plan([row("a", "tape", "int8", [HASH])], generation=2)
    loader.load()
    write_plan([row("a", "ssd", "none", [HASH])], generation=3)
    loader.load()
    assert [plan.generation for plan in adopted] == [1, 3]
    assert len(refused) == 1 and "tier 'tape'" in refused[0]


def test_a_missing_file_is_refused_once_and_taken_when_it_comes(tmp_path, write_plan, monkeypatch):
    loader, adopted, refused = watch(tmp_path / "plan.ndjson", small_bytes=0, monkeypatch=monkeypatch)
    loader.load()
    loader.load()
    assert len(refused) == 1 and "No such file" in refused[0]
    write_plan([])
    loader.load()
    assert len(adopted) == 1


def test_a_plan_replaced_while_it_is_read_gives_way_to_the_newer(write_plan, monkeypatch):
    path = write_plan([row("a", "ssd", "int8", [HASH])])
    loader, adopted, _refused = watch(path, small_bytes=0, monkeypatch=monkeypatch)
    loader.poll()
    assert loader.reading_bytes > 0 and adopted == []
    write_plan([row("a", "ssd", "none", [HASH])], generation=2)
    loader.load()
    assert [plan.generation for plan in adopted] == [2]
