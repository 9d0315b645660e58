"""Figures with 95 % intervals: shares, means, differences. One row is one independent observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

Z: Final = 1.959964


@final
@dataclass(frozen=True)
class Estimate:
    """A figure from `n` observations and the ends of its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float
    n: int = 0

    @property
    def known(self) -> bool:
        """Whether there is a figure at all."""
        return bool(np.isfinite(self.value))


NOTHING: Final = Estimate(float("nan"), float("nan"), float("nan"))


def share(hits: float, of: int) -> Estimate:
    """`hits` out of `of` as a share in [0, 1], with Wilson's (1927) interval; halves may count."""
    if of <= 0:
        return NOTHING
    p = hits / of
    scale = 1 + Z**2 / of
    centre = (p + Z**2 / (2 * of)) / scale
    half = Z / scale * float(np.sqrt(p * (1 - p) / of + Z**2 / (4 * of**2)))
    return Estimate(float(p), max(centre - half, 0.0), min(centre + half, 1.0), int(of))


def share_of(values: np.ndarray) -> Estimate:
    """The share of true (or the mean of 0, ½, 1) among the values [n] that are not NaN."""
    there = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    return share(float(there.sum()), len(there))


def mean(values: np.ndarray) -> Estimate:
    """The mean of the values [n] that are not NaN, with a normal interval (sample variance, n - 1)."""
    there = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    if not len(there):
        return NOTHING
    value = float(there.mean())
    return around(value, float(there.var(ddof=1)) / len(there) if len(there) > 1 else float("nan"), len(there))


def around(value: float, variance: float, n: int) -> Estimate:
    """A figure and its normal interval, from the figure's own variance."""
    half = Z * float(np.sqrt(max(variance, 0.0)))
    return Estimate(float(value), float(value - half), float(value + half), n)


def by_resampling(value: float, draws: np.ndarray, n: int) -> Estimate:
    """A figure and the 2.5 % and 97.5 % quantiles of its bootstrap draws (Efron, 1979)."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return Estimate(float(value), float("nan"), float("nan"), n)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high), n)
