"""`score.baseline_head`: what a reward head that knows only the original pairs makes of all pairs."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Columns, Context, Fit
from .reasons import numpy_of


@final
@register("score.baseline_head")
class BaselineHead(Fit):
    """Margins of augmented pairs and ties by a Bradley–Terry head fitted on the originals alone.

    Cross-fitted by the prompt a row was made from (`origin_hash`): the head that judges a row saw
    neither its original nor anything else of that prompt. Needs the columns of `embed.text`.
    """

    reads = (
        "prompt", "chosen", "rejected", "chosen_vector", "rejected_vector", "prompt_vector?", "prompt_hash",
        "augmentation", "origin_hash", "verdict?",
    )  # fmt: skip
    writes = (
        Column(
            "{to}",
            "margin by a head that saw the originals only",
            pa.float64(),
            "logit",
            None,
            None,
            "higher: chosen better",
        ),
    )
    paper = "Robust Reward Modeling via Causal Rubrics (Crome), arXiv 2506.16507 (its baseline); head: house"

    to: str = "margin"
    """Name of the column."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the original prompts; each is judged by a head fitted on the others."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Ridge: a priori a margin has variance 1 / l2."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        from ..models.heads import cross_fit
        from ..models.pair_table import comparable, pair_deltas

        table = narrow.table()
        margins, known = np.zeros(table.num_rows), np.zeros(table.num_rows, bool)
        if table.num_rows:
            known = comparable(table.drop_columns("verdict") if "verdict" in table.column_names else table)
            original = numpy_of(pc.fill_null(pc.equal(table["augmentation"], "original"), False))
            weights = (original & comparable(table))[known].astype(np.float64)
            enough = weights.sum() >= self.folds
            if enough:
                groups = numpy_of(table["origin_hash"])[known]
                delta = pair_deltas(table)[known]
                margins[known] = cross_fit(delta, groups, folds=self.folds, seed=ctx.seed, l2=self.l2, weights=weights)
            known &= enough
        return {self.to: pa.array(margins, mask=~known)}
