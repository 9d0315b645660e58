"""Content hashes of Arrow columns, vectorised: the same on every machine and for every batch.

The 8-byte words of a value are scrambled and summed as the coefficients of a polynomial modulo 2^64; the
sum is mixed (splitmix64) with the length. Not for adversaries: keys of paid calls use SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .byte_hashing import M1, M2, U64, hash_bytes, mix, wide
from .row import flat

_NULL: Final = U64(0xD6E8FEB86659FD93)


def hash_column(column: pa.Array | pa.ChunkedArray, seed: int = 0) -> np.ndarray:
    """uint64 [n]: equal values hash equal whatever their batch; null has a hash of its own."""
    array = flat(column)
    if isinstance(array, pa.ChunkedArray):
        return np.concatenate([hash_column(chunk, seed) for chunk in array.chunks])
    return _hash(array, mix(np.array([seed], U64))[0])


def hash_rows(table: pa.Table, names: list[str], prompts: np.ndarray | None = None) -> np.ndarray:
    """uint64 [n]: one hash a row over the named columns that are there; null columns count as absent.

    `prompts` is the `hash_column` of the prompts, where it is known already.
    """
    total = np.full(table.num_rows, mix(np.array([1], U64))[0], U64)
    for name in names:
        if name in table.column_names:
            known = prompts if name == "prompt" else None
            total += _share(flat(table[name]), name, partial(_hashed, known))
    return mix(total)


def digest(*parts: str | bytes) -> str:
    """A short collision-safe name (32 hex characters of BLAKE2b) of the parts, order and bounds kept."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def _hashed(known: np.ndarray | None, column: pa.Array) -> np.ndarray:
    return hash_column(column) if known is None else known


def _hash(array: pa.Array, seed: np.uint64) -> np.ndarray:
    kind = array.type
    if pa.types.is_dictionary(kind):
        values = _hash(array.dictionary, seed)
        indices = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        found = values[indices] if len(values) else np.full(len(array), _NULL)
    elif wide(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
        found = hash_bytes(array, seed)
    elif pa.types.is_fixed_size_list(kind):
        found = _hash_lists(_hash(array.flatten(), seed), np.arange(len(array) + 1) * kind.list_size, seed)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = array.offsets.to_numpy().astype(np.int64)
        values = _hash(array.values.slice(offsets[0], offsets[-1] - offsets[0]), seed)
        found = _hash_lists(values, offsets - offsets[0], seed)
    elif pa.types.is_struct(kind):
        found = _hash_struct(array, seed)
    else:
        found = _hash_fixed(array, seed)
    if array.null_count:
        found = np.where(array.is_null().to_numpy(zero_copy_only=False), _NULL ^ seed, found)
    return found


def _hash_lists(values: np.ndarray, offsets: np.ndarray, seed: np.uint64) -> np.ndarray:
    lengths = np.diff(offsets)
    total = mix(lengths.astype(U64) ^ seed ^ M2)
    filled = lengths > 0
    if (lengths == 1).all():
        total += mix(values)
    elif filled.any():
        position = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
        mixed = mix(values ^ (position.astype(U64) * M2))
        total[filled] += np.add.reduceat(mixed, offsets[:-1][filled])
    return mix(total)


def _hash_struct(array: pa.Array, seed: np.uint64) -> np.ndarray:
    total = np.full(len(array), seed ^ M1, U64)
    for index, field in enumerate(array.type):
        child = array.field(index)  # unlike `flatten`, keeps what lies under a null struct: masked by the caller
        salted = mix(np.array([len(field.name)], U64) ^ seed)[0]
        total += _share(child, field.name, partial(_hash, seed=salted))
    return mix(total)


def _share(column: pa.Array, name: str, hashed: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """What a named part adds to its row's hash: nothing where it is null, whatever else is in the batch."""
    if column.null_count == len(column):
        return np.zeros(len(column), U64)
    share = mix(hashed(column) ^ U64(_name_salt(name)))
    return np.where(column.is_null().to_numpy(zero_copy_only=False), U64(0), share) if column.null_count else share


def _hash_fixed(array: pa.Array, seed: np.uint64) -> np.ndarray:
    kind = array.type
    if pa.types.is_null(kind):
        return np.full(len(array), _NULL ^ seed, U64)
    if pa.types.is_boolean(kind):
        numbers = array.cast(pa.uint8()).fill_null(0).to_numpy(zero_copy_only=False).astype(U64)
    elif pa.types.is_floating(kind):
        floats = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0  # -0.0 is 0.0
        numbers = np.ascontiguousarray(floats).view(U64)
    elif pa.types.is_integer(kind):
        numbers = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(U64)
    else:
        return hash_bytes(pc.cast(array, pa.string()), seed)
    return mix(numbers ^ seed)


def _name_salt(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
