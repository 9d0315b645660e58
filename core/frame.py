"""The rows after a stage, composed when read: stored rows, columns laid over them, rows taken away.

A *level* is a stored, numbered set of rows (a source's, a map's, a mix). Scores and fits lay
*layers* over it; gates and selects only take positions away. Nothing is ever copied forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .cursor import Dense, Sparse, parquet_tables
from .prefetching import prefetched
from .row import SYSTEM

BATCH: Final = 8192
FIRST_BATCH: Final = 256  # tells how large rows are
BATCH_BYTES: Final = 64 << 20
DRAWN_BATCH: Final = 1 << 16  # rows of the level, of which a sample has few


@final
@dataclass(frozen=True)
class Level:
    """Rows numbered 0 … rows-1: their system columns in a file, their content from `read`.

    `sample` is a file of some of them, drawn as they passed: positions and the columns read then.
    """

    rows: int
    schema: pa.Schema
    system: Path
    read: Callable[[Sequence[str]], Iterator[pa.Table]]
    sample: Path | None = None

    def tables(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Tables of the named content columns, every row, in order."""
        return self.read(names)


@final
@dataclass(frozen=True)
class Layer:
    """Columns of some rows of a level, keyed by position."""

    path: Path
    schema: pa.Schema

    @staticmethod
    def at(path: Path) -> Layer:
        """The layer stored at `path`."""
        return Layer(path, pq.read_schema(path))


