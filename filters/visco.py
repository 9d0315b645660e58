"""VISCO's measures of critiques: F1 on what is wrong, VISCore, and what correcting is worth."""

from __future__ import annotations

import numpy as np


def f1_of_wrong(said_right: np.ndarray, right: np.ndarray, explained: np.ndarray | None = None) -> float:
    """F1 on the class *wrong*, of truth values [n]; higher is better, NaN where nothing is wrong nor called so.

    With `explained` [n] a wrong thing called wrong only counts as found where it is explained rightly:
    otherwise the call is false and the error missed.
    """
    called, wrong = ~said_right.astype(bool), ~right.astype(bool)
    hit = called & wrong if explained is None else called & wrong & explained.astype(bool)
    false, missed = called & ~hit, wrong & ~hit
    total = 2 * hit.sum() + false.sum() + missed.sum()
    return float(2 * hit.sum() / total) if total else float("nan")


def viscore(answer: float, thought: float, explanation: float) -> float:
    """Geometric mean of the three F1, in [0, 1]; higher is better, and 0 where one of them is."""
    return float(np.cbrt(answer * thought * explanation))


def correction_gain(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Shares of wrong answers recovered and of right ones broken, and their difference, of truth values [n].

    A share is NaN where there is no such answer, the difference where either is.
    """
    was, now = before.astype(bool), after.astype(bool)
    recovered = float(now[~was].mean()) if (~was).any() else float("nan")
    broken = float((~now[was]).mean()) if was.any() else float("nan")
    return recovered, broken, recovered - broken
