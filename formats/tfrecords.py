"""TFRecord files as Arrow tables of one schema: framing, checksums, and what its rows hold; no tensorflow.

A record is its length (8 bytes), the length's checksum (4), its bytes, and their checksum (4), little-endian.
Two passes, as with JSON lines: `scan` finds a type that fits every row, `read` fills it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import pyarrow as pa

from ..core.errors import InputError
from .crc32c import checksums, crc32c
from .tf_examples import Feature, Seen, column, example, learn

BLOCK: Final = 8 << 20
"""Bytes of records that are checked together."""
_PEEK: Final = 64
_PEEK_BYTES: Final = 1 << 20
_MOST: Final = 1 << 31
_HEAD, _TAIL = 12, 4
_AGAIN: Final = "fetch the file again; nothing can be read beyond that place"


@final
@dataclass(frozen=True)
class Record:
    """A record as it stands in the file: its number from 1, its bytes, and the checksum told of them."""

    number: int
    data: bytes
    told: int


@final
@dataclass(frozen=True)
class Row:
    """A record: its number from 1, its features, and what is wrong with it; the latter is empty when nothing is."""

    number: int
    features: dict[str, Feature]
    fault: str = ""


def masked(checksum: int) -> int:
    """A checksum as TFRecord files keep it: rotated and moved, as they may be within records themselves."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def peek(path: Path, drop: bool) -> pa.Table:
    """The first rows, with the types that they alone suggest."""
    rows = next(_blocks(path, drop, _PEEK_BYTES), [])[:_PEEK]
    return _table(rows, _schema(rows, path, {}), drop=False)


def scan(path: Path, drop: bool) -> pa.Schema:
    """The schema that fits every row."""
    seen: dict[str, Seen | None] = {}
    for block in _blocks(path, drop, BLOCK):
        _schema(block, path, seen)
    return _schema([], path, seen)


def read(path: Path, schema: pa.Schema, drop: bool) -> Iterator[pa.Table]:
    """Tables with the columns of `schema` and, with `drop`, a column `read_error`."""
    for block in _blocks(path, drop, BLOCK):
        yield _table(block, schema, drop)


def _schema(rows: list[Row], path: Path, seen: dict[str, Seen | None]) -> pa.Schema:
    for row in rows:
        try:
            learn(seen, row.features)
        except InputError as error:
            raise InputError(error.cause, place=f"{path}, record {row.number}") from error
    return pa.schema([(name, kind.type() if kind else pa.string()) for name, kind in seen.items()])


def _table(rows: list[Row], schema: pa.Schema, drop: bool) -> pa.Table:
    features: list[Any] = [row.features for row in rows]
    columns = [column(features, field.name, field.type) for field in schema]
    if drop:
        schema = schema.append(pa.field("read_error", pa.string()))
        columns.append(pa.array([row.fault or None for row in rows], pa.string()))
    return pa.table(columns, schema=schema) if columns else pa.table({"_": pa.nulls(len(rows))}).select([])


def _blocks(path: Path, drop: bool, size: int) -> Iterator[list[Row]]:
    """Rows, about `size` bytes of them at once; a bad one keeps its place where `drop`, else is an InputError."""
    with pa.input_stream(str(path), compression="detect") as stream:
        records = _records(stream, path)
        while held := list(_upto(records, size)):
            sums = checksums([record.data for record in held])
            rows = [_row(record, masked(own)) for record, own in zip(held, sums, strict=True)]
            bad = next((row for row in rows if row.fault), None)
            if bad is not None and not drop:
                hint = "fetch the file again; read.rows and read.pairs go on without it with bad_lines: drop"
                raise InputError(bad.fault, place=f"{path}, record {bad.number}", hint=hint)
            yield rows


def _upto(records: Iterator[Record], size: int) -> Iterator[Record]:
    """Records until they are `size` bytes together."""
    held = 0
    for record in records:
        yield record
        held += len(record.data)
        if held >= size:
            return


def _row(record: Record, own: int) -> Row:
    if own != record.told:
        return Row(record.number, {}, "the bytes do not fit their checksum")
    try:
        return Row(record.number, example(record.data))
    except ValueError as error:
        return Row(record.number, {}, f"no tf.train.Example: {error}")


def _records(stream: Any, path: Path) -> Iterator[Record]:
    """What stands in the file; a length that is broken, or a record cut off, leaves nothing to go on with."""
    number = 0
    while head := stream.read(_HEAD):
        number += 1
        place = f"{path}, record {number}"
        if len(head) < _HEAD:
            raise InputError("the file ends within a record", place=place, hint=_AGAIN)
        length, told = struct.unpack("<QI", head)
        if masked(crc32c(head[:8])) != told or length > _MOST:
            raise InputError("no TFRecord: its length does not fit its checksum", place=place, hint=_AGAIN)
        body = stream.read(length + _TAIL)
        if len(body) < length + _TAIL:
            raise InputError(f"the file ends within a record of {length} bytes", place=place, hint=_AGAIN)
        yield Record(number, body[:length], int.from_bytes(body[length:], "little"))
