"""Sparse linear regression: the lasso (Tibshirani, 1996) by coordinate descent, its penalty by cross-validation."""

from __future__ import annotations

import numpy as np

PENALTIES = 60


def lasso(x: np.ndarray, y: np.ndarray, penalty: float, start: np.ndarray | None = None) -> np.ndarray:
    """Weights [k] that minimise |y - x w|² / (2 n) + penalty Σ |w|, for centred x [n, k] and y [n]."""
    n = len(y)
    gram, pull = x.T @ x / n, x.T @ y / n
    w = np.zeros(x.shape[1]) if start is None else start.copy()
    scale = float(np.abs(pull).max(initial=0.0)) or 1.0
    for _ in range(5000):
        moved = 0.0
        for k in np.flatnonzero(np.diag(gram) > 0):
            left = pull[k] - gram[k] @ w + gram[k, k] * w[k]
            new = np.sign(left) * max(abs(left) - penalty, 0.0) / gram[k, k]
            moved, w[k] = max(moved, abs(new - w[k]) * gram[k, k]), new
        if moved < 1e-8 * scale:
            break
    return w


def penalty_by_folds(x: np.ndarray, y: np.ndarray, folds: int, seed: int) -> float:
    """The penalty of least squared error on rows not fitted on, of `PENALTIES` from the largest that counts."""
    x, y = x - x.mean(axis=0), y - y.mean()
    top = float(np.abs(x.T @ y / len(y)).max(initial=0.0)) or 1.0
    grid = top * np.logspace(0, -3, PENALTIES)
    fold = np.random.default_rng(seed).permutation(len(y)) % folds
    losses = np.zeros(PENALTIES)
    for held in range(folds):
        out = fold == held
        means, level = x[~out].mean(axis=0), float(y[~out].mean())
        w = np.zeros(x.shape[1])
        for k, penalty in enumerate(grid):
            w = lasso(x[~out] - means, y[~out] - level, float(penalty), w)
            losses[k] += float(np.sum((y[out] - level - (x[out] - means) @ w) ** 2))
    return float(grid[int(np.argmin(losses))])
