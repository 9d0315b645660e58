"""The proxy reward that needs no download: a small head, cross-fitted on the set itself."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Columns, Context, Fit


@final
@register("score.reward_head")
class RewardHeadScore(Fit):
    """Out-of-fold margins of a logistic Bradley–Terry head on text vectors and surface features.

    Each row is judged by a head that saw no label of its prompt's fold, so a margin below 0 says
    that the rest of the set would have voted the other way. A proxy: it knows what *these* labels
    reward, nothing more.
    """

    reads = (
        "prompt",
        "chosen",
        "rejected",
        "chosen_vector",
        "rejected_vector",
        "prompt_vector?",
        "prompt_hash",
        "verdict?",
    )
    writes = (
        Column(
            "margin",
            "cross-fitted margin of the reward head",
            pa.float64(),
            "logit",
            None,
            None,
            "higher: chosen better",
        ),
    )
    paper = "Bradley and Terry, 1952; cross-fitting: Chernozhukov et al., 2018"

    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the prompts; each is judged by a head fitted on the others."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Ridge: a priori a margin has variance 1 / l2."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        from ..models.heads import cross_fit
        from ..models.pair_table import comparable, pair_deltas

        table = narrow.table()
        margins = np.zeros(table.num_rows)
        sound = comparable(table) if table.num_rows else np.zeros(0, bool)
        if sound.sum() >= self.folds:
            delta = pair_deltas(table)[sound]
            groups = table["prompt_hash"].to_numpy()[sound]
            margins[sound] = cross_fit(delta, groups, folds=self.folds, seed=ctx.seed, l2=self.l2)
        return {"margin": pa.array(margins, mask=~sound)}
