"""Everything of LMCache that this adapter touches, in one place, and the version it was written against.

No attribute with a leading underscore is used. What LMCache does not promise all the same, and where it is relied on:

- how the file adapters name a key's file (inventory.py; a test reads files that LMCache wrote);
- the fields in the metadata of events on the bus (``attach`` in server_module.py);
- ``layout_desc_registry`` of the server's context, for the shape of a chunk (``build_server_modules``);
- that adapters are numbered in the order of the command line (routes.py);
- that writing a key to L1 anew offers it to the store policy anew (``rewrite`` in mover.py);
- that a ping whose handler raises stays without an answer (``touch_instance`` in server_module.py);
- ``StorageManager.unsafe_read`` after a prefetch that was waited for (mover.py).
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from lmcache.v1.distributed.api import (
    GroupedObjectKeys,
    KeyListPage,
    MemoryLayoutDesc,
    ObjectKey,
    PrefetchLockMode,
    PrefetchTaskSpec,
)
from lmcache.v1.distributed.internal_api import L2AdapterListener
from lmcache.v1.distributed.l2_adapters import L2AdapterInterface, create_l2_adapter
from lmcache.v1.distributed.l2_adapters.config import get_l2_adapter_config_class as adapter_config_class
from lmcache.v1.distributed.serde.async_processor import AsyncSerdeProcessor
from lmcache.v1.distributed.serde.base import Deserializer, SerdeProcessor, Serializer
from lmcache.v1.distributed.serde.factory import register_serde_factory as register_serde
from lmcache.v1.distributed.storage_controllers.prefetch_policy import (
    DefaultPrefetchPolicy,
    PrefetchPlan,
    register_prefetch_policy,
)
from lmcache.v1.distributed.storage_controllers.store_policy import StorePolicy, register_store_policy
from lmcache.v1.distributed.storage_controllers.utils import L2AdapterDescriptor
from lmcache.v1.distributed.storage_manager import StorageManager
from lmcache.v1.memory_management import MemoryObj
from lmcache.v1.mp_observability.event import Event, EventType
from lmcache.v1.mp_observability.otel_init import register_gauge
from lmcache.v1.multiprocess.engine_module import InstanceLivenessTarget
from lmcache.v1.multiprocess.modules.engine_driven_transfer import EngineDrivenTransferModule
from lmcache.v1.multiprocess.modules.lmcache_driven_transfer import LMCacheDrivenTransferModule

SUPPORTED_VERSION = "0.5.6"

#: The modules with which engines register their caches.
TRANSFER_MODULES = (EngineDrivenTransferModule, LMCacheDrivenTransferModule)

__all__ = [
    "AsyncSerdeProcessor",
    "DefaultPrefetchPolicy",
    "Deserializer",
    "Event",
    "EventType",
    "GroupedObjectKeys",
    "InstanceLivenessTarget",
    "KeyListPage",
    "L2AdapterDescriptor",
    "L2AdapterInterface",
    "L2AdapterListener",
    "MemoryLayoutDesc",
    "MemoryObj",
    "ObjectKey",
    "PrefetchLockMode",
    "PrefetchPlan",
    "PrefetchTaskSpec",
    "SerdeProcessor",
    "Serializer",
    "StorageManager",
    "StorePolicy",
    "TRANSFER_MODULES",
    "adapter_config_class",
    "create_l2_adapter",
    "register_gauge",
    "register_prefetch_policy",
    "register_serde",
    "register_store_policy",
]


def check_version() -> None:
    """Refuses to run against another LMCache than the one this was written and tested for.

    Raises:
        RuntimeError: with what is installed and what is needed.
    """
    try:
        installed = version("lmcache")
    except PackageNotFoundError:
        raise RuntimeError(f"LMCache is not installed. Install it with: pip install lmcache=={SUPPORTED_VERSION}") from None
    if installed != SUPPORTED_VERSION:
        raise RuntimeError(
            f"LMCache {installed} is installed, but this adapter is written for {SUPPORTED_VERSION}. "
            f"Install that version, or run the stock server without a plan."
        )
