"""Hugging Face feature metadata for an Arrow schema, so that `load_dataset` gives proper features.

Written from the schema alone: importing `datasets` for it would cost a second at every export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from ..core.row import IMAGE

_DTYPES: Final = {"double": "float64", "float": "float32", "halffloat": "float16"}


def with_features(schema: pa.Schema) -> pa.Schema:
    """The schema with the metadata `datasets` looks for; `{bytes, path}` is an Image (or Audio)."""
    features = {field.name: _feature(field.type, field.name) for field in schema}
    info = json.dumps({"info": {"features": features}})
    return schema.with_metadata({b"huggingface": info.encode()})


def has_images(schema: pa.Schema) -> bool:
    """True when any column holds image bytes, alone, in a list or in an answer."""
    return any(kind == IMAGE or pa.types.is_binary(kind) for field in schema for kind in _types(field.type))


def undictionaried(column: pa.Array) -> pa.Array:
    """The column without dictionary encoding, which features do not know."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _feature(kind: pa.DataType, name: str) -> Any:
    if kind == IMAGE:
        return {"_type": "Audio" if name == "audio" else "Image"}
    if isinstance(kind, pa.JsonType):
        return {"_type": "Json"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type, field.name) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type, name), "length": kind.list_size, "_type": "List"}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"feature": _feature(kind.value_type, name), "_type": "List"}
    return {"dtype": _DTYPES.get(str(kind), str(kind)), "_type": "Value"}


def _types(kind: pa.DataType) -> Iterator[pa.DataType]:
    yield kind
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _types(field.type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _types(kind.value_type)
