"""Keep pairs in which the chosen answer is the honest one, or of two honest ones the better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Gate
from .reasons import first_reasons, floats


@final
@register("filter.honest_pairs")
class HonestPairs(Gate):
    """Keep honest over dishonest (stage one), or of two honest answers one at or above a threshold over one
    below it (stage two), by the columns of `judge.h2`. HonestLLM (Gao et al., 2024).
    """

    reads = ("chosen_{column}", "rejected_{column}", "chosen_{column}_honest", "rejected_{column}_honest")
    paper = "HonestLLM (HoneSet), arXiv 2406.00380"

    column: str = "h2"
    """What the columns of `judge.h2` are called, after the side."""
    stage: Literal["one", "two", "either"] = "either"
    """Which pairs are kept: for the first stage of training, the second, or both kinds."""
    threshold: Annotated[float, Field(ge=1, le=10)] = 6.0
    """Overall score that parts good from poor among honest answers, 1 to 10; the paper tries 5, 6 and 7."""

    def faults(self) -> Sequence[str]:
        return ["column is empty: name the score of judge.h2"] if not self.column else []

    def why_drop(self, batch: pa.Table) -> pa.Array:
        names = [f"{side}_{self.column}" for side in ("chosen", "rejected")]
        scores = [floats(batch[name]) for name in names]
        honest = [floats(batch[f"{name}_honest"]) for name in names]
        one = (honest[0] == 1) & (honest[1] == 0)
        two = (honest[0] == 1) & (honest[1] == 1) & (scores[0] >= self.threshold) & (scores[1] < self.threshold)
        kept = {"one": one, "two": two, "either": one | two}[self.stage]
        unjudged = np.asarray(np.isnan([*scores, *honest]).any(axis=0))
        return first_reasons(
            batch.num_rows,
            [
                (unjudged, "not judged"),
                (honest[0] == 0, "the chosen answer is not honest"),
                (~kept, "not parted by honesty or threshold"),
            ],
        )
