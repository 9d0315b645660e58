"""From masks to reasons: what every gate and select gives back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from ..core.errors import InputError
from ..core.row import flat

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)


def first_reasons(n: int, rules: Iterable[tuple[np.ndarray, str]]) -> pa.Array:
    """Strings [n]: the reason of the first rule whose mask [n] holds, null where none does."""
    code = np.zeros(n, np.int32)
    names: list[str | None] = [None]
    for mask, reason in rules:
        code[mask & (code == 0)] = len(names)
        names.append(reason)
    return pa.array(names, pa.string()).take(pa.array(code))


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
    best_first = np.argsort(-value, kind="stable")
    order = best_first[np.argsort(groups[best_first], kind="stable")]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - run_starts(groups[order])
    return rank


def run_starts(ordered: np.ndarray) -> np.ndarray:
    """int64 [n]: where the run of equal neighbours that holds each place begins."""
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return np.maximum.accumulate(np.where(fresh, np.arange(len(ordered)), 0))
