"""JSON lines (and JSON arrays) as Arrow tables of one schema, in blocks of bounded size.

Two passes: `scan` finds a type that fits every line, `read` parses with it. A column whose values
do not fit one type (a string here, a list there) is read as text: strings stay themselves, all else
becomes canonical JSON, and its field carries the metadata `form: json`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from ..core.errors import InputError
from .jsonblocks import Block, blocks, mended, sound
from .jsontypes import Types, canonical, merge, settled, types_of_rows, types_of_table

BLOCK: Final = 8 << 20
PEEK: Final = 1 << 20
_UNFIT: Final = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def peek(path: Path, drop: bool) -> pa.Table:
    """The first rows, with the types that they alone suggest."""
    types: Types = {}
    for data, line in blocks(path, PEEK):
        block = _learn(types, data, line, path, drop)
        schema = settled(types)
        return _with_texts(_arrow(block, _plain(schema)), block, schema, path)
    return settled({}).empty_table()


def scan(path: Path, drop: bool) -> pa.Schema:
    """The schema that fits every line of the file."""
    types: Types = {}
    for data, line in blocks(path, BLOCK):
        _learn(types, data, line, path, drop)
    return settled(types)


def read(path: Path, schema: pa.Schema, drop: bool) -> Iterator[pa.Table]:
    """Tables with the columns of `schema` and, with `drop`, a column `read_error`."""
    for data, line in blocks(path, BLOCK):
        try:
            block, table = _parsed(data, _plain(schema), line, path, drop)
        except _UNFIT as error:
            cause = f"the file changed while it was read: {error}"
            raise InputError(cause, place=str(path)) from error
        table = _with_texts(table, block, schema, path)
        yield _with_bad(table, block) if drop else table


def count(path: Path) -> int:
    """Lines that are not blank, or the elements of an array."""
    return sum(bool(line.strip()) for data, _ in blocks(path, BLOCK) for line in data.split(b"\n"))


def _learn(types: Types, data: bytes, line: int, path: Path, drop: bool) -> Block:
    try:
        block, table = _parsed(data, None, line, path, drop)
        merge(types, types_of_table(table))
    except _UNFIT:  # sound lines whose types disagree
        block = mended(data, line, path, drop)
        merge(types, types_of_rows(_objects(block.data, path)))
    return block


def _parsed(data: bytes, schema: pa.Schema | None, line: int, path: Path, drop: bool) -> tuple[Block, pa.Table]:
    """The lines as a table: as they are when they are sound, else what can be saved of them."""
    block = sound(data)
    if block is not None:
        with contextlib.suppress(*_UNFIT):  # what is wrong, and on which line, is found below
            table = _arrow(block, schema)
            if table.num_rows == block.rows:
                return block, table
    block = mended(data, line, path, drop)
    return block, _arrow(block, schema)


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if not _as_text(field)])


def _with_texts(table: pa.Table, block: Block, schema: pa.Schema, path: Path) -> pa.Table:
    """The parsed columns and those read as text, in the schema's order."""
    texts = [field.name for field in schema if _as_text(field)]
    if texts:
        found: dict[str, list[str | None]] = {name: [] for name in texts}
        for row in _objects(block.data, path):
            for name, values in found.items():
                values.append(canonical(row.get(name)))
        columns = {name: pa.chunked_array([pa.array(found[name], pa.string())]) for name in texts}
        columns |= dict(zip(table.column_names, table.columns, strict=True))
        return pa.table([columns[name] for name in schema.names], schema=schema)
    return table.select(schema.names).cast(schema) if len(schema) else table


def _arrow(block: Block, schema: pa.Schema | None) -> pa.Table:
    if not block.data or block.data.isspace():
        return (schema or pa.schema([])).empty_table()
    # types found in pieces are not always brought together: without a schema the block is one piece
    piece = len(block.data) if schema is None else max(PEEK, block.longest)
    options = pj.ReadOptions(block_size=piece + 1, use_threads=True)
    behaviour = "infer" if schema is None else "ignore"
    parsing = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=behaviour)
    return pj.read_json(pa.BufferReader(block.data), options, parsing)


def _objects(data: bytes, path: Path) -> Iterator[dict[str, Any]]:
    for text in data.split(b"\n"):
        if text.strip():
            try:
                yield json.loads(text)
            except ValueError as error:
                raise InputError(f"not valid JSON: {error}", place=str(path)) from error


def _with_bad(table: pa.Table, block: Block) -> pa.Table:
    """Null rows where bad lines stood, and the column `read_error`."""
    good = np.ones(block.rows, bool)
    good[list(block.bad)] = False
    if block.bad and table.num_columns:
        table = table.take(pa.array(np.cumsum(good) - 1, mask=~good))
    reasons = pa.array([block.bad.get(row) for row in range(block.rows)], pa.string())
    return table.append_column("read_error", reasons) if table.num_columns else pa.table({"read_error": reasons})


def _as_text(field: pa.Field) -> bool:
    return (field.metadata or {}).get(b"form") == b"json"
