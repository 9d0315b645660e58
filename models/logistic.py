"""The penalised logistic likelihood of difference features, and its minimum.

L-BFGS (Nocedal, 1980) from a fixed bound on the curvature (Böhning and Lindsay, 1988): the bound is
factored once for many fits on parts of the same rows, and each fit then takes a dozen cheap steps.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import final

import numpy as np

from ..core.errors import InputError, RunError
from .calibration import sigmoid

CHUNK = 65_536  # rows widened to float64 at a time
WIDE = 20_000_000  # numbers kept as float64 at once
MEMORY = 12  # steps the minimiser remembers
CURVATURE_ROWS = 20_000  # rows the Hessian is taken from; beyond them it is a scaled sample


@final
@dataclass(frozen=True)
class Problem:
    """The penalised likelihood of one fit, in the scaled features' weights."""

    delta: np.ndarray
    scale: np.ndarray
    importance: np.ndarray
    ridge: float

    @classmethod
    def of(cls, delta: np.ndarray, l2: float, weights: np.ndarray | None) -> Problem:
        rows = _checked(delta, l2)
        importance = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
        if importance.shape != (rows,) or (importance < 0).any():
            raise InputError("weights need one number a pair, none below 0")
        return cls(delta, _rms(delta), importance, l2 * delta.shape[1])

    def loss(self, w: np.ndarray, margin: np.ndarray) -> float:
        return float(self.importance @ np.logaddexp(0, -margin) + self.ridge / 2 * (w @ w))

    def gradient(self, w: np.ndarray, chance: np.ndarray) -> np.ndarray:
        pull = _times_transposed(self.delta, self.importance * chance)
        slope: np.ndarray = self.ridge * w - pull / self.scale
        return slope

    def solved(self, curvature: Curvature) -> np.ndarray:
        """The weights at the minimum: L-BFGS (Nocedal, 1980) from a fixed bound on the curvature."""
        w, margin = np.zeros(self.delta.shape[1]), np.zeros(len(self.delta))
        gradient = self.gradient(w, sigmoid(-margin))
        past: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MEMORY)
        for _ in range(2000):
            if np.abs(gradient).max() <= 1e-7 * (self.ridge + self.importance.sum()):
                return w
            step = -_direction(gradient, past, curvature)
            w_next, margin = self.descend(w, margin, step, float(gradient @ step))
            gradient_next = self.gradient(w_next, sigmoid(-margin))
            moved, turned = w_next - w, gradient_next - gradient
            if moved @ turned > 0:
                past.append((moved, turned))
            w, gradient = w_next, gradient_next
        raise RunError("the reward head did not converge in 2000 steps", hint="raise l2")

    def descend(
        self, w: np.ndarray, margin: np.ndarray, step: np.ndarray, slope: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The longest of the steps 1, ½, ¼ … that lowers the loss enough (Armijo, 1966)."""
        loss = self.loss(w, margin)
        move = times(self.delta, step / self.scale)
        size = 1.0
        while self.loss(w + size * step, margin + size * move) > loss + 1e-4 * size * slope and size >= 1e-6:
            size /= 2
        return w + size * step, margin + size * move


@final
@dataclass(frozen=True)
class Curvature:
    """An upper bound on a problem's curvature, ¼ Xᵀ W X + ridge, as its inverse [d, d].

    Of a scaled sample of rows when there are many; bounds every fit on a part of the rows.
    """

    inverse: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> Curvature:
        """The bound of one problem (Böhning and Lindsay, 1988)."""
        n, d = problem.delta.shape
        stride = -(-n // max(CURVATURE_ROWS, 20 * d))
        sample = problem.importance[::stride] / 4
        grow = problem.importance.sum() / 4 / sample.sum() if sample.sum() > 0 else 1.0
        rows = problem.delta[::stride] / problem.scale * np.sqrt(sample * grow)[:, None]
        return cls(np.linalg.inv(rows.T @ rows + problem.ridge * np.eye(d)))


def _direction(gradient: np.ndarray, past: deque[tuple[np.ndarray, np.ndarray]], curvature: Curvature) -> np.ndarray:
    """The two-loop recursion: the gradient times an inverse Hessian made of `past` and the bound."""
    found, shares = gradient.copy(), []
    for moved, turned in reversed(past):
        share = (moved @ found) / (moved @ turned)
        found -= share * turned
        shares.append(share)
    found = curvature.inverse @ found
    if past:
        moved, turned = past[-1]
        found *= (moved @ turned) / (turned @ (curvature.inverse @ turned))
    for (moved, turned), share in zip(past, reversed(shares), strict=True):
        found += (share - (turned @ found) / (moved @ turned)) * moved
    return found


def widened(delta: np.ndarray) -> np.ndarray:
    """Features as float64 where that is small, so that they are converted once; else as they are."""
    return np.asarray(delta, np.float64) if delta.size <= WIDE else delta


def _checked(delta: np.ndarray, l2: float) -> int:
    if delta.ndim != 2 or not len(delta) or not delta.shape[1]:
        raise InputError(f"features of shape {delta.shape}", hint="needed: pairs by features")
    if not np.isfinite(delta).all():
        row = int(np.flatnonzero(~np.isfinite(delta).all(axis=1))[0])
        raise InputError("a feature is not finite", place=f"pair {row}")
    if not l2 > 0:
        raise InputError(f"l2 is {l2}", hint="needed: above 0, else separable pairs have no fit")
    return len(delta)


def _rms(delta: np.ndarray) -> np.ndarray:
    """Root mean square [d] of each column; 1 where the column is zero."""
    squares = sum(np.square(delta[at : at + CHUNK], dtype=np.float64).sum(axis=0) for at in range(0, len(delta), CHUNK))
    rms = np.sqrt(squares / len(delta))
    return np.where(rms > 0, rms, 1.0)


def times(delta: np.ndarray, w: np.ndarray) -> np.ndarray:
    """delta [n, d] @ w [d] as float64, a chunk of rows widened at a time."""
    parts = [delta[at : at + CHUNK] @ w for at in range(0, len(delta), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _times_transposed(delta: np.ndarray, values: np.ndarray) -> np.ndarray:
    starts = range(0, len(delta), CHUNK)
    total = np.zeros(delta.shape[1])
    for at in starts:
        total += values[at : at + CHUNK] @ delta[at : at + CHUNK]
    return total
