"""The narrow view a `Fit` or `Select` has of the whole set: few columns, every row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import pyarrow as pa
import pyarrow.parquet as pq

from .row import flat


@final
class Narrow:
    """Narrow columns of every row in source order, kept in one Parquet file, or in memory where they are small.

    `table` and `column` give columns in memory; `sql` leaves a file on disk and lets DuckDB decide
    out of core, over a view `narrow` with the columns and `pos` (0 … n-1, source order).
    """

    def __init__(
        self, path: Path, rows: int, *, held: pa.Table | None = None, memory: str = "600MB", threads: int = 2
    ) -> None:
        self._path, self._rows, self._held, self._memory, self._threads = path, rows, held, memory, threads

    def __len__(self) -> int:
        return self._rows

    @property
    def names(self) -> tuple[str, ...]:
        """Columns present: what the stage reads (without missing optional ones) and `pos`."""
        return tuple((pq.read_schema(self._path) if self._held is None else self._held.schema).names)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """These columns (None = all), n rows, in memory."""
        if self._held is None:
            return pq.read_table(self._path, columns=list(columns) if columns is not None else None)
        return self._held if columns is None else self._held.select(list(columns))

    def column(self, name: str) -> pa.Array:
        """One column as a single array [n]."""
        return flat(self.table([name]).column(0))

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """The result of a DuckDB query over the view `narrow`; memory is limited, excess goes to disk."""
        import duckdb

        with duckdb.connect() as connection:
            connection.execute(f"SET memory_limit='{self._memory}'")
            connection.execute(f"SET threads={self._threads}")
            connection.execute("SET temp_directory=?", [str(self._path.parent / "spill")])
            if self._held is not None:
                connection.register("narrow", self._held)
            else:
                source = str(self._path).replace("'", "''")
                connection.execute(f"CREATE VIEW narrow AS SELECT * FROM read_parquet('{source}')")
            return connection.sql(query, params=list(parameters)).to_arrow_table()
