"""`score.pool_z`: scores of candidates in standard deviations of all candidates of the set."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Fit


@final
@register("score.pool_z")
class PoolZ(Fit):
    """Centre each candidate score on the mean of all candidates of all rows, and divide by their deviation.

    Scores of different units can then be held against each other: a difference of 1 is one standard
    deviation of the pool. A score that is the same everywhere becomes 0; what was null stays null.
    """

    reads = ("{scores}",)
    writes = (
        Column(
            "{scores}_z", "the score, one number a candidate, over the pool", pa.list_(pa.float64()),
            "standard deviations", None, None, "as the score",
        ),
    )  # fmt: skip
    paper = "DreamBoothDPO, arXiv 2505.20975 (two scores as a direction); the scaling: house"

    scores: Annotated[tuple[str, ...], Field(min_length=1)]
    """Columns with one number a candidate."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        return {f"{name}_z": standardised(narrow.column(name)) for name in self.scores}


def standardised(column: pa.Array) -> pa.Array:
    """Lists of numbers [n] as lists of z-scores over all of them (population deviation); null and NaN become null."""
    lists = flat(column).cast(pa.list_(pa.float64()))
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    there = np.isfinite(values)
    some = values[there]
    spread = float(some.std()) if len(some) else 0.0
    z = np.zeros(len(values))
    if spread > 0:
        z[there] = (some - some.mean()) / spread
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    mask = lists.is_null() if lists.null_count else None
    return pa.ListArray.from_arrays(offsets, pa.array(z, mask=~there), mask=mask)
