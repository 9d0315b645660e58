"""Where batches end, in source order: positions are given out, files written, counts kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import ledger
from .appender import Appender
from .errors import StageFailed, Unconserved
from .hashing import digest
from .intake import SYSTEM_SCHEMA
from .parcel import Parcel, Trace
from .row import flat
from .sample import LARGE, Sample
from .stage import Stage


@final
@dataclass
class Tally:
    """One streaming stage's files and counts while its segment runs."""

    name: str
    stage: Stage
    folder: Path
    until_rows: int | None = None
    asks: bool = False
    rows_in: int = 0
    made: int = 0
    rows_out: int = 0
    failed: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    until_reached: bool = False
    files: dict[str, Appender] = field(default_factory=dict)
    failures: list[np.ndarray] = field(default_factory=list)
    first_error: str = ""

    def append(self, file: str, table: pa.Table, schema: pa.Schema | None = None) -> None:
        """Add rows to one of the stage's files."""
        if file not in self.files:
            self.files[file] = Appender(self.folder / file, schema)
        self.files[file].add(table)

    def enter(self, trace: Trace, offsets: list[np.ndarray | int]) -> None:
        """Enter one batch's trace, its local indices turned into positions."""
        gone = sum(t.num_rows for t in (trace.dropped, trace.failed) if t is not None)
        if len(trace.came) + trace.made != len(trace.left) + gone:
            raise Unconserved(
                f"{len(trace.came)} in + {trace.made} made, but {len(trace.left)} out + {gone} gone", place=self.name
            )
        self.rows_in += len(trace.came)
        self.made += trace.made
        self.rows_out += len(trace.left)
        self.seconds += trace.seconds
        if trace.columns is not None:
            positions = _placed(trace.left, offsets[trace.left_level])
            self.append("columns.parquet", trace.columns.add_column(0, "pos", pa.array(positions)))
            lost = without_answer(trace.columns) if self.asks else np.empty(0, np.int64)
            if len(lost):
                self.unanswered += len(lost)
                self.failures.append(positions[lost])
        if trace.dropped is not None:
            for reason, count in ledger.counted(trace.dropped["reason"]).items():
                self.dropped[reason] = self.dropped.get(reason, 0) + count
            self.append("dropped.parquet", _replaced(trace.dropped, offsets[trace.level]))
        if trace.failed is not None:
            self.failed += trace.failed.num_rows
            self.first_error = self.first_error or trace.failed["error"][0].as_py()
            moved = _replaced(trace.failed, offsets[trace.level])
            self.failures.append(moved["pos"].to_numpy())
            self.append("failed.parquet", moved)

    def check(self, max_failed: int | float | None) -> None:
        """Stop a stage that fails on every row, or on more than is allowed."""
        if not self.failed:
            return
        hint = "see failed.parquet in the stage's folder; the next run tries these rows again"
        if max_failed is not None:
            allowed = max_failed if isinstance(max_failed, int) else max_failed * max(self.rows_in, 100)
            if self.failed > allowed:
                raise StageFailed(
                    f"{self.failed} rows failed, more than max_failed={max_failed}: {self.first_error}",
                    place=self.name,
                    hint=hint,
                )
        if self.failed == self.rows_in and self.failed >= 20:
            self.all_failed()

    def all_failed(self) -> None:
        """Raise: no row went well."""
        raise StageFailed(f"failed on every row ({self.failed}): {self.first_error}", place=self.name)

    def close(self) -> str:
        """Finish the files; a digest of which rows failed or had a call that did (empty when none did)."""
        if self.failed and self.failed == self.rows_in:
            self.all_failed()
        if self.stage.shape == "score" and "columns.parquet" not in self.files:
            fields = [pa.field("pos", pa.int64())]
            fields += [pa.field(c.name, c.type or pa.null()) for c in self.stage.columns_written()]
            self.files["columns.parquet"] = Appender(self.folder / "columns.parquet", pa.schema(fields))
        for appender in self.files.values():
            appender.close()
        return digest(*[part.tobytes() for part in self.failures]) if self.failures else ""


