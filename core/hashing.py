"""Content hashes of Arrow columns, vectorised: the same on every machine and for every batch.

Each 8-byte word of a value is mixed with its position (splitmix64) and the mixed words are
summed; the sum is mixed with the length. Not for adversaries: keys of paid calls use SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .row import flat

U64 = np.uint64
_STEP: Final = U64(0x9E3779B97F4A7C15)
_M1: Final = U64(0xBF58476D1CE4E5B9)
_M2: Final = U64(0x94D049BB133111EB)
_NULL: Final = U64(0xD6E8FEB86659FD93)
_CHUNK: Final = 1 << 16  # words worked on at once: scratch arrays stay in the cache, threads seldom meet
_MOST_BYTES: Final = (1 << 31) - 1  # of one array with 32-bit offsets


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


def mix(words: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser: a bijection of uint64 in which every input bit moves every output bit."""
    z = words + _STEP
    z = (z ^ (z >> U64(30))) * _M1
    z = (z ^ (z >> U64(27))) * _M2
    result: np.ndarray = z ^ (z >> U64(31))
    return result


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
    elif _wide(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
        found = _hash_bytes(array, seed)
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


def _hash_bytes(array: pa.Array, seed: np.uint64) -> np.ndarray:
    n = len(array)
    if n == 0:
        return np.empty(0, U64)
    offsets = _offsets(array)
    if n > 1 and int(offsets[-1] - offsets[0]) + 8 * n > _MOST_BYTES:
        halves = (array.slice(0, n // 2), array.slice(n // 2))
        return np.concatenate([_hash_bytes(half, seed) for half in halves])
    if n > 1 and not array.null_count and _constant(array, offsets):
        return np.repeat(_hash_bytes(array.slice(0, 1), seed), n)
    total = mix(np.diff(offsets).astype(U64) ^ seed)
    padded = _padded(array, offsets)
    bounds = _offsets(padded).astype(np.int64) >> 3
    if bounds[-1]:
        words = np.frombuffer(padded.buffers()[2], "<u8", int(bounds[-1]))
        _add_words(total, words, bounds)
    return mix(total)


def _constant(array: pa.Array, offsets: np.ndarray) -> bool:
    """True when every value has the same bytes, as roles have: seen at the second value, mostly."""
    start, length = int(offsets[0]), int(offsets[1] - offsets[0])
    if length == 0 or int(offsets[-1]) - start != length * (len(offsets) - 1) or (np.diff(offsets) != length).any():
        return False
    rows = np.frombuffer(array.buffers()[2], np.uint8)[start : int(offsets[-1])].reshape(-1, length)
    return bool((rows[1] == rows[0]).all() and (rows == rows[0]).all())


def _padded(array: pa.Array, offsets: np.ndarray) -> pa.Array:
    """Every value filled up with zeros to a multiple of 8 bytes: one run of whole, aligned words."""
    n = len(array)
    bounds = np.zeros(n + 1, offsets.dtype)
    np.cumsum(-np.diff(offsets) & 7, out=bounds[1:])
    zeros = np.zeros(int(bounds[-1]), np.uint8)
    filler = pa.Array.from_buffers(array.type, n, [None, pa.py_buffer(bounds), pa.py_buffer(zeros)])
    return pc.binary_join_element_wise(array, filler, pa.scalar(b"", array.type))


def _offsets(array: pa.Array) -> np.ndarray:
    buffer = np.frombuffer(array.buffers()[1], np.int64 if _wide(array.type) else np.int32)
    return buffer[array.offset : array.offset + len(array) + 1]


def _add_words(total: np.ndarray, words: np.ndarray, bounds: np.ndarray) -> None:
    """Add each row's mixed words to its total; row i has the words from bounds[i] up to bounds[i + 1]."""
    filled = np.flatnonzero(bounds[1:] > bounds[:-1])
    heads, ends = bounds[filled], bounds[filled + 1]
    longest = max(_CHUNK, int((ends - heads).max()))
    salts = np.arange(longest, dtype=U64) * _M1  # a word's position in its row, spread over its bits
    mixed, scratch = np.empty(longest, U64), np.empty(longest, U64)
    first = 0
    while first < len(filled):  # rows [first, last) hold about _CHUNK words
        last = max(first + 1, int(np.searchsorted(ends, heads[first] + _CHUNK, "right")))
        start, stop = int(heads[first]), int(ends[last - 1])
        places = heads[first:last] - start
        z, spare = mixed[: stop - start], scratch[: stop - start]
        np.subtract(salts[: stop - start], np.repeat(salts[places], (ends - heads)[first:last]), out=z)
        np.bitwise_xor(z, words[start:stop], out=z)
        _mix_into(z, spare)
        total[filled[first:last]] += np.add.reduceat(z, places)
        first = last


def _mix_into(z: np.ndarray, spare: np.ndarray) -> None:
    """`mix` in place: arrays made anew for every step would cost more than the steps."""
    np.add(z, _STEP, out=z)
    for shift, factor in ((U64(30), _M1), (U64(27), _M2)):
        np.right_shift(z, shift, out=spare)
        np.bitwise_xor(z, spare, out=z)
        np.multiply(z, factor, out=z)
    np.right_shift(z, U64(31), out=spare)
    np.bitwise_xor(z, spare, out=z)


def _hash_lists(values: np.ndarray, offsets: np.ndarray, seed: np.uint64) -> np.ndarray:
    lengths = np.diff(offsets)
    total = mix(lengths.astype(U64) ^ seed ^ _M2)
    filled = lengths > 0
    if (lengths == 1).all():
        total += mix(values)
    elif filled.any():
        position = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
        mixed = mix(values ^ (position.astype(U64) * _M2))
        total[filled] += np.add.reduceat(mixed, offsets[:-1][filled])
    return mix(total)


def _hash_struct(array: pa.Array, seed: np.uint64) -> np.ndarray:
    total = np.full(len(array), seed ^ _M1, U64)
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
        return _hash_bytes(pc.cast(array, pa.string()), seed)
    return mix(numbers ^ seed)


def _wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _name_salt(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
