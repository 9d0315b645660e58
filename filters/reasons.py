"""From masks to reasons: what every gate and select gives back."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

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
    rank = np.empty(len(groups), np.int64)
    odd = (groups & groups.dtype.type(1)).astype(bool)

    def fill(half: np.ndarray) -> None:
        at = np.flatnonzero(half)
        rank[at] = _ranks(groups[at], value[at])

    with ThreadPoolExecutor(2) as pool:  # a group stands in one half as a whole, and sorting lets others run
        list(pool.map(fill, (odd, ~odd)))
    return rank


def _ranks(groups: np.ndarray, value: np.ndarray) -> np.ndarray:
    by_group = np.argsort(groups)  # unlike a stable sort it is vectorised; equal keys are put right below
    ordered = groups[by_group]
    code = np.cumsum(np.concatenate([[0], ordered[1:] != ordered[:-1]]))[: len(groups)]
    falling = -np.asarray(value[by_group], np.float64) + 0.0  # -0.0 is 0.0
    width = np.uint64(max(1, int(code.max(initial=0)).bit_length()))
    keys = code.astype(np.uint64) << (np.uint64(64) - width) | _ordinal(falling) >> width
    best = np.argsort(keys)
    alike = np.diff(keys[best]) == 0
    tied = np.flatnonzero(np.concatenate([alike, [False]]) | np.concatenate([[False], alike]))[: len(groups)]
    among = best[tied]
    best[tied] = among[np.lexsort((by_group[among], falling[among], keys[among]))]
    rank = np.empty(len(groups), np.int64)
    rank[by_group[best]] = np.arange(len(groups)) - run_starts(code[best])
    return rank


def _ordinal(values: np.ndarray) -> np.ndarray:
    """uint64 [n] in the order of float64 [n]; NaN comes last."""
    bits = np.where(np.isnan(values), np.nan, values).view(np.int64)
    return (bits ^ (bits >> 63 & np.int64(2**63 - 1))).view(np.uint64) ^ np.uint64(1 << 63)


def run_starts(ordered: np.ndarray) -> np.ndarray:
    """int64 [n]: where the run of equal neighbours that holds each place begins."""
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return np.maximum.accumulate(np.where(fresh, np.arange(len(ordered)), 0))
