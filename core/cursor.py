"""Reading tables in step: dense and sparse cursors over stored batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .appender import GROUP_ROWS

READ_ROWS: Final = 16_384


@final
class Dense:
    """Tables holding every row, read forward n rows at a time."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._held, self._rows = tables, list[pa.Table](), 0

    def next(self, n: int) -> pa.Table:
        """The next n rows; fewer only at the end."""
        while self._rows < n:
            table = next(self._tables, None)
            if table is None:
                break
            self._held.append(table)
            self._rows += table.num_rows
        taken, parts = 0, list[pa.Table]()
        while self._held and (taken < n or not parts):
            table = self._held[0]
            part = table.slice(0, n - taken)
            parts.append(part)
            taken += part.num_rows
            if part.num_rows == table.num_rows:
                self._held.pop(0)
            else:
                self._held[0] = table.slice(part.num_rows)
                break
        self._rows -= taken
        if not parts:
            raise LookupError("the stored rows end early")
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts)


@final
class Sparse:
    """Tables holding some rows, each with its position `pos` (ascending), read up to a bound."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._rest = tables, pa.table({})

    def at(self, positions: np.ndarray, bound: int) -> pa.Table:
        """The rows at these ascending positions, all below `bound`; earlier ones are passed over."""
        parts = []
        while True:
            if self._rest.num_rows:
                pos = self._rest["pos"].to_numpy()
                cut = int(np.searchsorted(pos, bound))
                if cut:
                    parts.append(self._rest.slice(0, cut))
                self._rest = self._rest.slice(cut)
                if self._rest.num_rows:
                    break
            table = next(self._tables, None)
            if table is None:
                break
            self._rest = table
        if not parts:
            return self._rest.slice(0, 0)
        found = parts[0] if len(parts) == 1 else pa.concat_tables(parts)
        if found.num_rows == len(positions):
            return found
        return found.take(pa.array(np.searchsorted(found["pos"].to_numpy(), positions)))


def parquet_tables(path: Path, columns: Sequence[str] | None = None, size: int = GROUP_ROWS) -> Iterator[pa.Table]:
    """A Parquet file as tables of at most `size` rows, one row group in memory at a time."""
    # Without buffers of a fixed size a whole row group's pages of every column are held at once.
    # Batches do not reach over the end of a group: groups of images are small, and many would be held.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        names = list(columns) if columns is not None else None
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(min(size, READ_ROWS), row_groups=[group], columns=names):
                yield pa.Table.from_batches([batch])
