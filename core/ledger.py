"""The ledger of drops and failures: which row, where it stood, why, and the values that decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .row import PLACE

REASON: Final = pa.dictionary(pa.int32(), pa.string())
HEAD: Final = pa.schema([("pos", pa.int64()), ("id", pa.string()), ("place", PLACE), ("reason", REASON)])
FAILED: Final = pa.schema([("pos", pa.int64()), ("id", pa.string()), ("place", PLACE), ("error", pa.string())])
_LONGEST_TEXT: Final = 64


def entries(table: pa.Table, positions: np.ndarray, reasons: pa.Array, values: Sequence[str]) -> pa.Table:
    """Ledger rows for the rows of `table` that have a reason; `values` are columns to keep beside it."""
    gone = pc.is_valid(reasons)
    kept = table.select(["id", "place", *values]).filter(gone)
    why = reasons.filter(gone).cast(pa.string()).dictionary_encode().cast(REASON)
    columns: dict[str, Any] = {
        "pos": pa.array(positions[gone.to_numpy(zero_copy_only=False)]),
        "id": kept["id"],
        "place": kept["place"],
        "reason": why,
    }
    for name in values:
        columns[f"value_{name}"] = kept[name]
    head = pa.table(columns)
    return head.cast(pa.schema([*HEAD, *[head.schema.field(f"value_{name}") for name in values]]))


def deciding(schema: pa.Schema, reads: Sequence[str]) -> list[str]:
    """Those of the columns read that are plain values, and so can be kept beside a reason."""
    found = []
    for name in (n.rstrip("?") for n in reads):
        if name in schema.names and name not in ("id", "content_hash", "prompt_hash"):
            kind = schema.field(name).type
            if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
                found.append(name)
    return found


def text_of(values: Any) -> str | None:
    """The values a `Map` gave with its Drop, as canonical JSON with long texts cut."""
    if not values:
        return None
    cut = {key: value[:_LONGEST_TEXT] if isinstance(value, str) else value for key, value in values.items()}
    return json.dumps(cut, sort_keys=True, ensure_ascii=False)


def counted(reasons: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """How many rows a reason took, by reason."""
    counts = pc.value_counts(reasons)
    if isinstance(counts, pa.ChunkedArray):
        counts = counts.combine_chunks()
    return {item["values"]: item["counts"] for item in counts.to_pylist() if item["values"] is not None}
