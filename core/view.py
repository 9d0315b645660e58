"""A run as others see it: counts per stage, rows after any stage, ledgers, facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import ledger
from .committer import read_schema
from .cursor import parquet_tables
from .errors import InputError, did_you_mean
from .frame import Frame, Layer, Level
from .intake import mixed_level, replay
from .plan import Node, Plan
from .stage import Source
from .store import Record


@final
@dataclass
class RunView:
    """Grows as stages finish; reads only finished files."""

    path: Path
    plan: Plan
    recipe: str
    limit: int | None = None
    shard: tuple[int, int] | None = None
    records: dict[int, Record] = field(default_factory=dict)
    homes: dict[int, Path] = field(default_factory=dict)
    reused: set[int] = field(default_factory=set)
    seconds: float = 0.0
    peak_mib: float = 0.0
    _frames: dict[int, Frame] = field(default_factory=dict)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of all stages in the recipe's order, skipped ones too."""
        return tuple(node.name for node in self.plan.nodes)

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return self.plan.recipe.seed

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """What each finished sink left behind, by its name."""
        return {r.stage: r.facts for _, r in sorted(self.records.items()) if r.shape == "sink"}

    @property
    def funnel(self) -> list[Record]:
        """Counts of every finished or skipped stage, in order."""
        found = []
        for node in self.plan.nodes:
            record = self.records.get(node.index)
            if node.skipped is not None:
                found.append(Record(node.name, node.stage.name, node.stage.shape, skipped=node.skipped))
            elif record is not None:
                found.append(replace(record, reused=node.index in self.reused))
        return found

    def frame(self, name: str) -> Frame:
        """The rows after the stage called `name`."""
        return self.frame_at(self._node(name).index)

    def input_frame(self, name: str) -> Frame:
        """The rows that came into the stage called `name`."""
        return self.frame_into(self._node(name))

    def columns_of(self, name: str) -> dict[str, str]:
        """Column name → meaning, as declared by the stages up to `name`."""
        found: dict[str, str] = {}
        for node in self.plan.nodes[: self._node(name).index + 1]:
            found |= {column.name: column.doc for column in node.stage.columns_written() if column.doc}
        return found

    def dropped(self, name: str, limit: int | None = None) -> pa.Table:
        """The ledger of one stage: pos, id, place, reason and the values that decided."""
        path = self._home(name) / "dropped.parquet"
        if not path.exists():
            return ledger.HEAD.empty_table()
        if limit is None:
            return pq.read_table(path)
        table = next(parquet_tables(path, None, limit), None)
        return ledger.HEAD.empty_table() if table is None else table.slice(0, limit)

    def failed(self, name: str) -> pa.Table:
        """The rows of one stage that failed, with their errors."""
        path = self._home(name) / "failed.parquet"
        return pq.read_table(path) if path.exists() else ledger.FAILED.empty_table()

    def dropped_rows(self, name: str, limit: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Up to `limit` rows that one stage dropped, read back whole, and their `reason`."""
        node = self._node(name)
        frame = self.frame_into(node)
        gone = self.dropped(name, limit)
        names = [n for n in (columns or frame.names) if n in frame.names]
        wanted = gone["pos"].to_numpy()
        parts, left = [], len(wanted)
        for positions, table in frame.parcels(names):
            if not left:
                break
            part = table.filter(pa.array(np.isin(positions, wanted)))
            left -= part.num_rows
            parts.append(part)
        rows = pa.concat_tables(parts) if parts else frame.table(names).slice(0, 0)
        return rows.append_column("reason", gone["reason"].cast(pa.string()).slice(0, rows.num_rows))

    def frame_into(self, node: Node) -> Frame:
        """The rows that come into a node; several inputs are mixed in the node's own folder."""
        sources = self.inputs_of(node)
        if len(sources) == 1:
            return self.frame_at(sources[0])
        frames = [self.frame_at(index) for index in sources]
        folder = self.homes[node.index] / "mix"
        rows = pq.read_metadata(folder / "system.parquet").num_rows
        return Frame(mixed_level(frames, folder, rows), rows=rows)

    def inputs_of(self, node: Node) -> tuple[int, ...]:
        """Indices of the nodes whose rows come in, skipped ones passed through."""
        return self.plan.rows_into(node)

    def frame_at(self, index: int) -> Frame:
        """The rows after the node with this index."""
        node = self.plan.nodes[index]
        if node.skipped is not None:
            return self.frame_into(node)
        if index not in self._frames:
            if index not in self.records:
                raise InputError(f"the stage {node.name} has not been run", place=str(self.path))
            self._frames[index] = self._built(node, self.records[index], self.homes[index])
        return self._frames[index]

    def _built(self, node: Node, record: Record, home: Path) -> Frame:
        if record.level_rows is not None:
            return Frame(self._level(node, home, record.level_rows), rows=record.level_rows)
        frame = self.frame_into(node)
        if record.shape in ("score", "fit"):
            frame = frame.laid(Layer.at(home / "columns.parquet"))
        for file in ("dropped.parquet", "failed.parquet"):
            if (home / file).exists():
                frame = frame.without(home / file, record.rows_out)
        if record.until_reached:
            frame = frame.first(record.rows_out)
        return frame

    def _level(self, node: Node, home: Path, rows: int) -> Level:
        schema = read_schema(home)
        sample = home / "sample.parquet" if (home / "sample.parquet").exists() else None
        if (home / "rows.parquet").exists() or not isinstance(node.stage, Source):
            path = home / "rows.parquet"
            return Level(rows, schema, home / "system.parquet", lambda names: parquet_tables(path, names), sample)
        level = replay(node.stage, schema, self.limit, self.shard)
        return Level(rows, schema, home / "system.parquet", level.read, sample)

    def _home(self, name: str) -> Path:
        node = self._node(name)
        if node.index not in self.homes:
            raise InputError(f"the stage {name} has not been run", place=str(self.path))
        return self.homes[node.index]

    def _node(self, name: str) -> Node:
        for node in self.plan.nodes:
            if node.name == name:
                return node
        raise InputError(f"no stage called {name}", place=str(self.path), hint=did_you_mean(name, self.stages))


def place_text(place: Any) -> str:
    """`file:row` of a place, rows counted from 1 as people do."""
    return f"{place['file']}:{place['row'] + 1}" if place else ""
