"""What an adapter already holds when the server starts, so that placements survive a restart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from .apart import is_apart
from .compat import ObjectKey
from .routes import Route

_SUFFIX = ".data"
_SLASH = "-SEP-"


def held(route: Route, adapter: Any) -> Iterator[tuple[ObjectKey, int]]:
    """Keys and stored bytes of an adapter; nothing where the adapter cannot list what it holds."""
    if route.folder is not None:
        yield from _in_folder(route.folder)
        return
    cursor = None
    while True:
        try:
            page = adapter.list_l2_keys(cursor=cursor)
        except NotImplementedError:
            return
        for entry in page.entries:
            key = entry.key.to_object_key()
            # Another adapter keeps compressed chunks in the same store.
            if not is_apart(key):
                yield key, entry.size_bytes
        cursor = page.next_page_token
        if cursor is None:
            return


def path_of(route: Route, key: ObjectKey) -> str | None:
    """The file of a key in a file adapter, or None where there is none."""
    if route.folder is None:
        return None
    path = os.path.join(route.folder, file_name(key))
    return path if os.path.isfile(path) else None


def file_name(key: ObjectKey) -> str:
    """How LMCache's file adapters, ``fs`` and ``fs_native`` alike, name the file of a key."""
    salt = f"@{key.cache_salt}" if key.cache_salt else ""
    model = key.model_name.replace("/", _SLASH)
    return f"{model}@{key.kv_rank:#010x}@{key.object_group_id:x}@{key.chunk_hash.hex()}{salt}{_SUFFIX}"


def _in_folder(folder: str) -> Iterator[tuple[ObjectKey, int]]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            key = parse_name(entry.name)
            if key is not None and entry.is_file(follow_symlinks=False):
                yield key, entry.stat(follow_symlinks=False).st_size


def is_chunk(name: str) -> bool:
    """Whether a file's name, with or without its ending, is that of a chunk."""
    return parse_name(name.removesuffix(_SUFFIX) + _SUFFIX) is not None


def parse_name(name: str) -> ObjectKey | None:
    """The key in a file name, or None where the file is not a chunk of LMCache's."""
    if not name.endswith(_SUFFIX):
        return None
    parts = name[: -len(_SUFFIX)].split("@")
    if len(parts) not in (4, 5):
        return None
    try:
        return ObjectKey(
            chunk_hash=bytes.fromhex(parts[3]),
            model_name=parts[0].replace(_SLASH, "/"),
            kv_rank=int(parts[1], 16),
            object_group_id=int(parts[2], 16),
            cache_salt=parts[4] if len(parts) == 5 else "",
        )
    except ValueError:
        return None