@final
@dataclass(frozen=True)
class Frame:
    """What a stage sees: columns by name, rows in source order, read in bounded memory."""

    level: Level
    layers: tuple[Layer, ...] = ()
    gone: tuple[Path, ...] = ()
    rows: int = 0
    limit: int | None = None
    drawn: bool = False
    _alive: list[np.ndarray] = field(default_factory=list, compare=False, repr=False)

    def __len__(self) -> int:
        return self.rows

    @cached_property
    def schema(self) -> pa.Schema:
        """All columns with their types; a score's field metadata says scorer, range, direction."""
        fields = {f.name: f for f in pq.read_schema(self.level.system) if f.name != "pos"}
        fields |= {f.name: f for f in self.level.schema}
        for layer in self.layers:
            fields |= {f.name: f for f in layer.schema if f.name != "pos"}
        return pa.schema(list(fields.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(self.schema.names)

    def laid(self, layer: Layer) -> Frame:
        """This frame with more columns."""
        return replace(self, layers=(*self.layers, layer))

    def without(self, path: Path, rows: int) -> Frame:
        """This frame with the positions listed in a ledger taken away; `rows` are left."""
        return replace(self, gone=(*self.gone, path), rows=rows, _alive=[])

    def first(self, rows: int) -> Frame:
        """Only the first rows: what is left when an `until` was reached."""
        return replace(self, rows=rows, limit=rows, _alive=[])

    def sample(self, columns: Sequence[str]) -> Frame | None:
        """Those rows that the level's sample holds, to be read from it alone; None if it lacks a column."""
        path = self.level.sample
        laid = {f.name for layer in self.layers for f in layer.schema}
        if path is None or not set(columns) - laid <= set(pq.read_schema(path).names):
            return None
        held = np.zeros(self.level.rows, bool)
        held[pq.read_table(path, columns=["pos"]).column(0).to_numpy()] = True
        held &= self.alive()
        return replace(self, drawn=True, rows=int(held.sum()), _alive=[held])

    def alive(self) -> np.ndarray:
        """bool [level.rows]: which rows of the level are still here."""
        if not self._alive:
            mask = np.ones(self.level.rows, bool)
            for path in self.gone:
                mask[pq.read_table(path, columns=["pos"]).column(0).to_numpy()] = False
            if self.limit is not None:
                mask[np.flatnonzero(mask)[self.limit :]] = False
            self._alive.append(mask)
        return self._alive[0]

    def batches(self, columns: Sequence[str] | None = None, size: int = BATCH) -> Iterator[pa.Table]:
        """Tables of the named columns (None = all), in order, read ahead by a thread."""
        return prefetched(table for _, table in self.parcels(columns, size))

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of the named columns in memory."""
        tables = list(self.batches(columns, 1 << 16))
        names = list(columns) if columns is not None else list(self.names)
        return pa.concat_tables(tables) if tables else self._empty(names)

    def parcels(self, columns: Sequence[str] | None = None, size: int = BATCH) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """(positions in the level, table) for every stretch of stored rows that has any left.

        A stretch is `size` rows, or fewer where rows are large: about 64 MiB at most.
        """
        if not self.rows:
            return
        names = list(self.names if columns is None else columns)
        alive = self.alive()
        reader = _Reader(self, names)
        size = DRAWN_BATCH if self.drawn else size
        start, step = 0, size if self.drawn else min(size, FIRST_BATCH)
        while start < self.level.rows:
            stop = min(start + step, self.level.rows)
            positions = np.flatnonzero(alive[start:stop]) + start
            table = reader.read(start, stop, positions)
            if len(positions):
                step = max(1, min(size, BATCH_BYTES * len(positions) // max(1, table.nbytes)))
                yield positions, table
            start = stop

    def _empty(self, names: list[str]) -> pa.Table:
        schema = self.schema
        return pa.schema(
            [schema.field(n) if n in schema.names else pa.field(n, pa.null()) for n in names]
        ).empty_table()


@final
class _Reader:
    """Moves one cursor per file of a frame in step."""

    def __init__(self, frame: Frame, names: list[str]) -> None:
        self._names, self._schema = names, frame.schema
        wanted = set(names)
        self._layers: list[tuple[Sparse, list[str]]] = []
        for layer in reversed(frame.layers):  # the latest writer of a name wins
            mine = [f.name for f in layer.schema if f.name in wanted]
            if mine:
                self._layers.append((Sparse(parquet_tables(layer.path, ["pos", *mine])), mine))
                wanted -= set(mine)
        content = [f.name for f in frame.level.schema if f.name in wanted]
        system = [name for name in SYSTEM if name in wanted]
        if frame.drawn and frame.level.sample is not None and content + system:
            held = [*content, *system]
            self._layers.append((Sparse(parquet_tables(frame.level.sample, ["pos", *held])), held))
        stored = not frame.drawn
        self._content = Dense(frame.level.tables(content)) if content and stored else None
        self._system = Dense(parquet_tables(frame.level.system, system)) if system and stored else None
        missing = wanted - set(content) - set(system)
        if missing:
            raise KeyError(f"no column {', '.join(sorted(missing))}; there are {', '.join(frame.names)}")

    def read(self, start: int, stop: int, positions: np.ndarray) -> pa.Table:
        found: dict[str, pa.ChunkedArray] = {}
        whole = len(positions) == stop - start
        mask = None if whole else _mask(start, stop, positions)
        for cursor in (self._content, self._system):
            if cursor is not None:
                table = cursor.next(stop - start)
                table = table if mask is None else table.filter(mask)
                found |= {name: table[name] for name in table.column_names}
        for sparse, names in self._layers:
            table = sparse.at(positions, stop)
            if table.num_rows or len(positions):
                found |= {name: table[name] for name in names}
        if not len(positions):
            return pa.table({})
        fields = [self._field(name, found[name]) for name in self._names]
        return pa.table([found[name] for name in self._names], schema=pa.schema(fields)) if fields else _bare(positions)

    def _field(self, name: str, column: pa.ChunkedArray) -> pa.Field:
        return pa.field(name, column.type, metadata=self._schema.field(name).metadata)


def _mask(start: int, stop: int, positions: np.ndarray) -> pa.Array:
    mask = np.zeros(stop - start, bool)
    mask[positions - start] = True
    return pa.array(mask)


def _bare(positions: np.ndarray) -> pa.Table:
    return pa.table({"pos": positions}).select([])