@final
class Committer:
    """Takes finished parcels in source order and writes what each stage left on them."""

    def __init__(self, tallies: list[Tally], makers: list[Tally | None], keep_content: bool) -> None:
        self._tallies, self._makers, self._keep = tallies, makers, keep_content
        self._offsets = [0] * len(makers)
        self._accepted: dict[str, int] = {}
        self._schemas: dict[int, pa.Schema] = {}
        self._samples = [Sample() for _ in makers]

    @property
    def level_rows(self) -> list[int]:
        """Rows of each level so far."""
        return list(self._offsets)

    def know_schema(self, level: int, schema: pa.Schema) -> None:
        """Say a level's content schema when batches carry only part of it."""
        self._schemas[level] = schema

    def commit(self, parcel: Parcel) -> bool:
        """Enter a parcel; True when an `until` is reached and no more are wanted."""
        enough = self._cut(parcel)
        offsets: list[Any] = list(self._offsets)
        if parcel.parts[0].positions is not None:
            offsets[0] = parcel.parts[0].positions
        for level, part in enumerate(parcel.parts):
            maker = self._makers[level]
            if maker is not None and part.system is not None and part.content is not None:
                maker.append("system.parquet", part.system, SYSTEM_SCHEMA)
                self._schemas.setdefault(level, part.content.schema)
                self._samples[level].add(self._offsets[level], part.system, part.content)
                if self._keep or level:
                    maker.append("rows.parquet", part.content)
            self._offsets[level] += part.rows
        for tally, trace in zip(self._tallies, parcel.traces, strict=True):
            tally.enter(trace, offsets)
        return enough

    def _cut(self, parcel: Parcel) -> bool:
        enough = False
        for tally, trace in zip(self._tallies, parcel.traces, strict=True):
            if tally.until_rows is not None and tally.rows_out + len(trace.left) >= tally.until_rows:
                last = int(trace.left[tally.until_rows - tally.rows_out - 1])
                parcel.cut_after(trace.left_level, last)
                tally.until_reached = enough = True
        return enough

    def close(self) -> None:
        """Give every level its schema file, also one that has no rows, and a large one its sample."""
        for level, maker in enumerate(self._makers):
            if maker is not None:
                maker.files.setdefault("system.parquet", Appender(maker.folder / "system.parquet", SYSTEM_SCHEMA))
                write_schema(maker.folder, self._schemas.get(level, pa.schema([])))
                if self._offsets[level] > LARGE:
                    self._samples[level].write(maker.folder / "sample.parquet")


def without_answer(columns: pa.Table) -> np.ndarray:
    """Rows in which an outcome says that the call failed, whatever was said of others; int64, ascending."""
    lost = np.zeros(columns.num_rows, bool)
    for name in columns.column_names:
        if name.endswith(("_outcome", "_outcomes")):
            column, rows = flat(columns[name]), np.arange(columns.num_rows)
            while pa.types.is_list(column.type):
                rows = rows[pc.list_parent_indices(column).to_numpy(zero_copy_only=False)]
                column = column.flatten()
            if pa.types.is_string(column.type):
                lost[rows[pc.fill_null(pc.equal(column, "failed"), False).to_numpy(zero_copy_only=False)]] = True
    return np.flatnonzero(lost)


def write_schema(folder: Path, schema: pa.Schema) -> None:
    """Keep a level's content schema, with the metadata of its fields."""
    pq.write_metadata(schema, folder / "schema.parquet")


def read_schema(folder: Path) -> pa.Schema:
    """The content schema kept by `write_schema`."""
    return pq.read_schema(folder / "schema.parquet")


def _placed(local: np.ndarray, offset: Any) -> np.ndarray:
    placed = offset[local] if isinstance(offset, np.ndarray) else local + offset
    return np.asarray(placed, np.int64)


def _replaced(table: pa.Table, offset: Any) -> pa.Table:
    return table.set_column(0, "pos", pa.array(_placed(table["pos"].to_numpy(), offset)))
