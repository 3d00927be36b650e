"""Names of their own for what a compressing adapter keeps in a store without folders.

LMCache names a chunk alike in every adapter. Where two share one Redis or one bucket, the adapter for uncompressed
chunks would take compressed bytes for a chunk, and what one deletes would be gone for the other. So every adapter with a
serde that stores elsewhere than in a folder of its own is one of these around the adapter that was asked for: the model's
name, in the key the inner adapter sees, ends with the method. What is not compressed keeps LMCache's names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .compat import (
    KeyListPage,
    L2AdapterInterface,
    L2AdapterListener,
    ObjectKey,
    adapter_config_class,
    create_l2_adapter,
)

_MARK = ".evicpress-"


def apart(spec: dict[str, Any], method: str) -> dict[str, Any]:
    """The ``--l2-adapter`` value that keeps this one's chunks under names of their own."""
    inner = {key: value for key, value in spec.items() if key != "serde"}
    plugin = {"module_path": __name__, "class_name": Apart.__name__, "adapter_params": {"method": method, "inner": inner}}
    return {**spec, "type": "plugin", **plugin}


def is_apart(key: ObjectKey) -> bool:
    """Whether a listed key is one under which an adapter of this kind keeps a chunk."""
    return _MARK in key.model_name


class _Renamed(L2AdapterListener):
    """Hands on what the inner adapter says, in the names everybody else knows."""

    def __init__(self, listener: L2AdapterListener, adapter: Apart) -> None:
        self._listener, self._adapter = listener, adapter

    def on_l2_keys_stored(self, keys: list[ObjectKey], sizes: list[int]) -> None:
        self._listener.on_l2_keys_stored(self._adapter.outside(keys), sizes)

    def on_l2_keys_accessed(self, keys: list[ObjectKey]) -> None:
        self._listener.on_l2_keys_accessed(self._adapter.outside(keys))

    def on_l2_keys_deleted(self, keys: list[ObjectKey]) -> None:
        self._listener.on_l2_keys_deleted(self._adapter.outside(keys))


class Apart(L2AdapterInterface):
    """An adapter that stores under the method's names; all else is the inner adapter's."""

    def __init__(self, params: dict[str, Any], l1_memory_desc: Any = None) -> None:
        super().__init__()
        self._ending = _MARK + params["method"]
        inner = params["inner"]
        self._inner = create_l2_adapter(adapter_config_class(inner["type"]).from_dict(inner), l1_memory_desc)

    def inside(self, keys: Iterable[ObjectKey]) -> list[ObjectKey]:
        return [replace(key, model_name=key.model_name + self._ending) for key in keys]

    def outside(self, keys: Iterable[ObjectKey]) -> list[ObjectKey]:
        return [replace(key, model_name=key.model_name.removesuffix(self._ending)) for key in keys]

    def get_store_event_fd(self) -> int:
        return self._inner.get_store_event_fd()

    def get_lookup_and_lock_event_fd(self) -> int:
        return self._inner.get_lookup_and_lock_event_fd()

    def get_load_event_fd(self) -> int:
        return self._inner.get_load_event_fd()

    def submit_store_task(self, keys, objects):
        return self._inner.submit_store_task(self.inside(keys), objects)

    def pop_completed_store_tasks(self):
        return self._inner.pop_completed_store_tasks()

    def submit_lookup_and_lock_task(self, keys, group_layout_descs):
        return self._inner.submit_lookup_and_lock_task(self.inside(keys), group_layout_descs)

    def query_lookup_and_lock_result(self, task_id):
        return self._inner.query_lookup_and_lock_result(task_id)

    def submit_unlock(self, keys):
        self._inner.submit_unlock(self.inside(keys))

    def submit_load_task(self, keys, objects):
        return self._inner.submit_load_task(self.inside(keys), objects)

    def query_load_result(self, task_id):
        return self._inner.query_load_result(task_id)

    def register_listener(self, listener: L2AdapterListener) -> None:
        self._inner.register_listener(_Renamed(listener, self))

    def set_backend_identity(self, name: str, shared: bool = False) -> None:
        super().set_backend_identity(name, shared)
        self._inner.set_backend_identity(name, shared)

    @property
    def supports_global_eviction(self) -> bool:
        return self._inner.supports_global_eviction

    def delete(self, keys: list[ObjectKey]) -> None:
        self._inner.delete(self.inside(keys))

    def list_l2_keys(self, model_name: str | None = None, page_size: int = 500, cursor: str | None = None) -> KeyListPage:
        page = self._inner.list_l2_keys(model_name and model_name + self._ending, page_size, cursor)
        ours = [entry for entry in page.entries if entry.key.model_name.endswith(self._ending)]
        names = [replace(each.key, model_name=each.key.model_name.removesuffix(self._ending)) for each in ours]
        return replace(page, entries=tuple(replace(each, key=key) for each, key in zip(ours, names, strict=True)))

    def get_usage(self):
        return self._inner.get_usage()

    def report_status(self) -> dict:
        return self._inner.report_status()

    def close(self) -> None:
        self._inner.close()
