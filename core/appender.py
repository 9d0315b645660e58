"""Parquet files of our own under construction."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

import pyarrow as pa
import pyarrow.parquet as pq

from .leaves import named_leaves, packings

GROUP_ROWS: Final = 65_536
GROUP_BYTES: Final = 64 << 20
_COUNTED: Final = ("pos", "place.row")  # they ascend: their differences take next to nothing


@final
class Appender:
    """A Parquet file under construction: rows go in, row groups of steady size come out."""

    def __init__(self, path: Path, schema: pa.Schema | None = None) -> None:
        self._path, self._schema, self._writer = path, schema, None
        self._held: list[pa.Table] = []
        self._rows = self._bytes = 0
        self.total = 0

    def add(self, table: pa.Table) -> None:
        """Append rows; all tables must have the first one's columns."""
        if self._schema is None:
            self._schema = table.schema
        if not table.num_rows:
            return
        if table.schema != self._schema:
            table = table.select(self._schema.names).cast(self._schema)
        self._held.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        self.total += table.num_rows
        while self._rows >= GROUP_ROWS:
            self._flush(GROUP_ROWS)
        if self._bytes >= GROUP_BYTES:
            self._flush(self._rows)

    def close(self) -> None:
        """Write what is held and the footer; an empty file still has its schema."""
        if self._rows:
            self._flush(self._rows)
        if self._writer is None and self._schema is not None:
            self._open()
        if self._writer is not None:
            self._writer.close()

    def _flush(self, rows: int) -> None:
        held = self._held[0] if len(self._held) == 1 else pa.concat_tables(self._held)
        group, rest = held.slice(0, rows), held.slice(rows)
        if self._writer is None:
            self._open()
        assert self._writer is not None
        self._writer.write_table(group.combine_chunks(), row_group_size=GROUP_ROWS)
        self._held = [rest] if rest.num_rows else []
        self._rows -= rows
        self._bytes = rest.nbytes if rest.num_rows else 0

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        assert self._schema is not None
        leaves = {name: "DELTA_BINARY_PACKED" for name in _COUNTED if name.split(".")[0] in self._schema.names}
        self._writer = pq.ParquetWriter(
            self._path, self._schema, compression=packings(self._schema), write_statistics=False,
            use_dictionary=named_leaves(self._schema), column_encoding=leaves,
        )  # fmt: skip
