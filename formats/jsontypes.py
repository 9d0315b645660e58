"""One Arrow type for every value of a JSON column, or none when the values do not fit one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

Types = dict[str, pa.DataType | None]
"""A column's type so far; None = read it as text."""

WIDEST: Final = 256  # leaves: objects used as dictionaries would grow a column for every key
_EXACT: Final = float(2**53)


def canonical(value: Any) -> str | None:
    """A string as it is, null as null, anything else as canonical JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def types_of_table(table: pa.Table) -> Types:
    """Types Arrow inferred, dates taken back to text; integers beyond int64 are text as well."""
    types: Types = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        exact = not pa.types.is_floating(field.type) or not _beyond_exact(column)
        types[field.name] = _undated(field.type) if exact else None
    return types


def types_of_rows(rows: Iterable[dict[str, Any]]) -> Types:
    """Types of parsed rows, column by column; None where a column's values disagree."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    types: Types = {}
    for name, values in columns.items():
        try:
            types |= types_of_table(pa.table({name: pa.array(values)}))
        except (pa.ArrowException, OverflowError):
            types[name] = None
    return types


def merge(known: Types, found: Types) -> None:
    """Widen `known` by `found`: null to anything, integer to float, objects by their union."""
    for name, kind in found.items():
        if name not in known:
            known[name] = kind
            continue
        present = known[name]
        known[name] = None if present is None or kind is None else _union(present, kind)


def settled(types: Types) -> pa.Schema:
    """The schema to read with; a column always null is text, an object that is always empty is JSON."""
    fields = []
    for name, kind in types.items():
        if kind is None or _leaves(kind) > WIDEST or _holds_empty(kind):
            fields.append(pa.field(name, pa.string(), metadata={b"form": b"json"}))
        else:
            fields.append(pa.field(name, _without_null(kind)))
    return pa.schema(fields)


def _union(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if left == right:
        return left
    schemas = [pa.schema([("x", kind)]) for kind in (left, right)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _beyond_exact(column: pa.ChunkedArray) -> bool:
    finite = column.filter(pc.is_finite(column))
    largest = pc.max(pc.abs(finite)).as_py()
    return largest is not None and largest >= _EXACT


def _mapped(kind: pa.DataType, change: Any) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_mapped(kind.value_type, change))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _mapped(field.type, change)) for field in kind])
    return change(kind)


def _undated(kind: pa.DataType) -> pa.DataType:
    return _mapped(kind, lambda leaf: pa.string() if pa.types.is_temporal(leaf) else leaf)


def _without_null(kind: pa.DataType) -> pa.DataType:
    return _mapped(kind, lambda leaf: pa.string() if pa.types.is_null(leaf) else leaf)


def _leaves(kind: pa.DataType) -> int:
    if pa.types.is_list(kind):
        return _leaves(kind.value_type)
    return sum(_leaves(field.type) for field in kind) if pa.types.is_struct(kind) else 1


def _holds_empty(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _holds_empty(kind.value_type)
    if not pa.types.is_struct(kind):
        return False
    return kind.num_fields == 0 or any(_holds_empty(field.type) for field in kind)
