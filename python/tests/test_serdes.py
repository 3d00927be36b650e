"""Serdes: a load does not wait for what is being stored."""

import select
import threading

import pytest

pytest.importorskip("lmcache")

from evicpress.lmcache.serdes import TwoWaySerde  # noqa: E402


class BlockedStores:
    """Compresses nothing before it may."""

    def __init__(self):
        self.may = threading.Event()

    def serialize(self, src, dst, key):
        assert self.may.wait(30)
        return None

    def estimate_serialized_size(self, layout_desc):
        return 1


class Loads:
    def deserialize(self, src, dst, key):
        dst.append(key)


def test_a_load_overtakes_the_stores_before_it():
    stores = BlockedStores()
    serde = TwoWaySerde(stores, Loads())
    try:
        storing = serde.submit_serialize([None], [None], ["stored"])
        loaded = []
        loading = serde.submit_deserialize([None], [loaded], ["loaded"])
        assert select.select([serde.get_deserialize_event_fd()], [], [], 30)[0]
        assert loaded == ["loaded"]
        assert serde.query_deserialize_result(loading) is True
        assert serde.query_serialize_result(storing) is None
        stores.may.set()
        assert select.select([serde.get_serialize_event_fd()], [], [], 30)[0]
        assert serde.query_serialize_result(storing) is True
    finally:
        stores.may.set()
        serde.close()
