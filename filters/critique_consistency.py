"""`filter.critique_consistency`: keep pairs whose critiques bear out the label."""

from __future__ import annotations

from typing import Annotated, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.registry import register
from ..core.row import flat
from ..core.stage import Gate
from .reasons import first_reasons, floats


@final
@register("filter.critique_consistency")
class CritiqueConsistency(Gate):
    """Drop pairs whose critiques score the rejected answer higher, and those with too few critiques.

    A pair that goes is no example for a critic; as a plain preference it may still be right. Equal
    means are ties and no conflicts. Needs `synth.self_critique`.
    """

    reads = ("consistency", "noise_score")
    paper = "Critic-RM, arXiv 2411.16646"

    ties: Literal["keep", "drop"] = "drop"
    """What becomes of pairs with equal means."""
    most_noise: Annotated[float | None, Field(ge=0, le=1)] = None
    """Largest noise score kept, in [0, 1]; null = any."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        said = np.array(pc.fill_null(flat(batch["consistency"]).cast(pa.string()), "").to_pylist(), dtype=object)
        rules = [(said == "", "too few sound critiques"), (said == "conflict", "critiques conflict with the label")]
        if self.ties == "drop":
            rules.append((said == "tie", "critiques tie"))
        if self.most_noise is not None:
            rules.append((floats(batch["noise_score"]) > self.most_noise, "noise score above most_noise"))
        return first_reasons(batch.num_rows, rules)
