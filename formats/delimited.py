"""CSV and TSV files as Arrow tables: read as text, and given a type only where nothing is lost."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from ..core.errors import InputError

BLOCK: Final = 16 << 20
_NUMBER: Final = r"^-?\d+(\.\d+)?([eE][-+]?\d+)?$"
_TRUTHS: Final = ["true", "false", "True", "False", "TRUE", "FALSE"]


def peek(path: Path, drop: bool) -> pa.Table:
    """The first block's rows, with the types that they alone suggest."""
    for table in _texts(path, drop, []):
        table = table.slice(0, 4096)
        schema = _schema(_narrowed({}, table))
        return pa.table([_typed(table[field.name], field.type) for field in schema], schema=schema)
    return pa.schema([]).empty_table()


def scan(path: Path, drop: bool) -> pa.Schema:
    """int64, float64 or bool where every value is one and its text would come back, else string."""
    kinds: dict[str, list[pa.DataType]] = {}
    for table in _texts(path, drop, []):
        _narrowed(kinds, table)
    return _schema(kinds)


def read(path: Path, schema: pa.Schema, drop: bool) -> Iterator[pa.Table]:
    """Tables with the columns of `schema`; with `drop`, malformed lines are null rows with a `read_error`."""
    bad: list[str] = []
    for table in _texts(path, drop, bad):
        mine = pa.schema([field for field in schema if field.name in table.column_names])
        columns = [_typed(table[field.name], field.type) for field in mine]
        typed = pa.table(columns, schema=mine) if columns else table.select([])
        yield _with_bad(typed, table.num_rows, bad) if drop else typed
        bad.clear()


def _texts(path: Path, drop: bool, bad: list[str]) -> Iterator[pa.Table]:
    faults: list[Any] = []
    names = _header(path)
    conversion = pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    with pa.input_stream(str(path), compression="detect") as stream:
        for batch in pv.open_csv(stream, _reading(), _parsing(path, faults), conversion):
            _count(faults, bad, drop, path)
            yield pa.Table.from_batches([batch])
        if faults:  # nothing sound stood behind them
            _count(faults, bad, drop, path)
            yield pa.schema([(name, pa.string()) for name in names]).empty_table()


def _count(faults: list[Any], bad: list[str], drop: bool, path: Path) -> None:
    if faults and not drop:
        cause = f"{faults[0].actual_columns} fields where the header has {faults[0].expected_columns}"
        hint = "quote fields that hold the delimiter, or go on with bad_lines: drop"
        raise InputError(cause, place=f"{path}:{faults[0].number}", hint=hint)
    bad += ["wrong number of fields"] * len(faults)
    faults.clear()


def _reading() -> pv.ReadOptions:
    return pv.ReadOptions(use_threads=False, block_size=BLOCK)


def _parsing(path: Path, faults: list[Any]) -> pv.ParseOptions:
    """Malformed lines are entered in `faults`: an exception cannot leave the handler."""

    def note(row: Any) -> str:
        faults.append(row)
        return "skip"

    delimiter = "\t" if ".tsv" in path.suffixes else ","
    return pv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note)


def _header(path: Path) -> list[str]:
    with pa.input_stream(str(path), compression="detect") as stream:
        _check_text(stream.read(1 << 16), path)
    with pa.input_stream(str(path), compression="detect") as stream:
        names: list[str] = pv.open_csv(stream, _reading(), _parsing(path, [])).schema.names
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise InputError(f"the header names a column twice: {', '.join(double)}", place=str(path))
    return names


def _check_text(head: bytes, path: Path) -> None:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", place=str(path), hint="save it as UTF-8") from error


def _narrowed(kinds: dict[str, list[pa.DataType]], table: pa.Table) -> dict[str, list[pa.DataType]]:
    """Strike out, column by column, the types that some value is not."""
    for name in table.column_names:
        left = kinds.setdefault(name, [pa.int64(), pa.float64(), pa.bool_()])
        filled = table[name].filter(pc.not_equal(table[name], ""))
        kinds[name] = [kind for kind in left if len(filled) == 0 or _fits(filled, kind)]
    return kinds


def _schema(kinds: dict[str, list[pa.DataType]]) -> pa.Schema:
    """A column without any value keeps all three types open: it is text."""
    return pa.schema([(name, left[0] if 0 < len(left) < 3 else pa.string()) for name, left in kinds.items()])


def _fits(values: pa.ChunkedArray, kind: pa.DataType) -> bool:
    if pa.types.is_boolean(kind):
        return bool(pc.all(pc.is_in(values, pa.array(_TRUTHS))).as_py())
    if not pc.all(pc.match_substring_regex(values, _NUMBER)).as_py():
        return False
    if pa.types.is_floating(kind):
        leading = pc.any(pc.match_substring_regex(values, r"^-?0\d")).as_py()
        return not leading
    try:
        return bool(values.cast(kind).cast(pa.string()).equals(values))
    except pa.ArrowInvalid:
        return False


def _typed(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_string(kind):
        return values
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values).cast(kind)


def _with_bad(table: pa.Table, rows: int, bad: list[str]) -> pa.Table:
    reasons = pa.array([None] * rows + bad, pa.string())
    if not table.num_columns:
        return pa.table({"read_error": reasons})
    nulls = pa.table([pa.nulls(len(bad), field.type) for field in table.schema], schema=table.schema)
    return pa.concat_tables([table, nulls]).append_column("read_error", reasons)
