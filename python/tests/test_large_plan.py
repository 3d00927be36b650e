"""A plan of many rows is read beside the requests.

EVICPRESS_PLAN_ROWS=1000000 takes a larger one, and ``pytest -s`` prints how long everything took.
"""

import os
import time

import pytest
from conftest import row

pytest.importorskip("stand", reason="LMCache is not installed")

from stand import hex_of, key_of, settle  # noqa: E402

ROWS = int(os.environ.get("EVICPRESS_PLAN_ROWS", "60000"))


def test_requests_go_on_while_a_large_plan_is_read(stand, write_plan):
    a = key_of("a")
    s = stand([row("a", "ssd", "int8", hex_of(a))])
    s.write(a)
    assert settle(lambda: s.read([a])[:2] == (0, 1))
    quiet = max(_seconds_of(lambda: s.read([a])) for _ in range(50))
    many = [row(f"c{i}", "ssd", "none", [f"{i:064x}"]) for i in range(ROWS)]
    write_plan([row("a", "ssd", "int8", hex_of(a)), *many], generation=2)
    published, noticed, meanwhile = time.monotonic(), None, []
    while s.director.plan.generation == 1:
        if noticed is None and s.director.reading_bytes > 0:
            noticed = time.monotonic() - published
        started = time.monotonic()
        assert s.read([a])[:2] == (0, 1)
        meanwhile.append(time.monotonic() - started)
    in_force = time.monotonic() - published
    assert noticed is not None and len(meanwhile) > 1
    assert s.director.plan.chunks == ROWS + 1
    print(
        f"\n{ROWS} rows: noticed after {noticed:.2f} s, in force after {in_force:.2f} s; {len(meanwhile)} requests meanwhile, "
        f"the slowest {1000 * max(meanwhile):.0f} ms (before: {1000 * quiet:.0f} ms)"
    )


def _seconds_of(work):
    started = time.monotonic()
    work()
    return time.monotonic() - started
