"""Several methods in one store that has no folders, as a bucket or a Redis server."""

import pytest
from conftest import row

pytest.importorskip("stand", reason="LMCache is not installed")

from lmcache.v1.distributed.api import KeyEntry, KeyListPage  # noqa: E402
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig  # noqa: E402
from stand import hex_of, key_of, settle  # noqa: E402

from evicpress.lmcache.apart import is_apart  # noqa: E402
from evicpress.lmcache.inventory import parse_name  # noqa: E402

PLACES = [("far", "none"), ("far", "int8"), ("far", "fp8")]


class Bucket(FSL2Adapter):
    """One place for the chunks of every adapter, which lists them all."""

    folder = None

    def __init__(self, config, l1_memory_desc=None):
        super().__init__(config)

    def list_l2_keys(self, model_name=None, page_size=500, cursor=None):
        names = sorted(path.name for path in Bucket.folder.glob("*.data"))
        entries = (KeyEntry(parse_name(name).to_encoded_object_key(), 1) for name in names)
        return KeyListPage(tuple(entries), None)


BucketConfig = FSL2AdapterConfig


@pytest.fixture
def bucket(stand, tmp_path):
    Bucket.folder = tmp_path / "bucket"
    Bucket.folder.mkdir()
    params = {"base_path": str(Bucket.folder)}
    spec = {"type": "plugin", "module_path": __name__, "class_name": Bucket.__name__, "adapter_params": params}
    return lambda rows=None: stand(rows, places=PLACES, spec_of=lambda tier, method: spec)


def names():
    keys = [parse_name(path.name) for path in Bucket.folder.glob("*.data")]
    return sorted((key.chunk_hash.hex(), is_apart(key)) for key in keys)


def test_each_method_comes_back_as_its_own_and_not_as_another(bucket, write_plan):
    a, b, c = (key_of(x) for x in "abc")
    s = bucket([row(x, "far", m, hex_of(k)) for x, m, k in (("a", "none", a), ("b", "int8", b), ("c", "fp8", c))])
    written = {key: s.write(key, seed) for seed, key in enumerate((a, b, c))}
    assert settle(lambda: len(names()) == 3)
    for key, least, most in ((a, 0, 1e-9), (b, 1e-9, 0.05), (c, 1e-9, 0.3)):
        assert settle(lambda key=key: s.read([key])[:2] == (0, 1))
        assert least <= (s.read([key])[2].float() - written[key].float()).abs().max() < most
    # Recompressed in the same store, and the uncompressed copy goes: the new one stays.
    rows = [row(x, "far", m, hex_of(k)) for x, m, k in (("a", "int8", a), ("b", "int8", b), ("c", "fp8", c))]
    write_plan(rows, generation=2)
    expected = sorted((key.chunk_hash.hex(), True) for key in (a, b, c))
    assert settle(lambda: names() == expected)
    assert 1e-9 < (s.read([a])[2].float() - written[a].float()).abs().max() < 0.05
    s.close()
    # A server that is started anew counts each chunk once, where it is.
    again = bucket()
    stored = [len(again.director.stored[index]) for index in range(len(PLACES))]
    assert stored == [0, 2, 1]
    assert again.read([b])[:2] == (0, 1)
