"""How hard prompts are for a model, from the scores of its answers, and thirds by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.declared import Column
from ..core.errors import InputError
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Fit
from .reasons import floats

BINS: Final = ("hard", "medium", "easy")


@final
@register("score.difficulty")
class Difficulty(Fit):
    """The mean score of a row's sampled answers, and whether that is in the set's upper, middle or lower third.

    High = easy for the model that answered. Equal means share a bin, that of their middle rank, so that on a
    skewed set the bins differ in size instead of parting equals. With `cuts` the bins are fixed. CDF, 2023.
    """

    reads = ("{score}",)
    writes = (
        Column("difficulty", "mean score of the answers", pa.float64(), "of the score", None, None, "higher: easier"),
        Column("difficulty_bin", "easy, medium or hard; null without a score", pa.string()),
    )
    paper = "Alignment with constructive and diverse feedback (CDF), 2023 (mean of samples and thirds: house)"

    score: str
    """Column with a list of scores, one an answer, or one number."""
    cuts: tuple[float, float] | None = None
    """Means below the first are hard, from the second on easy, in the score's unit; null = thirds of the set."""

    def faults(self) -> Sequence[str]:
        if self.cuts is not None and self.cuts[0] > self.cuts[1]:
            return [f"cuts: {self.cuts[0]} is above {self.cuts[1]}"]
        return []

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        means = _means(narrow.column(self.score), self.score)
        place = _thirds(means) if self.cuts is None else np.searchsorted(self.cuts, means, side="right")
        bins = [BINS[k] if np.isfinite(mean) else None for k, mean in zip(place, means, strict=True)]
        return {
            "difficulty": pa.array(np.where(np.isfinite(means), means, 0.0), mask=~np.isfinite(means)),
            "difficulty_bin": pa.array(bins, pa.string()),
        }


def _thirds(means: np.ndarray) -> np.ndarray:
    """0, 1 or 2 [n] by the middle rank of each mean among the finite ones, equal means having one rank."""
    known = np.isfinite(means)
    place = np.zeros(len(means), np.int64)
    _, member, counts = np.unique(means[known], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    place[known] = np.minimum(3 * middle[member] / max(int(known.sum()), 1), 2).astype(np.int64)
    return place


def _means(column: pa.Array, name: str) -> np.ndarray:
    """Means [n] of the finite entries of each list, NaN where there is none; numbers as they are."""
    if not pa.types.is_list(column.type):
        return floats(column)
    lists = flat(column)
    try:
        values, rows = floats(pc.list_flatten(lists)), pc.list_parent_indices(lists).to_numpy()
    except InputError as error:
        raise InputError(f"{name} is no list of numbers", hint="name the scores of the candidates") from error
    there = np.isfinite(values)
    counts = np.bincount(rows[there], minlength=len(lists))
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.bincount(rows[there], values[there], len(lists)) / np.where(counts, counts, np.nan)
    return means
