"""One schema for tables that were typed apart, and tables brought to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ..core.errors import InputError


def joined(schemas: Sequence[pa.Schema], files: Sequence[Path], typed: bool) -> pa.Schema:
    """One schema for all files in plain types; where types do not meet, text if the format has no types.

    Raises InputError naming the column and the first file that differs.
    """
    merged: dict[str, pa.Field] = {}
    for schema, file in zip(schemas, files, strict=False):
        for field in schema:
            form = {key: value for key, value in (field.metadata or {}).items() if key == b"form"}
            mine = pa.field(field.name, plain(field.type), metadata=form or None)
            present = merged.get(field.name)
            merged[field.name] = mine if present is None else _met(present, mine, file, typed)
    return pa.schema(list(merged.values()))


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly these columns and types; a column that it lacks is null."""
    if table.schema.equals(schema, check_metadata=True):
        return table
    if not len(schema):
        return table.select([])
    columns = []
    for field in schema:
        if field.name in table.column_names:
            column = table[field.name]
            columns.append(column if column.type == field.type else column.cast(field.type))
        else:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
    return pa.table(columns, schema=schema)


def plain(kind: pa.DataType) -> pa.DataType:
    """The simplest type of the same values: no large, view, dictionary, null or extension types."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, plain(field.type)) for field in kind])
    return kind


def as_text(field: pa.Field) -> pa.Field:
    """The field to ask for when a scalar column's text is wanted, digits and all."""
    if pa.types.is_nested(field.type) or pa.types.is_binary(field.type) or pa.types.is_string(field.type):
        return field
    return _text_field(field.name)


def _met(left: pa.Field, right: pa.Field, file: Path, typed: bool) -> pa.Field:
    if b"form" in {**(left.metadata or {}), **(right.metadata or {})}:
        return _text_field(left.name)
    try:
        pair = [pa.schema([left]), pa.schema([right])]
        return pa.unify_schemas(pair, promote_options="permissive").field(0)
    except pa.ArrowException as error:
        if not typed:
            return _text_field(left.name)
        cause = f"column {left.name} is {right.type} here and {left.type} in earlier files"
        hint = "read the files by themselves, or make the types agree"
        raise InputError(cause, place=str(file), hint=hint) from error


def _text_field(name: str) -> pa.Field:
    return pa.field(name, pa.string(), metadata={b"form": b"json"})
