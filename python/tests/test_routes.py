"""Routes from the command line, and the rules for chunks the plan does not know."""

import json

import pytest
from conftest import row

pytest.importorskip("lmcache", reason="LMCache is not installed")

from evicpress.lmcache.__main__ import chunk_size, parse, take_routes  # noqa: E402
from evicpress.lmcache.compat import ObjectKey  # noqa: E402
from evicpress.lmcache.inventory import file_name, parse_name  # noqa: E402
from evicpress.lmcache.plan import PlanRefused, Target  # noqa: E402
from evicpress.lmcache.plan_file import read_plan  # noqa: E402
from evicpress.lmcache.routes import Route, Routes  # noqa: E402
from evicpress.lmcache.rules import FALLBACK, UnseenRules  # noqa: E402

HASH = "ab" * 32
SSD8 = Route(0, Target("ssd", "int8"), None)
SSD = Route(1, Target("ssd", "none"), None)
FAR8 = Route(2, Target("far", "int8"), None)
ROUTES = Routes("dram", (SSD8, SSD, FAR8))


def test_our_key_is_taken_out_and_numbers_are_lmcaches():
    specs = [
        {"type": "fs", "base_path": "/a"},
        {"type": "fs", "base_path": "/b", "evicpress_tier": "ssd"},
        {"type": "resp", "host": "h", "port": 1, "evicpress_tier": "far", "serde": {"type": "evicpress-int8"}},
        {"type": "fs", "base_path": "/d", "evicpress_tier": "ssd", "serde": {"type": "fp8"}},
    ]
    arguments = ["--chunk-size", "64"]
    for i, spec in enumerate(specs):
        arguments += [f"--l2-adapter={json.dumps(spec)}"] if i % 2 else ["--l2-adapter", json.dumps(spec)]
    passed, routes = take_routes(arguments)
    assert "evicpress_tier" not in "".join(passed)
    assert routes == [
        Route(1, Target("ssd", "none"), "/b"),
        Route(2, Target("far", "int8"), None),
        # LMCache's own unscaled cast is another method than ours of that name.
        Route(3, Target("ssd", "lmcache-fp8"), "/d"),
    ]
    assert chunk_size(passed) == 64
    # A folder is its own; in a store without folders a method's chunks are kept apart.
    far = json.loads(passed[passed.index("--l2-adapter", 3) + 1])
    assert (far["type"], far["serde"]) == ("plugin", {"type": "evicpress-int8"})
    assert far["adapter_params"] == {"method": "int8", "inner": {"type": "resp", "host": "h", "port": 1}}


@pytest.mark.parametrize("given", [["--l2-store-policy", "default"], ["--l2-prefetch-policy=retain"]])
def test_policies_are_the_plans(given):
    with pytest.raises(SystemExit):
        parse(["--plan", "p", *given])


def test_a_place_the_server_has_not_refuses_the_plan(write_plan):
    tiers = [{"name": name, "capacityBytes": None} for name in ("dram", "ssd", "far")]
    for tier, method in (("ssd", "int4"), ("far", "none"), ("dram", "int8")):
        plan = read_plan(write_plan([row("a", tier, method, [HASH])], tiers=tiers))
        with pytest.raises(PlanRefused, match=f"{method} in tier {tier}"):
            ROUTES.check(plan)
    fine = [row("a", "dram", "none", [HASH]), row("b", "far", "int8", []), row("c", "recompute", "none", [])]
    ROUTES.check(read_plan(write_plan(fine, tiers=tiers)))


def unseen(write_plan, rules, tiers=None):
    tiers = tiers or [{"name": name, "capacityBytes": None} for name in ("dram", "ssd", "far")]
    return UnseenRules(read_plan(write_plan([], tiers=tiers, rules=rules)), ROUTES)


def test_without_rules_chunks_stay_as_they_are(write_plan):
    assert UnseenRules(None, ROUTES).rule("") == FALLBACK
    assert UnseenRules(None, ROUTES).place("", 100) == Target("ssd", "none")
    for rules in ({}, {"classes": []}, {"classes": "nonsense"}, {"classes": [{"accesses": "x"}]}):
        assert unseen(write_plan, rules).place("", 100) == Target("ssd", "none")


def test_a_tenants_rule_goes_before_the_general_one(write_plan):
    rules = {
        "classes": [
            {"class": "a", "accesses": 9, "method": "int8", "bytesFraction": 0.5, "quality": 0.9},
            {"class": "b", "tenant": "t", "accesses": 1, "method": "none", "bytesFraction": 1, "quality": 1},
        ]
    }
    found = unseen(write_plan, rules)
    assert found.place("", 100) == Target("ssd", "int8")
    assert found.place("t", 100) == Target("ssd", "none")
    assert found.place("somebody else", 100) == Target("ssd", "int8")


def test_prices_decide_between_tiers_and_against_keeping(write_plan):
    def tiers(ssd_price, far_price):
        return [
            {"name": "dram", "capacityBytes": None},
            {"name": "ssd", "capacityBytes": 1, "price": ssd_price, "readBytesPerSecond": 1e6},
            {"name": "far", "capacityBytes": None, "price": far_price, "readBytesPerSecond": 1e5},
        ]

    rules = {
        "prefillSecondsPerToken": 0.01,
        "classes": [{"class": "a", "accesses": 2, "method": "int8", "bytesFraction": 0.5, "quality": 1}],
    }
    # 1e5 bytes, stored 5e4: ssd 2·(2.56 − .05) − price·5e4, far 2·(2.56 − .5) − price·5e4.
    assert unseen(write_plan, rules, tiers(0, 0)).place("", 100_000) == Target("ssd", "int8")
    assert unseen(write_plan, rules, tiers(5e-5, 0)).place("", 100_000) == Target("far", "int8")
    assert unseen(write_plan, rules, tiers(5.1e-4, 5.1e-4)).place("", 100_000) is None


def test_a_chunk_answers_for_its_part_of_a_requests_quality(write_plan):
    tiers = [
        {"name": "dram", "capacityBytes": None},
        {"name": "ssd", "capacityBytes": None, "price": 0, "readBytesPerSecond": 1e6},
        {"name": "far", "capacityBytes": None},
    ]
    rule = {"accesses": 2, "method": "int8", "bytesFraction": 0.5, "quality": 0.5}

    def place(**more):
        plan = read_plan(
            write_plan([], tiers=tiers, objective={"alpha": 6}, rules={"prefillSecondsPerToken": 0.01, "classes": [{**rule, **more}]})
        )
        return UnseenRules(plan, ROUTES).place("", 100_000)

    # Half the quality is worth 3 s a request; a chunk saves 2.56 s of prefill.
    assert place() is None
    assert place(requestTokens=2560) == Target("ssd", "int8")


@pytest.mark.parametrize("salt", ["", "tenant-1"])
def test_file_names_are_read_back(salt):
    key = ObjectKey(bytes.fromhex(HASH), "org/model", 0x02010201, 3, salt)
    assert parse_name(file_name(key)) == key


@pytest.mark.parametrize("name", ["x.tmp", "a@b.data", "m@0x1@0@zz.data", "m@q@0@ab.data", "m@0x1@0@ab@s@t.data"])
def test_foreign_files_are_passed_over(name):
    assert parse_name(name) is None
