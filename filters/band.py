"""Keep rows whose score lies in a band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import pyarrow as pa

from ..core.registry import register
from ..core.stage import Gate
from .reasons import first_reasons, floats


@final
@register("filter.band")
class Band(Gate):
    """Drop rows whose column lies below `low` or above `high`; the bounds themselves are kept.

    For measures that are wrong at both ends: a degraded image too like the clean one is no negative,
    one too unlike it teaches nothing. `filter.margin` also knows quantiles and the best of a prompt.
    """

    reads = ("{column}",)
    paper = "house; the optimum between too weak and too strong: arXiv 2506.03621"

    column: str = "similarity"
    """Column of numbers that decides."""
    low: float | None = None
    """Smallest value kept, in the column's unit; null = no limit."""
    high: float | None = None
    """Largest value kept; null = no limit."""

    def faults(self) -> Sequence[str]:
        if self.low is None and self.high is None:
            return ["a band needs low, high or both"]
        if self.low is not None and self.high is not None and self.low > self.high:
            return [f"low ({self.low}) is above high ({self.high})"]
        return ()

    def why_drop(self, batch: pa.Table) -> pa.Array:
        value = floats(batch[self.column])
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        rules = [(np.isnan(value), "no value"), (value < low, "below the band"), (value > high, "above the band")]
        return first_reasons(len(value), rules)
