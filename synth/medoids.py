"""k-medoids of a few vectors: which of them stand for the others."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np

_EXACT: Final = 20_000
"""Most choices of medoids that are all tried."""


def medoids(vectors: np.ndarray, k: int) -> tuple[list[int], np.ndarray]:
    """The k rows of unit vectors [n, d] nearest to all others, and each row's nearest of them, int64 [n].

    Minimises Σ (1 - cosine to the nearest medoid); of equal choices the first in lexical order. All choices
    are tried while they are few, as with n ≤ 20; beyond that medoids are exchanged while it helps (PAM,
    Kaufman & Rousseeuw 1987). Medoids come in row order; min(k, n) of them.
    """
    n = len(vectors)
    k = min(k, n)
    rows = np.asarray(vectors, np.float64)
    distance: np.ndarray = 1.0 - rows @ rows.T
    np.fill_diagonal(distance, 0.0)
    distance = np.round(np.maximum(distance, 0.0), 9)
    chosen = _all_tried(distance, k) if _choices(n, k) <= _EXACT else _exchanged(distance, k)
    return chosen, np.argmin(distance[:, chosen], axis=1)


def _choices(n: int, k: int) -> float:
    found = 1.0
    for i in range(k):
        found *= (n - i) / (i + 1)
    return found


def _cost(distance: np.ndarray, chosen: list[int]) -> float:
    return round(float(distance[:, chosen].min(axis=1).sum()), 9)


def _all_tried(distance: np.ndarray, k: int) -> list[int]:
    return list(min(combinations(range(len(distance)), k), key=lambda chosen: (_cost(distance, list(chosen)), chosen)))


def _exchanged(distance: np.ndarray, k: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < k:
        rest = [i for i in range(len(distance)) if i not in chosen]
        chosen.append(min(rest, key=lambda i: (_cost(distance, [*chosen, i]), i)))
    while True:
        swaps = (
            sorted([*(c for c in chosen if c != out), into])
            for out in chosen
            for into in range(len(distance))
            if into not in chosen
        )
        best = min(swaps, key=lambda swap: (_cost(distance, swap), swap), default=chosen)
        if _cost(distance, best) >= _cost(distance, chosen):
            return sorted(chosen)
        chosen = best
