"""Plans and chunks for the tests."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


def plan_bytes(rows, tiers=None, generation=1, **header):
    """A plan file's bytes, ended as `evicpress plan` ends it."""
    if tiers is None:
        tiers = [{"name": name, "capacityBytes": None, "usedBytes": 0, "price": 0} for name in ("dram", "ssd", "far")]
    head = {
        "format": "evicpress.plan", "version": 1, "generation": generation, "model": "m", "periodSeconds": 60,
        "objective": {"alpha": 1}, "tiers": tiers, "summary": {}, "rules": {}, "inputs": [], **header,
    }
    text = "".join(json.dumps(value) + "\n" for value in [head, *rows]).encode()
    end = {"end": True, "rows": len(rows), "sha256": hashlib.sha256(text).hexdigest()}
    return text + json.dumps(end).encode() + b"\n"


def row(context, tier, method, hashes, chunk_size=256, salt=None, **more):
    keys = {"engine": "lmcache", "chunkSize": chunk_size, "hashes": hashes}
    if salt is not None:
        keys["salt"] = salt
    return {
        "context": context, "tier": tier, "method": method, "compressionRatio": 0, "storedBytes": 1,
        "quality": 1.0, "ttftSeconds": 0, "accesses": 1, "keys": keys, **more,
    }


@pytest.fixture
def write_plan(tmp_path):
    """Publishes a plan the way `evicpress apply` does: temporary file, then rename."""

    def write(rows, name="plan.ndjson", **kwargs):
        path = tmp_path / name
        temporary = tmp_path / f".{name}.tmp"
        temporary.write_bytes(plan_bytes(rows, **kwargs))
        temporary.replace(path)
        return str(path)

    return write


@pytest.fixture
def stand(tmp_path, write_plan):
    """Starts servers that follow the plan of these rows, or the one written last; closes them after the test."""
    storage = pytest.importorskip("stand", reason="LMCache is not installed")
    made = []

    def start(rows=None, folder="kv", **options):
        path = str(tmp_path / "plan.ndjson") if rows is None else write_plan(rows)
        made.append(storage.Stand(str(tmp_path / folder), path, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()
