"""Row ids: the hash of a row's content and how many equal rows came before it."""

from __future__ import annotations

from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .byte_hashing import U64

_SEEN_BITS: Final = 28
_RUNS: Final = 4


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

    A bit for every value that the first 28 bits may have tells most hashes to be new; the others are
    counted in sorted runs, merged by fours. 8 bytes a hash and 32 MiB, no per-row Python.
    """

    def __init__(self) -> None:
        self._bits = np.zeros(1 << (_SEEN_BITS - 3), np.uint8)
        self._runs: list[list[np.ndarray]] = []

    def number(self, hashes: np.ndarray) -> np.ndarray:
        """int64 [n]: how many equal hashes came before each, in this batch and all earlier ones."""
        if not len(hashes):
            return np.empty(0, np.int64)
        ordered = np.sort(hashes)
        rank = np.zeros(len(hashes), np.int64)
        if (ordered[1:] == ordered[:-1]).any():
            rank = _rank_among_equals(hashes)
        known = np.flatnonzero(self._seen(hashes))
        if len(known):
            rank[known] += self._count(hashes[known])
        self._mark(ordered)
        self._add(ordered)
        return rank

    def _seen(self, hashes: np.ndarray) -> np.ndarray:
        """False where no equal hash came before."""
        first = hashes >> U64(64 - _SEEN_BITS)
        seen: np.ndarray = (self._bits[(first >> U64(3)).astype(np.int64)] >> (first & U64(7)).astype(np.uint8)) & 1
        return seen

    def _mark(self, ordered: np.ndarray) -> None:
        """Set the bits of sorted hashes; those of one byte are joined first, so that each is written once."""
        first = ordered >> U64(64 - _SEEN_BITS)
        at, bits = (first >> U64(3)).astype(np.int64), np.uint8(1) << (first & U64(7)).astype(np.uint8)
        heads = np.flatnonzero(np.diff(at, prepend=~at[:1]))
        self._bits[at[heads]] |= np.bitwise_or.reduceat(bits, heads)

    def _count(self, hashes: np.ndarray) -> np.ndarray:
        order = np.argsort(hashes)
        ordered = hashes[order]
        counts = np.zeros(len(hashes), np.int64)
        for run in (run for level in self._runs for run in level):
            first = np.searchsorted(run, ordered)
            found = np.flatnonzero(run[np.minimum(first, len(run) - 1)] == ordered)
            counts[found] += np.searchsorted(run, ordered[found], "right") - first[found]
        result = np.empty_like(counts)
        result[order] = counts
        return result

    def _add(self, run: np.ndarray) -> None:
        for level in self._runs:
            level.append(run)
            if len(level) < _RUNS:
                return
            run = np.sort(np.concatenate(level), kind="stable")  # merges runs: a sixth of what sorting anew takes
            level.clear()
        self._runs.append([run])


def _rank_among_equals(hashes: np.ndarray) -> np.ndarray:
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    heads = np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))
    rank = np.empty(len(hashes), np.int64)
    rank[order] = np.arange(len(ordered)) - np.repeat(heads, np.diff(heads, append=len(ordered)))
    return rank
