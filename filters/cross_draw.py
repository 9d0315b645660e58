"""Which passes meet which fails and which passes: the draw behind pairs across prompts."""

from __future__ import annotations

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]


def against_fails(passes: np.ndarray, fails: np.ndarray, most: int, cap: int, rng: np.random.Generator) -> Pairs:
    """Rows (chosen [k], rejected [k]) of W × L: each pass meets at most `most` fails, all different.

    Each fail is met at most `cap` times, and as evenly as can be. Where there are too few fails for all,
    passes drawn at random go without.
    """
    chosen, rejected = rng.permutation(passes), rng.permutation(fails)
    if not len(chosen) or not len(rejected):
        return _none()
    each = min(most, len(rejected), max(1, len(rejected) * cap // len(chosen)))
    slots = np.arange(min(len(chosen) * each, len(rejected) * cap))
    return chosen[slots // each], rejected[slots % len(rejected)]


def among_passes(passes: np.ndarray, wanted: int, cap: int, rng: np.random.Generator) -> Pairs:
    """Rows (first [k], second [k]) of W × W, k ≤ `wanted`: no pair twice, no row in more than `cap` of them."""
    ring = rng.permutation(passes)
    n = len(ring)
    first: list[np.ndarray] = []
    second: list[np.ndarray] = []
    left = np.full(n, cap)
    for step in range(1, n // 2 + 1):
        if sum(len(part) for part in first) >= wanted or cap < 1:
            break
        starts = np.arange(n if 2 * step < n else step)
        ends = (starts + step) % n
        used = np.bincount(np.concatenate([starts, ends]), minlength=n)
        if (used > left).any():  # a last round of pairs without a row in common
            starts, ends = _apart(starts, ends, left)
            used = np.bincount(np.concatenate([starts, ends]), minlength=n)
        left = left - used
        first.append(starts)
        second.append(ends)
    if not first:
        return _none()
    return ring[np.concatenate(first)[:wanted]], ring[np.concatenate(second)[:wanted]]


def ties_wanted(preferences: int, share: float) -> int:
    """How many ties beside so many preferences make up this share of all pairs; share in [0, 1)."""
    return round(preferences * share / (1 - share))


def _apart(starts: np.ndarray, ends: np.ndarray, left: np.ndarray) -> Pairs:
    kept, free = [], left.copy()
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if free[start] > 0 and free[end] > 0:
            free[start] -= 1
            free[end] -= 1
            kept.append(k)
    return starts[kept], ends[kept]


def _none() -> Pairs:
    empty = np.zeros(0, np.int64)
    return empty, empty
