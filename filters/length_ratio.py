"""Keep pairs whose answers are about equally long, so that length cannot tell which is better."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Gate
from .reasons import first_reasons, floats


@final
@register("filter.length_ratio")
class LengthRatio(Gate):
    """Drop pairs whose longer answer has more than `most` times the characters of the shorter."""

    reads = ("chosen_chars", "rejected_chars")
    paper = "WritingPreferenceBench, 2025 (its matching by length)"

    most: Annotated[float, Field(ge=1)] = 1.3
    """Largest ratio kept; an empty answer counts as one character. `score.length` counts them."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        chosen, rejected = (np.maximum(floats(batch[name]), 1) for name in self.reads)
        ratio = np.maximum(chosen, rejected) / np.minimum(chosen, rejected)
        return first_reasons(len(ratio), [(np.isnan(ratio), "no length"), (ratio > self.most, "lengths too unequal")])
