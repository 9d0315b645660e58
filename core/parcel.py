"""A batch on its way through the streaming stages, and what each stage did to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
import pyarrow as pa


@final
@dataclass
class Trace:
    """What one stage did to one batch; indices are local to the batch's level before and after.

    `level` is the level of `came`; `left` is on `level` too, except for a map, whose rows are on
    the next one.
    """

    level: int
    left_level: int
    came: np.ndarray
    left: np.ndarray
    made: int = 0
    columns: pa.Table | None = None
    dropped: pa.Table | None = None
    failed: pa.Table | None = None
    seconds: float = 0.0


@final
@dataclass
class Part:
    """A batch's share of a level: how many rows, and for a new level their content and parents."""

    rows: int
    positions: np.ndarray | None = None
    system: pa.Table | None = None
    content: pa.Table | None = None
    parent: np.ndarray | None = None


@final
@dataclass
class Parcel:
    """A batch: its rows now, where they stand in their level, and the traces so far."""

    table: pa.Table
    index: np.ndarray
    parts: list[Part]
    traces: list[Trace] = field(default_factory=list)

    @property
    def level(self) -> int:
        """The level the rows are on now."""
        return len(self.parts) - 1

    def cut_after(self, level: int, last: int) -> None:
        """Forget every row past `last` of `level`, its later siblings and their descendants."""
        bounds = {level: last}
        for above in range(level, 0, -1):
            parent = self.parts[above].parent
            assert parent is not None
            bounds[above - 1] = int(parent[bounds[above]])
        for below in range(level + 1, len(self.parts)):
            parent = self.parts[below].parent
            assert parent is not None
            bounds[below] = int(np.searchsorted(parent, bounds[below - 1], "right")) - 1
        for number, part in enumerate(self.parts):
            _cut_part(part, bounds[number] + 1)
        for trace in self.traces:
            _cut_trace(trace, bounds)


def _cut_part(part: Part, rows: int) -> None:
    part.rows = rows
    part.positions = None if part.positions is None else part.positions[:rows]
    part.parent = None if part.parent is None else part.parent[:rows]
    part.system = None if part.system is None else part.system.slice(0, rows)
    part.content = None if part.content is None else part.content.slice(0, rows)


def _cut_trace(trace: Trace, bounds: dict[int, int]) -> None:
    bound = bounds[trace.level]
    kept_left = int(np.searchsorted(trace.left, bounds[trace.left_level], "right"))
    trace.came = trace.came[: int(np.searchsorted(trace.came, bound, "right"))]
    if trace.left_level != trace.level:  # children of the last parent that are not needed were never made
        trace.made = kept_left + _ledger_rows(trace, bound) - len(trace.came)
    trace.left = trace.left[:kept_left]
    trace.columns = None if trace.columns is None else trace.columns.slice(0, kept_left)
    trace.dropped = _cut_ledger(trace.dropped, bound)
    trace.failed = _cut_ledger(trace.failed, bound)


def _ledger_rows(trace: Trace, bound: int) -> int:
    return sum(
        t.num_rows for t in (_cut_ledger(trace.dropped, bound), _cut_ledger(trace.failed, bound)) if t is not None
    )


def _cut_ledger(ledger: pa.Table | None, bound: int) -> pa.Table | None:
    if ledger is None:
        return None
    return ledger.filter(pa.array(ledger["pos"].to_numpy() <= bound))
