"""A narrow view built from columns in hand, for testing fits and selects without the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rather.core.narrow import Narrow


def narrow_of(folder: Path, columns: Mapping[str, Any]) -> Narrow:
    """The columns (lists or Arrow arrays of equal length) and `pos`, as a stage would be handed them.

    Columns whose name ends in `_hash` become uint64, as the engine writes them.
    """
    arrays = {name: _array(name, values) for name, values in columns.items()}
    n = len(next(iter(arrays.values())))
    table = pa.table({"pos": pa.array(range(n), pa.int64()), **arrays})
    path = folder / f"narrow-{len(list(folder.iterdir()))}.parquet"
    pq.write_table(table, path)
    return Narrow(path, n)


def _array(name: str, values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return pa.array(values, pa.uint64()) if name.endswith("_hash") else pa.array(values)
