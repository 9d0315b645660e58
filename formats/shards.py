"""Parquet shards of one split, byte-identical for equal rows however they arrive, published whole.

Rows are cut into blocks of a fixed number of rows, blocks into row groups bounded in rows and
bytes, row groups into files: every cut depends on the rows alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..core.byte_hashing import offsets_of
from ..core.errors import InputError
from ..core.leaves import repetitive_leaves
from .features import has_images

GROUP_ROWS: Final = 10_000
GROUP_BYTES: Final = 64 << 20
BLOCK_ROWS: Final = 1_000
IMAGE_BLOCK_ROWS: Final = 100
_VARYING: Final = (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_large_binary)


@final
@dataclass(frozen=True)
class Shard:
    """A finished file: its rows, bytes and SHA-256 (hex)."""

    file: str
    rows: int
    bytes: int
    sha256: str


@final
class Shards:
    """Files of one split under construction in `folder`; `add` tables, `close`, read `shards`."""

    def __init__(self, folder: Path, split: str, schema: pa.Schema, *, file_rows: int | None, file_bytes: int,
                 compression: str) -> None:  # fmt: skip
        self._folder, self._split, self._schema = folder, split, schema
        self._file_rows, self._file_bytes, self._compression = file_rows, file_bytes, compression
        self._block_rows = IMAGE_BLOCK_ROWS if has_images(schema) else BLOCK_ROWS
        self._held = pa.table([pa.chunked_array([], field.type) for field in schema], schema=schema)
        self._group_rows = self._group_bytes = 0  # how much of what is held is in the group begun
        self._writer: pq.ParquetWriter | None = None
        self._stream: pa.NativeFile | None = None
        self._rows_in_file: list[int] = []
        self._sealer = ThreadPoolExecutor(1)
        self._sealed: list[Future[tuple[int, str]]] = []

    def add(self, table: pa.Table) -> None:
        """Append rows; the table must have the schema's columns."""
        if table.num_rows:
            self._held = pa.concat_tables([self._held, table]) if self._held.num_rows else table
            self._cut(last=False)

    def close(self) -> list[Shard]:
        """Write what is held and give the files their final names; no rows make one empty file."""
        self._cut(last=True)
        self._flush()
        if not self._rows_in_file:
            self._open()
        self._finish_file()
        self._sealer.shutdown()
        total = len(self._rows_in_file)
        shards = []
        for number, (rows, sealed) in enumerate(zip(self._rows_in_file, self._sealed, strict=True)):
            name = f"{self._split}-{number:05d}-of-{total:05d}.parquet"
            self._path(number).rename(self._folder / name)
            shards.append(Shard(name, rows, *sealed.result()))
        return shards

    def abandon(self) -> None:
        """Let go of open files after a failure; nothing is published."""
        if self._writer is not None:
            self._writer.close()
        self._sealer.shutdown()

    def _cut(self, *, last: bool) -> None:
        while (left := self._held.num_rows - self._group_rows) >= self._block_rows or (last and left):
            block = self._held.slice(self._group_rows, min(self._block_rows, self._room()))
            size = sum(_payload(chunk) for column in block.columns for chunk in column.chunks)
            if self._group_rows and self._group_bytes + size > GROUP_BYTES:
                self._flush()
            self._group_rows += block.num_rows
            self._group_bytes += size
            if self._group_rows >= GROUP_ROWS or not self._room():
                self._flush()

    def _room(self) -> int:
        if self._file_rows is None:
            return GROUP_ROWS
        written = self._rows_in_file[-1] if self._writer is not None else 0
        return self._file_rows - written - self._group_rows

    def _flush(self) -> None:
        if not self._group_rows:
            return
        if self._writer is None:
            self._open()
        assert self._writer is not None and self._stream is not None
        group = self._held.slice(0, self._group_rows)
        self._held = self._held.slice(self._group_rows)
        if any(column.num_chunks > 1 for column in group.columns):
            group = group.combine_chunks()
        self._writer.write_table(group, row_group_size=GROUP_ROWS)
        self._rows_in_file[-1] += group.num_rows
        self._group_rows = self._group_bytes = 0
        if self._stream.tell() >= self._file_bytes or self._rows_in_file[-1] == self._file_rows:
            self._finish_file()

    def _open(self) -> None:
        self._rows_in_file.append(0)
        self._stream = pa.OSFile(str(self._path(len(self._rows_in_file) - 1)), "wb")
        self._writer = pq.ParquetWriter(
            self._stream, self._schema, compression=self._compression, write_statistics=False,
            use_dictionary=repetitive_leaves(self._schema),
        )  # fmt: skip

    def _finish_file(self) -> None:
        if self._writer is None or self._stream is None:
            return
        self._writer.close()
        self._stream.close()
        self._writer = self._stream = None
        self._sealed.append(self._sealer.submit(_seal, self._path(len(self._rows_in_file) - 1)))

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._split}-{number:05d}.writing"


def staging(target: Path) -> Path:
    """An empty folder beside `target` to write in; refuses a target holding foreign files."""
    foreign = [p.name for p in target.iterdir() if p.suffix != ".parquet"] if target.is_dir() else []
    if foreign or (target.exists() and not target.is_dir()):
        what = f"it holds {foreign[0]}" if foreign else "it is a file"
        raise InputError(f"will not replace this folder: {what}", place=str(target), hint="give another `path`")
    folder = target.with_name(f".{target.name}.writing")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def publish(staged: Path, target: Path) -> None:
    """Rename the finished folder into place; what stood there goes away afterwards."""
    _sync(staged)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    staged.rename(target)
    _sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def publish_text(text: str, target: Path) -> None:
    """Write a small file whole or not at all."""
    staged = target.with_name(f".{target.name}.writing")
    staged.write_text(text, encoding="utf-8")
    _sync(staged)
    staged.replace(target)


def _seal(path: Path) -> tuple[int, str]:
    _sync(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _payload(array: pa.Array) -> int:
    """Bytes of the values alone: unlike `nbytes` the same however the array was put together."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _payload(array.storage)
    if pa.types.is_struct(kind):
        return sum(_payload(child) for child in array.flatten())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return 4 * len(array) + _payload(array.flatten())
    if any(test(kind) for test in _VARYING):
        return 4 * len(array) + _content(array)
    return len(array) * max(1, int(kind.bit_width) // 8)


def _content(array: pa.Array) -> int:
    """Bytes of the texts that are not null."""
    if array.null_count or not len(array):
        return int(pc.sum(pc.binary_length(array)).as_py() or 0)
    bounds = offsets_of(array)
    return int(bounds[-1]) - int(bounds[0])
