"""How far margins may be trusted when a share of the labels is reversed.

With noise τ a label agrees with the sign of a clean margin m of scale s with probability
τ + (1 - 2τ) σ(s m). The likelihood of the labels gives s, and τ where it is not known: rows of
large margin still disagree at the rate τ, which is what identifies it (the asymmetric case is
Natarajan et al., 2013). A margin is signed by its label: positive = chosen better.
"""

from __future__ import annotations

import numpy as np

LOG_SCALES = np.linspace(-5.0, 4.0, 73)
NOISES = np.linspace(0.0, 0.49, 50)
BINS = 256


def estimate_noise(margin: np.ndarray, sources: np.ndarray | None = None) -> float:
    """The share of reversed labels in [0, 0.49] under which margins [n] are most likely.

    `sources` [n] let every source have a scale of its own; the noise is common.
    """
    parts = [_by_scale(margin[rows]) for rows in members(len(margin), sources)]
    profile = [sum(_likelihood(right, counts, noise).max() for right, counts in parts) for noise in NOISES]
    return float(NOISES[int(np.argmax(profile))])


def most_likely(kinds: list[np.ndarray], noise: float | None, sources: np.ndarray | None = None) -> np.ndarray:
    """Of several margins [n] for the same pairs, in each source those under which its labels are most likely.

    Every kind is taken at its best scale, and with `noise` None at its best noise too; the first wins a tie.
    Margins must be out of fold, or what fits its own labels wins.
    """
    noises = NOISES if noise is None else np.array([noise])
    out = kinds[0].copy()
    for rows in members(len(out), sources):
        parts = [_by_scale(kind[rows]) for kind in kinds]
        best = [max(_likelihood(right, counts, n).max() for n in noises) for right, counts in parts]
        out[rows] = kinds[int(np.argmax(best))][rows]
    return out


def calibrate(margin: np.ndarray, noise: float, sources: np.ndarray | None = None) -> np.ndarray:
    """Margins [n] rescaled to clean log-odds, given the noise in [0, 0.5).

    A source's scale is drawn to the common one by a unit normal prior on its logarithm.
    """
    centre = _best(_likelihood(*_by_scale(margin), noise))
    out: np.ndarray = margin * np.exp(centre)
    if sources is None:
        return out
    prior = -0.5 * (LOG_SCALES - centre) ** 2
    for rows in members(len(margin), sources):
        fit = _likelihood(*_by_scale(margin[rows]), noise) + prior
        out[rows] = margin[rows] * np.exp(_best(fit))
    return out


def flip_chance(log_odds: np.ndarray, noise: float) -> np.ndarray:
    """Posterior chance [n] in [0, 1] that a label is reversed, from log-odds that it is right."""
    right = sigmoid(log_odds)
    return noise * (1 - right) / (noise * (1 - right) + (1 - noise) * right + 1e-300)


def members(rows: int, sources: np.ndarray | None) -> list[np.ndarray]:
    """The row numbers of every source, in the order of the sources; all rows without sources."""
    if sources is None:
        return [np.arange(rows)]
    codes = np.unique(sources, return_inverse=True)[1]
    return [np.flatnonzero(codes == code) for code in range(codes.max(initial=-1) + 1)]


def _by_scale(margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """σ(s m) [b, scales] and counts [b] of at most `BINS` quantile bins, whatever n is."""
    ordered = np.sort(margin)
    starts = np.unique(np.arange(BINS) * len(ordered) // BINS)
    counts = np.diff(np.append(starts, len(ordered)))
    values = np.add.reduceat(ordered, starts) / counts
    return sigmoid(values[:, None] * np.exp(LOG_SCALES)), counts.astype(np.float64)


def _likelihood(right: np.ndarray, counts: np.ndarray, noise: float) -> np.ndarray:
    """Log-likelihood at every scale of `LOG_SCALES`."""
    return counts @ np.log(noise + (1 - 2 * noise) * right + 1e-300)


def _best(likelihood: np.ndarray) -> float:
    return float(LOG_SCALES[int(np.argmax(likelihood))])


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(x / 2))
