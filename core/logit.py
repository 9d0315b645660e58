"""Logistic regression on a few columns, with intervals that hold for soft and tied outcomes too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from .errors import InputError
from .estimates import Estimate, around


@final
@dataclass(frozen=True)
class Logit:
    """Weights [k] of log-odds and their covariance [k, k], from `n` rows."""

    weights: np.ndarray
    covariance: np.ndarray
    n: int

    def chance(self, x: np.ndarray) -> np.ndarray:
        """P(1) in (0, 1) for rows [m, k]."""
        return sigmoid(x @ self.weights)

    def weight(self, k: int) -> Estimate:
        """One weight with its 95 % interval."""
        return around(self.weights[k], self.covariance[k, k], self.n)


def fit_logit(x: np.ndarray, y: np.ndarray, ridge: np.ndarray | float = 0.1, groups: np.ndarray | None = None) -> Logit:
    """The weights that minimise the log loss plus ½ Σ ridgeₖ wₖ², by Newton's method.

    `x` is float [n, k] (add a column of ones for an intercept), `y` [n] lies in [0, 1]: a tie or a
    chance is allowed, as the sandwich covariance (White, 1982) does not lean on y being 0 or 1.
    `ridge` is a number or [k]; the weak default only keeps separable rows finite. Rows of one group
    [n] (codes from 0) may hang together.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    _check(x, y)
    penalty = np.broadcast_to(np.asarray(ridge, np.float64), x.shape[1:])
    w = np.zeros(x.shape[1])
    loss = _loss(x, y, penalty, w)
    for _ in range(100):
        p = sigmoid(x @ w)
        slope = x.T @ (p - y) + penalty * w
        step = np.linalg.lstsq(_curvature(x, p, penalty), slope, rcond=None)[0]
        size, fall = 1.0, float(slope @ step)
        while (now := _loss(x, y, penalty, w - size * step)) > loss - 1e-4 * size * fall and size > 1e-8:
            size /= 2
        w, loss = w - size * step, now
        if fall < 1e-12 * max(1.0, loss):
            break
    p = sigmoid(x @ w)
    inverse = np.linalg.pinv(_curvature(x, p, penalty))
    spread = x * (p - y)[:, None]
    if groups is not None:
        spread = np.column_stack([np.bincount(groups, column) for column in spread.T])
    return Logit(w, inverse @ (spread.T @ spread) @ inverse, len(y))


def _check(x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim != 2 or len(x) != len(y) or not len(y):
        raise InputError(f"{x.shape} features for {y.shape} outcomes", hint="one row of features an outcome")
    if not (np.isfinite(x).all() and ((y >= 0) & (y <= 1)).all()):
        raise InputError("features must be finite and outcomes lie in [0, 1]")


def log_loss(p: np.ndarray, y: np.ndarray) -> float:
    """Mean cross-entropy in nats of chances [n] for outcomes [n] in [0, 1]."""
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).mean())


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(x, np.float64) / 2))


def _curvature(x: np.ndarray, p: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    return (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)


def _loss(x: np.ndarray, y: np.ndarray, penalty: np.ndarray, w: np.ndarray) -> float:
    margin = x @ w
    return float((np.logaddexp(0, margin) - y * margin).sum() + 0.5 * (penalty * w) @ w)
