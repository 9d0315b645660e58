"""Strengths from comparisons: Bradley and Terry (1952), ties as in Davidson (1970), with intervals.

All wins, halves and ties together are one concave likelihood in the strengths (and the tie's own
weight), so Newton's method finds its maximum in a few steps where the classical minorise-maximise
iteration (Hunter, 2004) crawls on chains of items; each step is solved by conjugate gradients, in
time and memory that grow with the comparisons, not with the square of the items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np

from .errors import InputError, RunError

Ties = Literal["half", "davidson"]
MOST_INTERVALS: Final = 3000
"""Items up to which standard errors are given: they need the inverse of a matrix that large."""


@final
@dataclass(frozen=True)
class Strengths:
    """`values` [k] in logits, mean 0; `errors` [k] their standard errors (NaN beyond MOST_INTERVALS items).

    `tie` is log ν of Davidson's model, where P(tie) ∝ ν √(πᵢ πⱼ); NaN where ties count as halves.
    """

    values: np.ndarray
    errors: np.ndarray
    tie: float = float("nan")

    def chance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """P(first beats second), a tie left out."""
        return 0.5 * (1 + np.tanh((self.values[first] - self.values[second]) / 2))


def strengths(
    first: np.ndarray,
    second: np.ndarray,
    wins: np.ndarray,
    *,
    items: int,
    weight: np.ndarray | None = None,
    ties: Ties = "half",
    prior: float = 0.01,
) -> Strengths:
    """Strengths of `items` from comparisons [m]: `wins` in [0, 1] is the chance that first is better.

    Any soft chance will do (QuRating's mean of both orders), ½ is a tie: half a win for both, or an
    outcome of its own (`davidson`). Every strength has a normal prior of variance 1 / prior, which
    keeps items finite that never lost; with a small prior two items come to log(wins₁ / wins₂).
    """
    m = _Comparisons.of(first, second, wins, items, weight, ties, prior)
    theta = _maximised(m, items)
    values = theta[:items] - theta[:items].mean()
    tie = float(theta[items]) if ties == "davidson" and m.tied.any() else float("nan")
    return Strengths(values, m.errors(theta), tie)


def _maximised(m: _Comparisons, items: int) -> np.ndarray:
    """The parameters [items + 1] of greatest likelihood, by Newton's method."""
    theta = np.zeros(items + 1)
    value = m.likelihood(theta)
    for _ in range(200):
        slope = m.slope(theta)
        if np.abs(slope).max() <= 1e-9 * (1 + m.weight.sum()):
            return theta
        p = m.chances(theta)
        step = _conjugate(lambda v, p=p: m.curved(p, v), slope, m.diagonal(p))  # type: ignore[misc]
        size = 1.0
        while (now := m.likelihood(theta + size * step)) < value and size > 1e-10:
            size /= 2
        if size <= 1e-10:
            return theta
        theta, value = theta + size * step, now
    raise RunError("strengths did not converge in 200 steps", hint="raise prior")


@final
@dataclass(frozen=True)
class _Comparisons:
    """Comparisons with their shares of wins, losses and ties; the last parameter is log ν."""

    first: np.ndarray
    second: np.ndarray
    won: np.ndarray
    tied: np.ndarray
    weight: np.ndarray
    items: int
    prior: float

    @classmethod
    def of(
        cls, first: np.ndarray, second: np.ndarray, wins: np.ndarray, items: int, weight: np.ndarray | None,
        ties: Ties, prior: float,
    ) -> _Comparisons:  # fmt: skip
        first, second, wins = np.asarray(first, np.int64), np.asarray(second, np.int64), np.asarray(wins, np.float64)
        if not len(first) == len(second) == len(wins):
            raise InputError("comparisons need a first and a second item and an outcome each")
        if len(first) and not (min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) < items):
            raise InputError(f"an item is not in 0 … {items - 1}")
        if not ((wins >= 0) & (wins <= 1)).all() or not prior > 0:
            raise InputError("outcomes lie in [0, 1], the prior above 0")
        importance = np.ones(len(wins)) if weight is None else np.asarray(weight, np.float64)
        tied = (wins == 0.5) if ties == "davidson" else np.zeros(len(wins), bool)
        return cls(first, second, np.where(tied, 0.0, wins), tied.astype(np.float64), importance, items, prior)

    def chances(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """P(first), P(second), P(tie) for each comparison."""
        a, b = theta[self.first], theta[self.second]
        tie = (a + b) / 2 + theta[self.items] if self.tied.any() else np.full(len(a), -np.inf)
        top = np.maximum(np.maximum(a, b), tie)
        parts = np.exp(a - top), np.exp(b - top), np.exp(tie - top)
        total = parts[0] + parts[1] + parts[2]
        return parts[0] / total, parts[1] / total, parts[2] / total

    def likelihood(self, theta: np.ndarray) -> float:
        p, q, t = self.chances(theta)
        lost = 1 - self.won - self.tied
        told = sum(share * np.log(np.maximum(chance, 1e-300)) for share, chance in
                   ((self.won, p), (lost, q), (self.tied, t)))  # fmt: skip
        return float(self.weight @ told - self.prior * theta @ theta / 2)

    def slope(self, theta: np.ndarray) -> np.ndarray:
        p, q, t = self.chances(theta)
        lost = 1 - self.won - self.tied
        return self._scattered(self.won - p, lost - q, self.tied - t) - self.prior * theta

    def curved(self, p: tuple[np.ndarray, np.ndarray, np.ndarray], v: np.ndarray) -> np.ndarray:
        """The negative Hessian times v: prior, and n Cov(x) of each comparison's features."""
        a, b = v[self.first], v[self.second]
        tie = (a + b) / 2 + v[self.items]
        centre = p[0] * a + p[1] * b + p[2] * tie
        parts = p[0] * (a - centre), p[1] * (b - centre), p[2] * (tie - centre)
        return self._scattered(*parts) + self.prior * v

    def diagonal(self, p: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """The diagonal of the negative Hessian."""
        x, y = p[0] + p[2] / 2, p[1] + p[2] / 2
        first = self.weight * (p[0] + p[2] / 4 - x * x)
        second = self.weight * (p[1] + p[2] / 4 - y * y)
        found = np.bincount(self.first, first, self.items + 1) + np.bincount(self.second, second, self.items + 1)
        found[self.items] = float(self.weight @ (p[2] * (1 - p[2])))
        return found + self.prior

    def errors(self, theta: np.ndarray) -> np.ndarray:
        """Standard errors [items] of strengths less their mean, by the inverse of Fisher's information."""
        k = self.items
        if k > MOST_INTERVALS:
            return np.full(k, np.nan)
        p = self.chances(theta)
        x, y = p[0] + p[2] / 2, p[1] + p[2] / 2
        cross, with_tie = self.weight * (p[2] / 4 - x * y), self.weight * p[2]
        information = np.diag(self.diagonal(p))
        np.add.at(information, (self.first, self.second), cross)
        np.add.at(information, (self.second, self.first), cross)
        border = np.bincount(self.first, with_tie * (0.5 - x), k + 1) + np.bincount(
            self.second, with_tie * (0.5 - y), k + 1
        )
        border[k] = 0.0
        information[k] += border
        information[:, k] += border
        covariance = np.linalg.inv(information)[:k, :k]
        centred = covariance - covariance.mean(axis=0) - covariance.mean(axis=1)[:, None] + covariance.mean()
        return np.sqrt(np.maximum(np.diag(centred), 0))

    def _scattered(self, first: np.ndarray, second: np.ndarray, tie: np.ndarray) -> np.ndarray:
        n = self.items + 1
        found = np.bincount(self.first, self.weight * (first + tie / 2), n)
        found += np.bincount(self.second, self.weight * (second + tie / 2), n)
        found[self.items] += float(self.weight @ tie)
        return found


def _conjugate(times: Callable[[np.ndarray], np.ndarray], target: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """x with A x = target, by conjugate gradients preconditioned with A's diagonal."""
    x, left = np.zeros(len(target)), target.copy()
    eased = left / diagonal
    way, energy = eased.copy(), float(left @ eased)
    for _ in range(min(10 * len(target), 2000)):
        if np.abs(left).max() <= 1e-12 * np.abs(target).max():
            break
        bent = times(way)
        size = energy / float(way @ bent)
        x, left = x + size * way, left - size * bent
        eased = left / diagonal
        energy, before = float(left @ eased), energy
        way = eased + energy / before * way
    return x
