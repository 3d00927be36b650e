"""Two servers that follow one plan, on disks of their own and on a shared one."""

import pytest
from conftest import row

pytest.importorskip("stand", reason="LMCache is not installed")

from stand import hex_of, key_of, settle  # noqa: E402


def test_two_servers_follow_one_plan_each_with_its_own_disk(stand, write_plan):
    keys = [key_of(f"k{i}") for i in range(4)]
    write_plan([row("x", "ssd", "int8", hex_of(*keys))])
    servers = [stand(folder=name) for name in ("one", "two")]
    for s in servers:
        for i, key in enumerate(keys):
            s.write(key, i)
    assert settle(lambda: all(len(s.files("ssd", "int8")) == 4 for s in servers))
    write_plan([row("x", "far", "int8", hex_of(*keys))], generation=2)
    assert settle(lambda: all(len(s.files("far", "int8")) == 4 and not s.files("ssd", "int8") for s in servers))


def test_two_servers_on_one_folder_agree(stand, write_plan):
    keys = [key_of(f"k{i}") for i in range(6)]
    write_plan([row("x", "ssd", "int8", hex_of(*keys))])
    servers = [stand() for _ in range(2)]
    for i, key in enumerate(keys):
        servers[i % 2].write(key, i)
    assert settle(lambda: len(servers[0].files("ssd", "int8")) == 6)
    # Both read what either has stored, and both carry out the new plan on what they know of.
    assert settle(lambda: all(s.read(keys)[:2] == (0, 6) for s in servers))
    write_plan([row("x", "far", "int8", hex_of(*keys))], generation=2)
    assert settle(lambda: all(s.director.misplaced == {} and s.director.plan.generation == 2 for s in servers))
    assert settle(lambda: len(servers[0].files("far", "int8")) == 6 and not servers[0].files("ssd", "int8"))
    assert all(s.read(keys)[:2] == (0, 6) for s in servers)
