"""The leaves of a schema as Parquet names them, and which of them are worth a dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

_UNIQUE_TEXT: Final = frozenset(
    {"content", "text", "bytes", "path", "prompt", "chosen", "rejected", "completion", "completions", "element"}
    | {"caption", "params", "tool_calls", "id", "source_id", "parent_id"}
)

_HASHES: Final = frozenset({"id", "content_hash", "prompt_hash"})


def repetitive_leaves(schema: pa.Schema) -> list[str]:
    """Parquet paths of the leaves worth a dictionary: roles, labels, names; not running text or floats."""
    return [path for field in schema for path, kind in _leaves(field.type, field.name) if _repeats(path, kind)]


def named_leaves(schema: pa.Schema) -> list[str]:
    """Those of them that are no numbers: positions and hashes fill a dictionary for nothing."""
    kinds = {path: kind for field in schema for path, kind in _leaves(field.type, field.name)}
    return [path for path in repetitive_leaves(schema) if not pa.types.is_integer(kinds[path])]


def packings(schema: pa.Schema) -> dict[str, str]:
    """Compression by leaf for files of our own: LZ4, but none for hashes and ids, which do not shrink."""
    paths = [path for field in schema for path, _ in _leaves(field.type, field.name)]
    return {path: "none" if path in _HASHES else "lz4" for path in paths}


def _leaves(kind: pa.DataType, path: str) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(field.type, f"{path}.{field.name}")
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(kind.value_type, f"{path}.list.element")
    else:
        yield path, kind


def _repeats(path: str, kind: pa.DataType) -> bool:
    dense = pa.types.is_floating(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not dense and path.rpartition(".")[2] not in _UNIQUE_TEXT
