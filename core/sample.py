"""A sample of a level's rows, kept as they pass: what a report shows of a set too large to read again."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .byte_hashing import U64, mix

LARGE: Final = 200_000
"""Rows of a level above which a sample of it is kept."""
MOST_ROWS: Final = 1 << 16
MOST_BYTES: Final = 64 << 20


@final
class Sample:
    """Rows whose content hash, mixed once more, lies below a bound that halves when they grow too many.

    Which rows these are depends on their content alone, not on how they came: 32,768 to 65,536 of a
    large level, fewer where rows are large; equal rows are all in or all out.
    """

    def __init__(self) -> None:
        self._held: list[pa.Table] = []
        self._keys = np.empty(0, np.uint64)
        self._halvings = self._bytes = 0

    def add(self, first: int, system: pa.Table, content: pa.Table) -> None:
        """Look at rows of the level from position `first` on: system and content columns, both [n]."""
        keys = mix(system["content_hash"].to_numpy())
        chosen = np.flatnonzero(keys <= self._bound())
        if not len(chosen):
            return
        whole = pa.table([*system.columns, *content.columns], names=[*system.column_names, *content.column_names])
        taken = whole.take(pa.array(chosen)).add_column(0, "pos", pa.array(chosen + first))
        self._held.append(taken)
        self._keys = np.concatenate([self._keys, keys[chosen]])
        self._bytes += taken.nbytes
        while (len(self._keys) > MOST_ROWS or self._bytes > MOST_BYTES) and self._halvings < 64:
            self._halve()

    def write(self, path: Path) -> None:
        """One Parquet file, by position, if there is any row."""
        if self._held:
            pq.write_table(pa.concat_tables(self._held), path, compression="lz4", write_statistics=False)

    def _halve(self) -> None:
        self._halvings += 1
        left = self._keys <= self._bound()
        held = pa.concat_tables(self._held).filter(pa.array(left))
        self._held, self._keys, self._bytes = [held], self._keys[left], held.nbytes

    def _bound(self) -> np.uint64:
        return U64((1 << (64 - self._halvings)) - 1)
