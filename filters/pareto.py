"""`select.pareto`: rows that no other row beats on every count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import codes, first_reasons, floats


@final
@register("select.pareto")
class Pareto(Select):
    """Keep the rows on the front of several scores: those that no other is at least as good as on all, better on one.

    For scores that pull apart and must not be summed, as how alike a set's pictures are (`setwise`) and how
    varied their layouts (`set_layout`). Equal rows stay together. A row that lacks one of the scores goes.
    """

    reads = ("{by}", "{lower}", "{per}")
    paper = "ConsiStory, arXiv 2402.03286 (consistency against varied layouts); the front as a selection: house"

    by: Annotated[tuple[str, ...], Field(min_length=1)] = ("setwise", "set_layout")
    """Columns of scores, higher = better."""
    lower: tuple[str, ...] = ()
    """Columns of scores, lower = better."""
    per: str | None = None
    """Column whose equal values form a group with a front of its own; null = one front of the whole set."""

    def faults(self) -> Sequence[str]:
        names = (*self.by, *self.lower)
        if len(set(names)) < len(names):
            return ["by and lower name a column twice"]
        return ["a front needs two columns or more; select.top ranks by one"] if len(names) < 2 else []

    def select(self, narrow: Narrow) -> pa.Array:
        merits = [floats(narrow.column(name)) for name in self.by]
        merits += [-floats(narrow.column(name)) for name in self.lower]
        merit = np.stack(merits, axis=1)
        missing = np.isnan(merit).any(axis=1)
        groups = np.zeros(len(merit), np.int64) if self.per is None else codes(narrow.column(self.per))
        beaten = np.zeros(len(merit), bool)
        there = np.flatnonzero(~missing)
        order = there[np.argsort(groups[there], kind="stable")]
        for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
            beaten[rows] = dominated(merit[rows])
        return first_reasons(len(merit), [(missing, "a score is missing"), (beaten, "another is better on all counts")])


def dominated(merit: np.ndarray) -> np.ndarray:
    """bool [n]: whether another row of float64 [n, k] is at least as large everywhere and larger somewhere.

    Of the rows left the best by their first score, then their second, is on the front: what it beats goes.
    """
    unique, inverse = np.unique(merit, axis=0, return_inverse=True)
    beaten = np.ones(len(unique), bool)
    left = np.arange(len(unique))[::-1]
    while len(left):
        best, left = left[0], left[1:]
        beaten[best] = False
        left = left[~(unique[best] >= unique[left]).all(axis=1)]
    return np.asarray(beaten[inverse.reshape(-1)])
