"""Which rows the report compares: before the first decision, and at the end of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.hashing import hash_column
from ..core.sample import LARGE

if TYPE_CHECKING:
    from ..core.frame import Frame
    from ..core.view import RunView

DECIDES: Final = ("gate", "select")
WHOLE: Final = LARGE
"""Up to this many rows a figure counts every row; beyond, at most SAMPLE rows drawn once."""
SAMPLE: Final = 20_000
FEWEST: Final = 500
"""Rows of a stored sample that will do; with fewer, all rows are read."""


@final
@dataclass(frozen=True)
class Compare:
    """The stages that left rows, in order, from the one before the first decision on, with their columns."""

    view: RunView
    schemas: Mapping[str, pa.Schema]

    @property
    def stages(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.schemas)

    @property
    def after(self) -> Frame | None:
        """Rows at the end; None when no stage left any frame."""
        return self.view.frame(self.stages[-1]) if self.stages else None

    def first(self, columns: Sequence[str]) -> str | None:
        """The earliest of the stages whose rows have all these columns."""
        for stage in self.stages:
            if set(columns) <= set(self.schemas[stage].names):
                return stage
        return None

    def before(self, columns: Sequence[str]) -> Frame | None:
        """The rows of that stage."""
        stage = self.first(columns)
        return self.view.frame(stage) if stage else None


def compare(view: RunView) -> Compare:
    """Where the run's before and after lie; of several sources, before is where they have met."""
    ran = [line for line in view.funnel if line.skipped is None and line.shape != "sink"]
    decision = next((k for k, line in enumerate(ran) if line.shape in DECIDES), len(ran))
    last_source = max((k for k, line in enumerate(ran) if line.shape == "source"), default=0)
    start = max(decision - 1, 0)
    if last_source > start:
        start = max(range(last_source, len(ran)), key=lambda k: (ran[k].rows_out, -k))
    return Compare(view, {line.stage: view.frame(line.stage).schema for line in ran[start:]})


def sampled(rows: int) -> bool:
    """True when figures over this many rows are drawn from a sample."""
    return rows > WHOLE


def drawn(frame: Frame, columns: Sequence[str]) -> Frame:
    """A large frame's rows as far as a stored sample has them; other frames as they are."""
    found = frame.sample(columns) if sampled(len(frame)) else None
    return found if found is not None and len(found) >= FEWEST else frame


def picked(frame: Frame, columns: Sequence[str], most: int | None = None, seed: int = 7) -> Iterator[pa.Table]:
    """Tables of the columns: every row of a small frame, the same random rows of a large one.

    `most` bounds the rows drawn; None means all up to WHOLE and SAMPLE beyond.
    """
    if most is None:
        most = SAMPLE if sampled(len(frame)) else len(frame)
    frame = drawn(frame, columns)
    rows = len(frame)
    if rows <= most:
        yield from frame.batches(columns)
        return
    positions = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    start = 0
    for batch in frame.batches(columns):
        first, last = np.searchsorted(positions, [start, start + batch.num_rows])
        yield batch.take(pa.array(positions[first:last] - start))
        start += batch.num_rows


def picked_table(frame: Frame, columns: Sequence[str], most: int) -> pa.Table:
    """`picked` in one table."""
    tables = list(picked(frame, columns, most))
    if tables:
        return pa.concat_tables(tables)
    return pa.schema([frame.schema.field(name) for name in columns]).empty_table()


def lowest(batches: Iterable[pa.Table], most: int) -> pa.Array:
    """The `most` ids that hash lowest, in that order: a fair, repeatable sample of the tables' rows."""
    ids, keys = pa.array([], pa.string()), np.empty(0, np.uint64)
    for batch in batches:
        column = batch["id"].combine_chunks()
        both = pa.concat_arrays([ids, column.cast(pa.string())])
        all_keys = np.concatenate([keys, hash_column(column)])
        order = np.argsort(all_keys, kind="stable")[:most]
        ids, keys = both.take(pa.array(order)), all_keys[order]
    return ids


def rows_of(frame: Frame, ids: pa.Array, columns: Sequence[str]) -> pa.Table:
    """The rows with these ids, in the order of `ids`."""
    names = [name for name in columns if name in frame.names]
    found, left = [], len(ids)
    for batch in frame.batches(list(dict.fromkeys(["id", *names])), size=2048):
        found.append(batch.filter(pc.is_in(batch["id"], value_set=ids)))
        left -= found[-1].num_rows
        if left <= 0:
            break
    table = pa.concat_tables(found) if found else picked_table(frame, ["id", *names], 0)
    return table.take(pc.index_in(ids, value_set=table["id"].combine_chunks()).drop_null())


def kept_in(compare: Compare, table: pa.Table) -> np.ndarray:
    """bool [n]: whether a row is there at the end, by id, or by prompt where a map gave new ids."""
    frame = compare.after
    for key in ("id", "prompt_hash"):
        if frame is None or key not in frame.names or key not in table.column_names:
            continue
        mine = table[key].combine_chunks()
        kept = np.zeros(table.num_rows, bool)
        for batch in frame.batches([key]):
            kept |= pc.is_in(mine, value_set=batch[key].combine_chunks()).to_numpy(zero_copy_only=False)
        if kept.any():
            return kept
    return np.zeros(table.num_rows, bool)
