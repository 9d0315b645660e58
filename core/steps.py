"""Carrying a batch through one streaming stage: gate, score or map."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import ledger
from .byte_hashing import mix
from .errors import BudgetReached, RatherError, StageFailed, describe
from .hashing import hash_column, hash_rows
from .identity import hex_ids
from .intake import SYSTEM_SCHEMA
from .parcel import Parcel, Part, Trace
from .row import COLUMNS, CONTENT, SYSTEM
from .stage import Context, Drop, Dropped, Gate, Map, Score, Stage
from .stage_output import as_reasons, column_type, failure_table, new_columns, set_column

Offload = Callable[..., Awaitable[Any]]
_CHILD: Final = np.uint64(0xA24BAED4963EE407)


@final
@dataclass(frozen=True)
class Step:
    """A streaming stage at work: its name in the recipe and what it is handed."""

    name: str
    stage: Stage
    context: Context
    offload: Offload
    later: frozenset[str] | None = None
    """Columns that stages further on read; None = all."""

    async def carry(self, parcel: Parcel) -> None:
        """Put the parcel through the stage and leave a trace on it."""
        began = time.perf_counter()
        if parcel.table.num_rows == 0:
            trace = await self.offload(self.no_rows, parcel)
        elif isinstance(self.stage, Gate):
            trace = await self.offload(self.gate, parcel)
        elif isinstance(self.stage, Score):
            trace = await self.offload(self.score, parcel)
        else:
            trace = await self.map(parcel)
        trace.seconds = time.perf_counter() - began
        parcel.traces.append(trace)

    def no_rows(self, parcel: Parcel) -> Trace:
        """What a parcel without rows gets: the stage's columns, so that stages below find them."""
        if isinstance(self.stage, Map):
            return self.gathered(parcel, [])
        trace = Trace(parcel.level, parcel.level, parcel.index, parcel.index)
        if isinstance(self.stage, Score):
            trace.columns = self.scored_nothing(parcel.table)
            for name in trace.columns.column_names:
                parcel.table = set_column(parcel.table, name, trace.columns[name])
        return trace

    def scored_nothing(self, table: pa.Table) -> pa.Table:
        """The stage's columns [0]; where it declares no type, as with vectors, it is asked for one."""
        assert isinstance(self.stage, Score)
        if all(c.type is not None or c.name in COLUMNS for c in self.stage.columns_written()):
            return new_columns(self.stage, self.name, {}, 0)
        try:
            return new_columns(self.stage, self.name, self.stage.score(table, self.context), 0)
        except (RatherError, MemoryError):
            raise
        except Exception as error:
            raise StageFailed(f"on no rows at all: {describe(error)}", place=self.name) from error

    def gate(self, parcel: Parcel) -> Trace:
        assert isinstance(self.stage, Gate)
        reasons = as_reasons(self.stage.why_drop(parcel.table), parcel.table.num_rows, self.name)
        trace = Trace(parcel.level, parcel.level, parcel.index, parcel.index)
        if reasons.null_count < len(reasons):
            values = ledger.deciding(parcel.table.schema, self.stage.columns_read())
            trace.dropped = ledger.entries(parcel.table, parcel.index, reasons, values)
            keep = pc.is_null(reasons)
            parcel.table = self.of_later(parcel.table).filter(keep)
            parcel.index = parcel.index[keep.to_numpy(zero_copy_only=False)]
            trace.left = parcel.index
        return trace

    def of_later(self, table: pa.Table) -> pa.Table:
        """The columns still needed: nothing else is worth copying."""
        if self.later is None:
            return table
        return table.select([name for name in table.column_names if name in self.later])

    def score(self, parcel: Parcel) -> Trace:
        found, failed = self.scored(parcel.table, 0)
        trace = Trace(parcel.level, parcel.level, parcel.index, parcel.index)
        if failed:
            rows = np.array([row for row, _ in failed])
            trace.failed = failure_table(parcel.table, parcel.index, rows, [why for _, why in failed])
            keep = np.ones(parcel.table.num_rows, bool)
            keep[rows] = False
            parcel.table = parcel.table.filter(pa.array(keep))
            parcel.index = parcel.index[keep]
        trace.left = parcel.index
        trace.columns = found
        for name in found.column_names:
            parcel.table = set_column(parcel.table, name, found[name])
        return trace

    def scored(self, table: pa.Table, start: int) -> tuple[pa.Table, list[tuple[int, str]]]:
        """The new columns, and rows that failed: a failing batch is halved until the rows are found."""
        assert isinstance(self.stage, Score)
        try:
            return new_columns(self.stage, self.name, self.stage.score(table, self.context), table.num_rows), []
        except (BudgetReached, StageFailed, MemoryError):
            raise
        except Exception as error:
            if table.num_rows == 1:
                return new_columns(self.stage, self.name, {}, 0), [(start, describe(error))]
        half = table.num_rows // 2
        left, left_failed = self.scored(table.slice(0, half), start)
        right, right_failed = self.scored(table.slice(half), start + half)
        return pa.concat_tables([left, right]), left_failed + right_failed

    async def map(self, parcel: Parcel) -> Trace:
        assert isinstance(self.stage, Map)
        names = {n.rstrip("?") for n in self.stage.columns_read()} | {"id"}
        rows = await self.offload(parcel.table.select([n for n in parcel.table.column_names if n in names]).to_pylist)
        results = await asyncio.gather(*(self.map_row(row) for row in rows))
        return await self.offload(self.gathered, parcel, results)

    async def map_row(self, row: dict[str, Any]) -> Sequence[dict[str, Any]] | Drop | str:
        assert isinstance(self.stage, Map)
        try:
            made = await self.stage.map(row, self.context)
        except (BudgetReached, StageFailed, MemoryError):
            raise
        except Dropped as dropped:
            return dropped.drop
        except Exception as error:
            return describe(error)
        return Drop("made nothing") if not isinstance(made, Drop) and not made else made

    def gathered(self, parcel: Parcel, results: Sequence[Sequence[dict[str, Any]] | Drop | str]) -> Trace:
        """New level from the rows made; drops and failures by row."""
        counts = np.array([0 if isinstance(r, (Drop, str)) else len(r) for r in results], np.int64)
        trace = Trace(parcel.level, parcel.level + 1, parcel.index, np.arange(int(counts.sum())))
        trace.made = int(np.maximum(counts - 1, 0).sum())
        failed = [(i, r) for i, r in enumerate(results) if isinstance(r, str)]
        if failed:
            trace.failed = failure_table(
                parcel.table, parcel.index, np.array([i for i, _ in failed]), [w for _, w in failed]
            )
        trace.dropped = _map_drops(parcel, results)
        parents = np.repeat(np.arange(len(results)), counts)
        children = [child for r in results if not isinstance(r, (Drop, str)) for child in r]
        carried = parcel.table.take(pa.array(parents))
        table = self.overlaid(carried, children)
        system, table = _child_system(carried, table, counts)
        parent_index = parcel.index[parents] if len(parents) else np.empty(0, np.int64)
        content = table.select([n for n in table.column_names if n not in SYSTEM])
        parcel.parts.append(Part(len(children), None, system, content, parent_index))
        parcel.table, parcel.index = table, trace.left
        return trace

    def overlaid(self, carried: pa.Table, children: list[dict[str, Any]]) -> pa.Table:
        """The parents' columns with what the map gave laid over them."""
        given = {key for child in children for key in child} - set(SYSTEM) - {"parent_id"}
        declared = {c.name: c for c in self.stage.columns_written()}
        unknown = given - set(declared) - {n.rstrip("?") for n in self.stage.columns_read()}
        if unknown:
            raise StageFailed(
                f"gave columns it does not declare in `writes`: {', '.join(sorted(unknown))}", place=self.name
            )
        for name in [*declared, *sorted(given - set(declared))]:
            kind = column_type(name, declared.get(name), carried.schema)
            before = carried[name].to_pylist() if name in carried.column_names else [None] * len(children)
            values = [child.get(name, before[i]) for i, child in enumerate(children)]
            metadata = declared[name].metadata(self.name) if name in declared else None
            carried = set_column(carried, name, pa.array(values, kind), metadata)
        return carried


