"""From masks to reasons: what every gate and select gives back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from ..core.byte_hashing import mix
from ..core.errors import InputError
from ..core.row import flat

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)


def first_reasons(n: int, rules: Iterable[tuple[np.ndarray, str]]) -> pa.Array:
    """Strings [n], dictionary-encoded: the reason of the first rule whose mask [n] holds, null where none does."""
    code = np.zeros(n, np.int32)
    names: list[str] = []
    for mask, reason in rules:
        names.append(reason)
        code[mask & (code == 0)] = len(names)
    return pa.DictionaryArray.from_arrays(pa.array(code - 1, mask=code == 0), pa.array(names, pa.string()))


def numpy_of(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A column without nulls as one NumPy array [n]; booleans too."""
    array = flat(column)
    values: np.ndarray = array.to_numpy(zero_copy_only=False)
    return values


def floats(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Numbers as float64 [n]; null becomes NaN. InputError for a column of anything else."""
    kind = column.type
    if not any(test(kind) for test in _NUMBERS):
        raise InputError(f"a column of {str(kind)[:60]} holds no numbers", hint="name a score or a margin")
    return numpy_of(column.cast(pa.float64()))


def codes(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """int64 [n]: equal values share a code, numbered by first appearance; null is a value."""
    array = flat(column)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    return numpy_of(encoded.indices.fill_null(len(encoded.dictionary))).astype(np.int64, copy=False)


def rank_within(groups: np.ndarray, value: np.ndarray) -> np.ndarray:
    """int64 [n]: 0 for the largest value of its group; equal values rank by position."""
    order, code = together(mix(groups.astype(np.uint64, copy=False)))
    falling = _ordinal(-np.asarray(value[order], np.float64) + 0.0)  # -0.0 is 0.0
    width = np.uint64(int(code[-1:].max(initial=0)).bit_length() or 1)
    keys = code.astype(np.uint64) << (np.uint64(64) - width) | falling >> width
    best = np.argsort(keys, kind="stable")  # groups stand together already: nothing moves far
    keys, ranked = keys[best], falling[best]
    if ((keys[1:] == keys[:-1]) & (ranked[1:] != ranked[:-1])).any():  # they differ in bits that the keys lack
        best = np.lexsort((falling, code))
    rank = np.empty(len(groups), np.int64)
    rank[order[best]] = np.arange(len(groups)) - run_starts(code)
    return rank


def together(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n] twice: an order in which equal hashes stand together, by position, and their numbers in it.

    Sorting the upper bits of a hash with the position below them takes half as long as an argsort.
    """
    low = np.uint64(max(1, len(hashes) - 1).bit_length())
    packed = np.sort(hashes >> low << low | np.arange(len(hashes), dtype=np.uint64))
    order = (packed & ((np.uint64(1) << low) - np.uint64(1))).view(np.int64)
    upper, ordered = packed >> low, hashes[order]
    mixed = np.flatnonzero((upper[1:] == upper[:-1]) & (ordered[1:] != ordered[:-1]))
    if len(mixed):  # two hashes with the same upper bits
        rows = np.flatnonzero(np.isin(upper, upper[mixed]))
        order[rows] = order[rows][np.argsort(ordered[rows], kind="stable")]
        ordered = hashes[order]
    return order, np.cumsum(np.concatenate([[False], ordered[1:] != ordered[:-1]]))[: len(hashes)]


def _ordinal(values: np.ndarray) -> np.ndarray:
    """uint64 [n] in the order of float64 [n]; NaN comes last."""
    bits = np.where(np.isnan(values), np.nan, values).view(np.int64)
    return (bits ^ (bits >> 63 & np.int64(2**63 - 1))).view(np.uint64) ^ np.uint64(1 << 63)


def run_starts(ordered: np.ndarray) -> np.ndarray:
    """int64 [n]: where the run of equal neighbours that holds each place begins."""
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return np.maximum.accumulate(np.where(fresh, np.arange(len(ordered)), 0))
