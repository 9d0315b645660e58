"""Content hashes of Arrow columns, vectorised: the same on every machine and for every batch.

Each 8-byte word of a value is mixed with its position (splitmix64) and the mixed words are
summed; the sum is mixed with the length. Not for adversaries: keys of paid calls use SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

U64 = np.uint64
_STEP: Final = U64(0x9E3779B97F4A7C15)
_M1: Final = U64(0xBF58476D1CE4E5B9)
_M2: Final = U64(0x94D049BB133111EB)
_NULL: Final = U64(0xD6E8FEB86659FD93)
_CHUNK: Final = 1 << 16  # words worked on at once: the scratch arrays stay in the cache
_TAIL_MASK: Final = np.array([(1 << (8 * k)) - 1 for k in range(8)] + [2**64 - 1], U64)


def hash_column(column: pa.Array | pa.ChunkedArray, seed: int = 0) -> np.ndarray:
    """uint64 [n]: equal values hash equal whatever their batch; null has a hash of its own."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        return np.concatenate([hash_column(chunk, seed) for chunk in array.chunks])
    return _hash(array, mix(np.array([seed], U64))[0])


def hash_rows(table: pa.Table, names: list[str], seed: int = 0) -> np.ndarray:
    """uint64 [n]: one hash a row over the named columns that are there; null columns count as absent."""
    total = np.full(table.num_rows, mix(np.array([seed + 1], U64))[0], U64)
    for name in names:
        if name in table.column_names:
            total += _share(table[name].combine_chunks(), name, partial(hash_column, seed=seed))
    return mix(total)


def mix(words: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser: a bijection of uint64 in which every input bit moves every output bit."""
    z = words + _STEP
    z = (z ^ (z >> U64(30))) * _M1
    z = (z ^ (z >> U64(27))) * _M2
    result: np.ndarray = z ^ (z >> U64(31))
    return result


def hex_ids(hashes: np.ndarray, occurrence: np.ndarray) -> pa.Array:
    """Row ids as strings: 16 hex characters of the hash; the k-th equal row (k > 0) ends in `-k`."""
    n = len(hashes)
    raw = hashes.astype(">u8").view(np.uint8).reshape(n, 8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.empty((n, 16), np.uint8)
    text[:, 0::2], text[:, 1::2] = digits[raw >> 4], digits[raw & 15]
    offsets = np.arange(0, 16 * (n + 1), 16, dtype=np.int32)
    ids = pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))
    again = occurrence > 0
    if not again.any():
        return ids
    suffix = pa.array(occurrence[again]).cast(pa.string())
    mask = pa.array(again)
    return pc.replace_with_mask(ids, mask, pc.binary_join_element_wise(ids.filter(mask), suffix, "-"))


@final
class Occurrences:
    """Numbers equal hashes in the order they come: 0 for the first, 1 for the second, …

    Sorted runs merged as a binary counter: 12 bytes a distinct hash, no per-row Python.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def number(self, hashes: np.ndarray) -> np.ndarray:
        """int64 [n]: how many equal hashes came before each, in this batch and all earlier ones."""
        if not len(hashes):
            return np.empty(0, np.int64)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        heads = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        counts = np.diff(np.concatenate([heads, [len(ordered)]]))
        unique = ordered[heads]
        before = np.zeros(len(unique), np.int64)
        for known, times in self._runs:
            at = np.minimum(np.searchsorted(known, unique), len(known) - 1)
            before += np.where(known[at] == unique, times[at], 0)
        rank = np.arange(len(ordered)) - np.repeat(heads, counts) + np.repeat(before, counts)
        self._add(unique, counts.astype(np.uint32))
        result = np.empty(len(hashes), np.int64)
        result[order] = rank
        return result

    def _add(self, unique: np.ndarray, counts: np.ndarray) -> None:
        while self._runs and len(self._runs[-1][0]) <= 2 * len(unique):
            known, times = self._runs.pop()
            merged = np.concatenate([known, unique])
            order = np.argsort(merged, kind="stable")
            merged, both = merged[order], np.concatenate([times, counts])[order]
            heads = np.flatnonzero(np.concatenate([[True], merged[1:] != merged[:-1]]))
            unique, counts = merged[heads], np.add.reduceat(both, heads).astype(np.uint32)
        self._runs.append((unique, counts))


def digest(*parts: str | bytes) -> str:
    """A short collision-safe name (32 hex characters of BLAKE2b) of the parts, order and bounds kept."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


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
    width = np.int64 if _wide(array.type) else np.int32
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, width)[array.offset : array.offset + n + 1].astype(np.int64)
    size = int(offsets[-1] - offsets[0])
    data = np.zeros(size + 8, np.uint8)  # padded, so that the last word may be read whole
    if size:
        data[:size] = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    words = np.ndarray((size + 1,), "<u8", data, 0, (1,))  # the word beginning at every byte
    total = mix(lengths.astype(U64) ^ seed)
    counts = (lengths + 7) >> 3
    bounds = np.concatenate([[0], np.cumsum(counts)])
    first = 0
    while first < n:  # rows [first, last) hold about _CHUNK words
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + _CHUNK, "right")) - 1)
        _add_words(total, words, starts, lengths, counts, bounds, first, last)
        first = last
    return mix(total)


def _add_words(
    total: np.ndarray, words: np.ndarray, starts: np.ndarray, lengths: np.ndarray, counts: np.ndarray,
    bounds: np.ndarray, first: int, last: int,
) -> None:  # fmt: skip
    count, base = counts[first:last], bounds[first]
    m = int(bounds[last] - base)
    if m == 0:
        return
    position = np.arange(m) - np.repeat(bounds[first:last] - base, count)
    picked = words[np.repeat(starts[first:last], count) + (position << 3)]
    filled = count > 0
    ends = (bounds[first + 1 : last + 1] - base - 1)[filled]
    picked[ends] &= _TAIL_MASK[lengths[first:last][filled] - ((count[filled] - 1) << 3)]
    picked = mix(picked ^ (position.astype(U64) * _M1))
    heads = (bounds[first:last] - base)[filled]
    total[first:last][filled] += np.add.reduceat(picked, heads)


def _hash_lists(values: np.ndarray, offsets: np.ndarray, seed: np.uint64) -> np.ndarray:
    lengths = np.diff(offsets)
    total = mix(lengths.astype(U64) ^ seed ^ _M2)
    filled = lengths > 0
    if filled.any():
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
