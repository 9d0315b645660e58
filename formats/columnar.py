"""Parquet, Arrow and Feather files as Arrow tables, a few row groups or batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

ROWS: Final = 65_536
BYTES: Final = 12 << 20
_PEEK: Final = 64


def peek_parquet(path: Path, drop: bool) -> pa.Table:
    """The first rows of a Parquet file."""
    with pq.ParquetFile(path) as file:
        first = next(file.iter_batches(batch_size=_PEEK), None)
        return pa.Table.from_batches([first]) if first is not None else file.schema_arrow.empty_table()


def scan_parquet(path: Path, drop: bool) -> pa.Schema:
    """The schema in the file's footer."""
    with pq.ParquetFile(path) as file:
        return file.schema_arrow


def read_parquet(path: Path, schema: pa.Schema, drop: bool) -> Iterator[pa.Table]:
    """Tables of at most `ROWS` rows and about `BYTES`, only the columns of `schema` decoded."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        names = [name for name in schema.names if name in file.schema_arrow.names]
        if not names:
            for group in range(file.num_row_groups):
                yield _counted(file.metadata.row_group(group).num_rows)
            return
        for group in range(file.num_row_groups):
            size = _step(file.metadata.row_group(group), set(names))
            # One thread: the reader has one of its own, and others work on what it has read before.
            for batch in file.iter_batches(batch_size=size, row_groups=[group], columns=names, use_threads=False):
                yield pa.Table.from_batches([batch])


def count_parquet(path: Path) -> int:
    """Rows by the file's footer."""
    with pq.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def peek_arrow(path: Path, drop: bool) -> pa.Table:
    """The first rows of an Arrow file or stream."""
    with _arrow(path) as (schema, batches):
        first = next(batches, None)
        return pa.Table.from_batches([first.slice(0, _PEEK)]) if first is not None else schema.empty_table()


def scan_arrow(path: Path, drop: bool) -> pa.Schema:
    """The schema at the head of the file."""
    with _arrow(path) as (schema, _):
        return schema


def read_arrow(path: Path, schema: pa.Schema, drop: bool) -> Iterator[pa.Table]:
    """Tables of at most `ROWS` rows, memory-mapped: columns that are not asked for are not touched."""
    with _arrow(path) as (present, batches):
        names = [name for name in schema.names if name in present.names]
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS):
                piece = batch.slice(start, ROWS)
                yield pa.Table.from_batches([piece.select(names)]) if names else _counted(piece.num_rows)


def count_arrow(path: Path) -> int:
    """Rows by the heads of the file's batches."""
    with _arrow(path) as (_, batches):
        return sum(batch.num_rows for batch in batches)


@contextmanager
def _arrow(path: Path) -> Iterator[tuple[pa.Schema, Iterator[Any]]]:
    with pa.memory_map(str(path)) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        if is_file:
            file = ipc.open_file(source)
            yield file.schema, (file.get_batch(index) for index in range(file.num_record_batches))
        else:
            stream = ipc.open_stream(source)
            yield stream.schema, iter(stream)


def _step(group: pq.RowGroupMetaData, names: set[str]) -> int:
    """Rows a table: fewer where rows are large, as with images."""
    columns = (group.column(index) for index in range(group.num_columns))
    wanted = (column for column in columns if column.path_in_schema.split(".")[0] in names)
    size: int = sum(column.total_uncompressed_size for column in wanted)
    return max(1, min(ROWS, BYTES * int(group.num_rows) // max(size, 1)))


def _counted(rows: int) -> pa.Table:
    """A table of `rows` rows and no columns."""
    return pa.table({"rows": pa.nulls(rows)}).select([])
