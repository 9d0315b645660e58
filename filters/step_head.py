"""`score.step_head`: a small head that learns from judged steps and gives every step a chance."""

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
from .vectors import present_vectors


@final
@register("score.step_head")
class StepHead(Fit):
    """The chance that a step is productive, by a logistic head on the vectors of the step and its task.

    It learns from the steps `judge.steps` has judged and also gives chances to all others: rows the judge
    left out, or was no help with. Each step is judged by a head that saw no label of its task's fold, so
    that the chances of labelled steps can be held against their labels. All null when labels are fewer
    than folds, or all alike. The cheap model that Language Feedback Models are distilled to.
    """

    reads = ("steps_vector", "{column}_productive", "prompt_vector?", "prompt_hash")
    writes = (
        Column(
            "{column}_p",
            "chance that each step is productive",
            pa.list_(pa.float64()),
            "probability",
            0,
            1,
            "higher",
        ),
    )
    paper = "Language Feedback Models, arXiv 2402.07876 (head: house)"

    column: str = "steps"
    """What the names of the judged columns begin with."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the tasks; each is judged by a head fitted on the others."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Ridge: a priori a log-odds has variance 1 / l2."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        from ..models.calibration import sigmoid
        from ..models.heads import cross_fit

        vectors = narrow.column("steps_vector")
        lengths = pc.fill_null(pc.list_value_length(vectors), 0).to_numpy()
        rows = np.repeat(np.arange(len(vectors)), lengths)
        sign, known = self._labels(narrow, lengths)
        chances = pa.nulls(len(rows), pa.float64())
        if known.sum() >= self.folds and len(set(sign[known])) == 2:
            features = _features(narrow, vectors, rows) * sign[:, None].astype(np.float32)
            groups = narrow.column("prompt_hash").to_numpy()[rows]
            weights = known.astype(np.float64)
            margin = cross_fit(features, groups, folds=self.folds, seed=ctx.seed, l2=self.l2, weights=weights)
            chances = pa.array(sigmoid(sign * margin))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        mask = vectors.is_null() if vectors.null_count else None
        return {f"{self.column}_p": pa.ListArray.from_arrays(offsets, chances, mask=mask)}

    def _labels(self, narrow: Narrow, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1 or -1 by label, float64 [steps], and bool [steps]: which steps have one."""
        judged = narrow.column(f"{self.column}_productive")
        fits = pc.fill_null(pc.list_value_length(judged), -1).to_numpy() == lengths
        labels = judged.filter(pa.array(fits)).flatten()
        known, sign = np.repeat(fits, lengths), np.ones(int(lengths.sum()))
        sign[known] = np.where(pc.fill_null(labels, False).to_numpy(zero_copy_only=False), 1.0, -1.0)
        known[known] = labels.is_valid().to_numpy(zero_copy_only=False)
        return sign, known


def _features(narrow: Narrow, vectors: pa.Array, rows: np.ndarray) -> np.ndarray:
    """A step's vector, its products with its task's, and 1: float32 [steps, d]."""
    steps, _ = present_vectors(vectors.flatten())
    parts = [steps, np.ones((len(rows), 1), np.float32)]
    if "prompt_vector" in narrow.names:
        asked, _ = present_vectors(narrow.column("prompt_vector"))
        parts.insert(1, steps * asked[rows])
    return np.concatenate(parts, axis=1)
