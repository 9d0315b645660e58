"""Which of the regions found in a picture is which subject: one-to-one matching by likeness or by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

Matching = Literal["hungarian", "greedy", "category"]
Reduce = Literal["mean", "product", "min"]
NONE: Final = -1


def hungarian(likeness: np.ndarray) -> np.ndarray:
    """int64 [n]: the region each of n subjects takes so that the sum of likeness [n, m] is largest; -1 = none.

    Each region is taken once at most, and as many subjects as there are regions for take one: what all
    subjects resemble cannot stand for all of them. MultiCrafter, arXiv 2509.21953.
    """
    from scipy.optimize import linear_sum_assignment

    taken = np.full(len(likeness), NONE, np.int64)
    if likeness.size:
        rows, columns = linear_sum_assignment(likeness, maximize=True)
        taken[rows] = columns
    return taken


def greedy(likeness: np.ndarray) -> np.ndarray:
    """int64 [n]: the same by always taking the largest likeness left, the first of equals; never better."""
    taken = np.full(len(likeness), NONE, np.int64)
    free = np.ones(likeness.shape[1] if likeness.ndim == 2 else 0, bool)
    for flat in np.argsort(-likeness, axis=None, kind="stable"):
        row, column = divmod(int(flat), likeness.shape[1])
        if taken[row] == NONE and free[column]:
            taken[row], free[column] = column, False
    return taken


def by_category(wanted: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """int64 [n]: the k-th subject of a name takes the k-th region of that label; -1 where there is none.

    `labels` stand best first, so that two dogs take the two surest regions of dogs.
    """
    queues = {name: iter([k for k, label in enumerate(labels) if label == name]) for name in wanted}
    return np.array([next(queues[name], NONE) for name in wanted], np.int64)


def matched(way: Matching, likeness: np.ndarray, wanted: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """int64 [n]: the region of each subject by likeness [n, m], or by name alone; -1 = none."""
    if way == "category":
        return by_category(wanted, labels)
    return hungarian(likeness) if way == "hungarian" else greedy(likeness)


def reduced(values: np.ndarray, reduce: Reduce) -> float:
    """One number of n ≥ 1 values, float64 [n]; for a product negative values count as 0, lest two make a good one."""
    if reduce == "product":
        return float(np.prod(np.maximum(values, 0.0)))
    return float(values.min() if reduce == "min" else values.mean())
