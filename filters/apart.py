"""Keep pairs whose scores differ beyond their uncertainty."""

from __future__ import annotations

from typing import final

import numpy as np
import pyarrow as pa

from ..core.registry import register
from ..core.stage import Gate
from .reasons import first_reasons, floats


@final
@register("filter.apart")
class Apart(Gate):
    """Drop pairs whose intervals overlap: the chosen score's lower end must lie above the rejected one's upper end.

    For scores with an interval, such as `score.icl_utility`, paired with `also: [<score>_low, <score>_high]`.
    """

    reads = ("chosen_{score}_low", "rejected_{score}_high")
    paper = "house; after ARTE, arXiv 2406.19227"

    score: str
    """The score whose interval stands in <score>_low and <score>_high, after the side."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        low, high = floats(batch[f"chosen_{self.score}_low"]), floats(batch[f"rejected_{self.score}_high"])
        missing = np.isnan(low) | np.isnan(high)
        return first_reasons(batch.num_rows, [(missing, "no interval"), (low <= high, "intervals overlap")])