def _map_drops(parcel: Parcel, results: Sequence[Any]) -> pa.Table | None:
    drops = [(i, r) for i, r in enumerate(results) if isinstance(r, Drop)]
    if not drops:
        return None
    rows = np.array([i for i, _ in drops])
    picked = parcel.table.select(["id", "place"]).take(pa.array(rows))
    reasons = pa.array([r.reason for _, r in drops]).dictionary_encode().cast(ledger.REASON)
    head = pa.table([pa.array(parcel.index[rows]), picked["id"], picked["place"], reasons], names=ledger.HEAD.names)
    values = pa.array([ledger.text_of(r.values) for _, r in drops], pa.string())
    return head.cast(ledger.HEAD).append_column("values", values)


def _child_system(carried: pa.Table, table: pa.Table, counts: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """System columns of a map's rows: an only child keeps its parent's id, siblings get their own."""
    names = [name for name in CONTENT if name in table.column_names] or sorted(set(table.column_names) - set(SYSTEM))
    hashes = hash_rows(table, names)
    prompts = hash_column(table["prompt"]) if "prompt" in table.column_names else hashes
    ids = carried["id"].combine_chunks() if table.num_rows else pa.array([], pa.string())
    siblings = np.repeat(counts > 1, counts)
    if siblings.any():
        counts = counts[counts > 0]
        ordinal = np.arange(len(siblings)) - np.repeat(np.cumsum(counts) - counts, counts)
        own = hex_ids(mix(hash_column(ids) + ordinal.astype(np.uint64) * _CHILD), np.zeros(len(siblings), np.int64))
        mask = pa.array(siblings)
        parent_ids, ids = ids, pc.if_else(mask, own, ids)
    else:
        parent_ids = ids
    system = pa.table([ids, pa.array(hashes), pa.array(prompts), carried["place"]], schema=SYSTEM_SCHEMA)
    for name in SYSTEM:
        table = set_column(table, name, system[name])
    return system, set_column(table, "parent_id", parent_ids)
