"""`score.pairwise_to_scalar`: comparisons of some pairs become a cheap score of every answer."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.errors import InputError
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Columns, Context, Fit
from .reasons import floats


@final
@register("score.pairwise_to_scalar")
class PairwiseToScalar(Fit):
    """Fit a linear rater s with P(chosen better) = σ(s_chosen - s_rejected) to a judge's soft chances.

    The rater reads text vectors, learns from the pairs the judge is sure of, and scores both
    answers of every pair, judged or not: a few thousand comparisons price the whole pool. Scores
    have mean 0 and standard deviation 1 over all answers. A row that was judged is scored by a
    rater that did not see its prompt.
    """

    reads = ("chosen_vector", "rejected_vector", "{column}", "prompt_hash")
    writes = (
        Column("chosen_{to}", "rating of chosen", pa.float64(), "standard deviations", None, None, "higher"),
        Column("rejected_{to}", "rating of rejected", pa.float64(), "standard deviations", None, None, "higher"),
    )
    paper = "QuRating, arXiv 2402.09739"

    column: str = "judge_p"
    """The judge's chance that chosen is better, mean of both orders; null where it was not asked."""
    to: str = "rating"
    """Name of the score, after the side."""
    confidence: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Pairs taught from have |p - ½| of at least half of this: 0.5 takes p ≤ .25 and ≥ .75."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the prompts; each is scored by a rater taught from the others."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Ridge: a priori a difference of ratings has variance 1 / l2 (logits squared)."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        from ..models.heads import fold_of
        from ..models.logistic import times
        from ..models.pair_table import vectors_of

        if not len(narrow):
            return {column.name: pa.array([], pa.float64()) for column in self.columns_written()}
        p = floats(narrow.column(self.column))
        table = narrow.table(["chosen_vector", "rejected_vector"])
        vectors = [vectors_of(table, name) for name in table.column_names]
        there = [side.any(axis=1) for side in vectors]  # an absent text has a vector of zeros
        whole = there[0] & there[1]
        taught = np.flatnonzero(whole & (np.abs(p - 0.5) >= self.confidence / 2))
        if len(taught) < 2 * self.folds:
            cause = f"{len(taught)} pairs of {len(p)} have a sure verdict in {self.column}"
            hint = f"needed: {2 * self.folds} or more; lower confidence, or judge more pairs"
            raise InputError(cause, place=self.name, hint=hint)
        fold = fold_of(narrow.column("prompt_hash").to_numpy(), folds=self.folds, seed=ctx.seed)
        scores = [np.full(len(p), np.nan), np.full(len(p), np.nan)]
        for held in range(self.folds):
            out, seen = np.flatnonzero(fold == held), taught[fold[taught] != held]
            weights = self._taught(vectors[0][seen] - vectors[1][seen], p[seen])
            for side in (0, 1):
                scores[side][out] = times(vectors[side][out], weights)
        both = np.concatenate([side[known] for side, known in zip(scores, there, strict=True)])
        centre, spread = both.mean(), both.std() or 1.0
        rated = [(side - centre) / spread for side in scores]
        columns = [column.name for column in self.columns_written()]
        return {name: pa.array(side, mask=~known) for name, side, known in zip(columns, rated, there, strict=True)}

    def _taught(self, delta: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Weights [d]: cross-entropy against soft chances is each pair both ways, by its chances."""
        from ..models.heads import fit_head

        if not len(delta):
            raise InputError("all sure verdicts are of one fold of the prompts", place=self.name, hint="fewer folds")
        head = fit_head(np.concatenate([delta, -delta]), l2=self.l2, weights=np.concatenate([p, 1 - p]))
        weights: np.ndarray = head.weights / head.scale
        return weights
