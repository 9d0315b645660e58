"""A frame and a run view over tables in memory, for the tests of sinks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
from rather.core.hashing import hash_rows
from rather.core.identity import hex_ids
from rather.core.row import text_answers, text_messages

RECIPE = "name: small\nseed: 7\nstages:\n- read.pairs: {path: pairs.jsonl}\n- write.parquet: {}\n"


@final
@dataclass(frozen=True)
class TableFrame:
    """A table with the interface of a frame."""

    rows: pa.Table

    def __len__(self) -> int:
        return self.rows.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self.rows.schema

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.rows.column_names)

    def batches(self, columns: Sequence[str] | None = None, size: int = 8192) -> Iterator[pa.Table]:
        table = self.table(columns)
        for start in range(0, len(self), size):
            yield table.slice(start, size)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        return self.rows if columns is None else self.rows.select(list(columns))

    def sample(self, columns: Sequence[str]) -> None:
        return None


@final
@dataclass(frozen=True)
class OddFrame:
    """The same rows in batches of odd sizes, whatever size is asked for."""

    rows: pa.Table
    step: int

    def __len__(self) -> int:
        return self.rows.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self.rows.schema

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.rows.column_names)

    def batches(self, columns: Sequence[str] | None = None, size: int = 8192) -> Iterator[pa.Table]:
        return TableFrame(self.rows).batches(columns, self.step)


@final
@dataclass(frozen=True)
class Count:
    """One line of a funnel."""

    stage: str
    rows_in: int = 0
    made: int = 0
    rows_out: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    skipped: str | None = None


@final
@dataclass(frozen=True)
class View:
    """The parts of a run view that cards and uploads read."""

    recipe: str = RECIPE
    funnel: tuple[Count, ...] = ()
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    stages: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class SinkContext:
    """What a sink is handed."""

    out: str
    view: View = View()
    seed: int = 7
    models: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path, **known: Any) -> SinkContext:
        return cls(str(path), **known)

    def rng(self, row_id: str) -> random.Random:
        return random.Random(f"{self.seed}:{row_id}")

    def stop_asked(self) -> bool:
        return False


def pairs(
    prompts: Sequence[str], chosen: Sequence[str | None], rejected: Sequence[str | None], **more: Any
) -> pa.Table:
    """Pairs of plain strings as our rows, with `id` and `prompt_hash`; `more` are further columns."""
    table = pa.table(
        {
            "prompt": text_messages(pa.array(prompts, pa.string())),
            "chosen": text_answers(pa.array(chosen, pa.string())),
            "rejected": text_answers(pa.array(rejected, pa.string())),
            **more,
        }
    )
    return numbered(marked(table, "prompt", form="text"))


def numbered(table: pa.Table) -> pa.Table:
    """The table with the system columns a sink reads."""
    ids = hex_ids(np.arange(table.num_rows, dtype=np.uint64), np.zeros(table.num_rows, np.int64))
    table = table.append_column("id", ids)
    return table.append_column("prompt_hash", pa.array(hash_rows(table, ["prompt"])))


def marked(table: pa.Table, name: str, **metadata: str) -> pa.Table:
    """The table with metadata on one field."""
    index = table.column_names.index(name)
    known = {key.encode(): value.encode() for key, value in metadata.items()}
    return table.set_column(index, table.schema.field(name).with_metadata(known), table[name])
