"""A measure between two images of a set, as one of the whole set and of what each image adds to it."""

from __future__ import annotations

import numpy as np


def over_pairs(measure: np.ndarray) -> tuple[float, np.ndarray | None]:
    """Mean over all pairs of n ≥ 2 members of a symmetric measure, float64 [n, n], and each member's gain [n].

    A gain is the mean less that of the set without the member; with two members there is none, as one is no set.
    """
    n = len(measure)
    between = measure - np.diag(np.diag(measure))
    mean = float(between.sum() / (n * (n - 1)))
    if n == 2:
        return mean, None
    without = (between.sum() - 2 * between.sum(axis=1)) / ((n - 1) * (n - 2))
    return mean, mean - without


def placed(values: np.ndarray | None, places: list[int], length: int | None) -> list[float | None] | None:
    """Values of members at their places among `length` candidates, null elsewhere; null where there are none."""
    if length is None:
        return None
    found: list[float | None] = [None] * length
    for place, value in zip(places, values.tolist() if values is not None else (), strict=False):
        found[place] = value
    return found
