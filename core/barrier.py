"""Stages that look at the whole set once: their narrow columns are gathered, then they decide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pyarrow as pa

from . import ledger
from .appender import Appender
from .errors import BudgetReached, RatherError, StageFailed, describe
from .frame import Frame
from .narrow import Narrow
from .plan import Node
from .prefetching import prefetched
from .stage import Context, Fit, Select
from .stage_output import as_reasons, new_columns

HELD_BYTES: Final = 192 << 20
"""Largest size of narrow columns that are not written to disk."""


@final
@dataclass(frozen=True)
class Outcome:
    """What a barrier stage did: rows out and drops by reason."""

    rows_in: int
    rows_out: int
    dropped: dict[str, int]


def gather(node: Node, frame: Frame, folder: Path) -> Narrow:
    """The columns the stage reads, and `pos`: in memory up to HELD_BYTES, in one file otherwise."""
    present = set(frame.names)
    names = [n.rstrip("?") for n in node.stage.columns_read()]
    wanted = [name for name in dict.fromkeys(names) if name in present]
    schema = pa.schema([pa.field("pos", pa.int64()), *[frame.schema.field(name) for name in wanted]])
    path, total, size = folder / "narrow.parquet", 0, 0
    held, appender = [schema.empty_table()], Appender(path, schema)
    for table in frame.batches(wanted or ["content_hash"], 1 << 16):
        pos = pa.array(np.arange(total, total + table.num_rows))
        total += table.num_rows
        held.append(table.select(wanted).add_column(0, schema.field(0), pos) if wanted else pa.table({"pos": pos}))
        size += held[-1].nbytes
        if size > HELD_BYTES:
            for part in held:
                appender.add(part)
            held.clear()
    if not appender.total:
        return Narrow(path, total, held=pa.concat_tables(held))
    appender.close()
    return Narrow(path, total)


def run_fit(node: Node, frame: Frame, folder: Path, context: Context) -> Outcome:
    """Gather, fit, and lay the columns over the frame's rows."""
    assert isinstance(node.stage, Fit)
    narrow = gather(node, frame, folder)
    columns = _asked(node, lambda: node.stage.fit(narrow, context))
    table = new_columns(node.stage, node.name, columns, len(narrow))
    positions = pa.array(np.flatnonzero(frame.alive()))
    appender = Appender(folder / "columns.parquet")
    appender.add(table.add_column(0, "pos", positions).slice(0, 0))
    appender.add(table.add_column(0, "pos", positions))
    appender.close()
    (folder / "narrow.parquet").unlink(missing_ok=True)
    return Outcome(len(narrow), len(narrow), {})


def run_select(node: Node, frame: Frame, folder: Path) -> Outcome:
    """Gather, select, and write the ledger of the rows that go."""
    assert isinstance(node.stage, Select)
    narrow = gather(node, frame, folder)
    reasons = as_reasons(_asked(node, lambda: node.stage.select(narrow)), len(narrow), node.name)
    values = ledger.deciding(frame.schema, node.stage.columns_read())
    if reasons.null_count < len(reasons):
        _write_ledger(frame, reasons, values, folder)
    (folder / "narrow.parquet").unlink(missing_ok=True)
    kept = reasons.null_count
    return Outcome(len(narrow), kept, ledger.counted(reasons))


def _write_ledger(frame: Frame, reasons: pa.Array, values: list[str], folder: Path) -> None:
    appender, start = Appender(folder / "dropped.parquet"), 0
    for positions, table in prefetched(frame.parcels(["id", "place", *values], 1 << 16)):
        part = reasons.slice(start, table.num_rows)
        start += table.num_rows
        if part.null_count < len(part):
            appender.add(ledger.entries(table, positions, part, values))
    appender.close()


def _asked(node: Node, decide: Any) -> Any:
    try:
        return decide()
    except (RatherError, BudgetReached, MemoryError):
        raise
    except Exception as error:
        raise StageFailed(describe(error), place=node.name, hint="use --debug to see where") from error
