"""How far several judges agree: Krippendorff's α, for any number of judges and missing values."""

from __future__ import annotations

from typing import Literal

import numpy as np

Level = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: np.ndarray, level: Level = "interval") -> float:
    """α = 1 - observed / expected disagreement; 1 = full agreement, 0 = chance, below 0 = worse.

    `ratings` is float [units, judges], NaN where a judge gave none; units with fewer than two values
    are left out. Distances: 1 for any two different values (nominal), the difference of the values
    (interval) or of their mid-ranks (ordinal), squared. NaN when no unit counts, or all values that
    do are equal. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.
    """
    ratings = np.asarray(ratings, np.float64)
    there = ~np.isnan(ratings)
    pairable = there.sum(axis=1) >= 2
    ratings, there = ratings[pairable], there[pairable]
    values, counts = np.unique(ratings[there], return_counts=True)
    if len(values) < 2:
        return float("nan")
    codes = np.searchsorted(values, np.where(there, ratings, values[0]))
    if level == "nominal":
        return _nominal(codes, there, counts)
    # The ordinal distance (n_c / 2 + … + n_k / 2)² is the squared difference of mid-ranks.
    at = values if level == "interval" else np.cumsum(counts) - counts / 2
    return _squared(np.where(there, at[codes], 0.0), there)


def _squared(values: np.ndarray, there: np.ndarray) -> float:
    """α for squared differences, by Σᵢ≠ⱼ (xᵢ - xⱼ)² = 2·(m·Σx² - (Σx)²)."""
    m = there.sum(axis=1)
    values = np.where(there, values - values[there].mean(), 0.0)
    observed = (2 * (m * (values**2).sum(axis=1) - values.sum(axis=1) ** 2) / (m - 1)).sum()
    n = m.sum()
    expected = 2 * (n * (values**2).sum() - values.sum() ** 2) / (n - 1)
    return float(1 - observed / expected)


def _nominal(codes: np.ndarray, there: np.ndarray, counts: np.ndarray) -> float:
    units, kinds = len(codes), len(counts)
    unit = np.repeat(np.arange(units), codes.shape[1]).reshape(codes.shape)
    table = np.bincount(unit[there] * kinds + codes[there], minlength=units * kinds).reshape(units, kinds)
    m = table.sum(axis=1)
    observed = ((m**2 - (table**2).sum(axis=1)) / (m - 1)).sum()
    n = counts.sum()
    expected = (n**2 - (counts.astype(np.float64) ** 2).sum()) / (n - 1)
    return float(1 - observed / expected)
