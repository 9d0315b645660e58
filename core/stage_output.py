"""What stages give back, held to what they declare: reasons, columns and their types, rows that failed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from . import ledger, secrets
from .errors import StageFailed
from .row import COLUMNS
from .stage import Stage


def as_reasons(reasons: Any, n: int, name: str) -> pa.Array:
    """Reasons as one string or dictionary array [n]; anything else is the stage's mistake."""
    array = reasons.combine_chunks() if isinstance(reasons, pa.ChunkedArray) else reasons
    if not isinstance(array, pa.Array) or len(array) != n:
        raise StageFailed(f"must give {n} reasons (null = keep)", place=name)
    return array if pa.types.is_dictionary(array.type) else array.cast(pa.string())


def new_columns(stage: Stage, name: str, columns: Any, n: int) -> pa.Table:
    """The columns a stage gave as a table [n] with their declared types and metadata."""
    declared = stage.columns_written()
    if n and set(columns) != {c.name for c in declared}:
        told = ", ".join(c.name for c in declared)
        raise StageFailed(f"gave {', '.join(sorted(columns)) or 'nothing'}; it declares {told}", place=name)
    arrays, fields = [], []
    for column in declared:
        array = columns.get(column.name, pa.nulls(0, column.type or pa.null()))
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        if not isinstance(array, pa.Array):
            array = pa.array(array, column.type)
        if len(array) != n:
            raise StageFailed(f"gave {len(array)} values of {column.name} for {n} rows", place=name)
        kind = column.type or COLUMNS.get(column.name) or array.type
        arrays.append(array if array.type == kind else array.cast(kind))
        fields.append(pa.field(column.name, kind, metadata=column.metadata(name)))
    return pa.table(arrays, schema=pa.schema(fields))


def set_column(table: pa.Table, name: str, values: Any, metadata: dict[bytes, bytes] | None = None) -> pa.Table:
    """The table with a column set, in place of one of the same name."""
    field = pa.field(name, values.type, metadata=metadata)
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), field, values)
    return table.append_column(field, values)


def column_type(name: str, declared: Any, schema: pa.Schema) -> pa.DataType:
    """The type a map's column has: declared, reserved, or that of the column it replaces."""
    if declared is not None and declared.type is not None:
        return declared.type
    if name in COLUMNS:
        return COLUMNS[name]
    if name in schema.names:
        return schema.field(name).type
    raise StageFailed(f"the column {name} has no declared type", hint="give its Column a type")


def failure_table(table: pa.Table, index: np.ndarray, rows: np.ndarray, errors: list[str]) -> pa.Table:
    """The rows that failed, with their errors, secrets taken out."""
    picked = table.select(["id", "place"]).take(pa.array(rows))
    columns = [pa.array(index[rows]), picked["id"], picked["place"], pa.array([secrets.redact(e) for e in errors])]
    return pa.table(columns, names=ledger.FAILED.names).cast(ledger.FAILED)
