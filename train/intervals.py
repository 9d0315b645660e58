"""95 % intervals of an accuracy measured on rows that hang together by prompt, over several seeds.

Rows of one prompt are not independent, so the variance is taken between prompts (Kish, 1965, the
design effect); what differs between seeds is added to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

Z: Final = 1.959964


@final
@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval, in the figure's own unit."""

    value: float
    low: float
    high: float


def accuracy_interval(correct: np.ndarray, prompts: np.ndarray) -> Interval:
    """Mean accuracy in [0, 1] of `correct` [seeds, n] on rows whose prompts [n] hash alike or not.

    A Wilson (1927) interval with the effective number of rows: n itself where every row has a
    prompt of its own and there is one seed. All NaN without rows.
    """
    rows = correct.shape[1]
    if not rows:
        return Interval(np.nan, np.nan, np.nan)
    sums, sizes = _by_prompt(correct.mean(axis=0), prompts)
    value = float(sums.sum() / rows)
    spread = float(np.sum((sums - value * sizes) ** 2)) / rows**2 + _between(correct)
    within = value * (1 - value)
    effective = within / spread if spread > 0 and within > 0 else float(len(sums))
    return _wilson(value, min(effective, float(rows)))


def difference_interval(ours: np.ndarray, theirs: np.ndarray, prompts: np.ndarray) -> Interval:
    """`ours` [n] minus the mean of `theirs` [seeds, n], on the same rows: > 0 = ours is better.

    Ours is one set where theirs are draws: were it drawn at random too, it would differ from their
    mean by their variance times 1 + 1/seeds. A t interval (Satterthwaite, 1946), within [-1, 1].
    """
    from scipy.stats import t

    seeds, rows = theirs.shape
    if not rows:
        return Interval(np.nan, np.nan, np.nan)
    sums, sizes = _by_prompt(ours - theirs.mean(axis=0), prompts)
    value, groups = float(sums.sum() / rows), len(sums)
    sampled = float(np.sum((sums - value * sizes) ** 2)) / rows**2 * groups / max(groups - 1, 1)
    drawn = _between(theirs) * (seeds + 1)
    spread = sampled + drawn
    squares = sampled**2 / max(groups - 1, 1) + drawn**2 / max(seeds - 1, 1)
    freedom = spread**2 / squares if squares > 0 else 1.0
    half = float(t.ppf(0.975, freedom)) * float(np.sqrt(spread))
    return Interval(value, max(value - half, -1.0), min(value + half, 1.0))


def _by_prompt(values: np.ndarray, prompts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    member = np.unique(prompts, return_inverse=True)[1]
    return np.bincount(member, values), np.bincount(member).astype(np.float64)


def _between(correct: np.ndarray) -> float:
    """Variance of the mean over seeds."""
    seeds = len(correct)
    return float(correct.mean(axis=1).var(ddof=1)) / seeds if seeds > 1 else 0.0


def _wilson(share: float, rows: float) -> Interval:
    scale = 1 + Z**2 / rows
    centre = (share + Z**2 / (2 * rows)) / scale
    half = Z / scale * float(np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2)))
    return Interval(share, max(centre - half, 0.0), min(centre + half, 1.0))
