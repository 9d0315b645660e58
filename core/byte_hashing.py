"""Machine words and strings hashed: a mixing function, and one hash a string from all its words at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

U64 = np.uint64
M1: Final = U64(0xBF58476D1CE4E5B9)
M2: Final = U64(0x94D049BB133111EB)
_STEP: Final = U64(0x9E3779B97F4A7C15)
_BASE: Final = 0x9E3779B97F4A7C15  # of the polynomial; odd, so that its powers have inverses
_INVERSE: Final = pow(_BASE, -1, 1 << 64)
_CHUNK: Final = 1 << 15  # words worked on at once: scratch arrays stay in the cache, threads seldom meet
_MOST_BYTES: Final = (1 << 31) - 1  # of one array with 32-bit offsets


def mix(words: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser: a bijection of uint64 in which every input bit moves every output bit."""
    z = words + _STEP
    z = (z ^ (z >> U64(30))) * M1
    z = (z ^ (z >> U64(27))) * M2
    result: np.ndarray = z ^ (z >> U64(31))
    return result


def hash_bytes(array: pa.Array, seed: np.uint64) -> np.ndarray:
    """uint64 [n] of strings or binary values; what stands under a null is hashed as if it were there."""
    n = len(array)
    if n == 0:
        return np.empty(0, U64)
    offsets = offsets_of(array)
    if n > 1 and int(offsets[-1] - offsets[0]) + 8 * n > _MOST_BYTES:
        halves = (array.slice(0, n // 2), array.slice(n // 2))
        return np.concatenate([hash_bytes(half, seed) for half in halves])
    if n > 1 and not array.null_count and _constant(array, offsets):
        return np.repeat(hash_bytes(array.slice(0, 1), seed), n)
    total = mix(np.diff(offsets).astype(U64) ^ seed)
    padded = _padded(array, offsets)
    bounds = offsets_of(padded).astype(np.int64) >> 3
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


def offsets_of(array: pa.Array) -> np.ndarray:
    """int32 or int64 [n + 1]: where the strings or binary values begin and end in their bytes; of n ≥ 1."""
    buffer = np.frombuffer(array.buffers()[1], np.int64 if wide(array.type) else np.int32)
    return buffer[array.offset : array.offset + len(array) + 1]


def _add_words(total: np.ndarray, words: np.ndarray, bounds: np.ndarray) -> None:
    """Add Σ s(word) · base^place to each row's total, place counted within the row, which has words[bounds[i]
    : bounds[i + 1]]; s is a bijection. The places of a chunk serve all its rows: the sum of one that begins at
    place p is divided by base^p.
    """
    filled = np.flatnonzero(bounds[1:] > bounds[:-1])
    heads, ends = bounds[filled], bounds[filled + 1]
    longest = max(_CHUNK, int((ends - heads).max()))
    made = _kept_powers if longest == _CHUNK else _powers
    powers, inverses = made(_BASE, longest), made(_INVERSE, longest)
    scrambled, scratch = np.empty(longest, U64), np.empty(longest, U64)
    first = 0
    while first < len(filled):  # rows [first, last) hold about _CHUNK words
        last = max(first + 1, int(np.searchsorted(ends, heads[first] + _CHUNK, "right")))
        start, stop = int(heads[first]), int(ends[last - 1])
        places = heads[first:last] - start
        z, spare = scrambled[: stop - start], scratch[: stop - start]
        np.multiply(words[start:stop], M1, out=z)
        np.bitwise_xor(z, np.right_shift(z, U64(32), out=spare), out=z)
        np.multiply(z, M2, out=z)
        np.bitwise_xor(z, np.right_shift(z, U64(29), out=spare), out=z)
        np.multiply(z, powers[: stop - start], out=z)
        total[filled[first:last]] += np.add.reduceat(z, places) * inverses[places]
        first = last


def _powers(base: int, n: int) -> np.ndarray:
    """uint64 [n]: base^0 … base^(n - 1), modulo 2^64."""
    factors = np.full(n, base, U64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


_kept_powers: Final = lru_cache(maxsize=2)(_powers)


def wide(kind: pa.DataType) -> bool:
    """True of strings and binary values with 64-bit offsets."""
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))
