"""Hypotheses against actions: what a matrix of scores says should be taken (HELiX)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

_ALIKE: Final = 1e-9


@final
@dataclass(frozen=True)
class Crossing:
    """The action to take, whether all hypotheses agree on it, and what each action is worth."""

    pick: int
    consensus: bool
    worth: tuple[float, ...]


def crossing(matrix: np.ndarray, baseline: int = 0) -> Crossing:
    """From S [hypotheses, actions], higher = better, all finite; the last `baseline` actions are random ones.

    Consensus: an action is best under every hypothesis; it is taken. Otherwise only the most optimistic
    hypotheses stay (those with the largest best score), and of their best actions the one is taken that leads
    most over the mean of the random actions (of all actions where there are none). An action's worth is its
    mean lead under the hypotheses that stay, all of them at consensus. Equal ones: the first. Random actions
    are never taken. Raises ValueError without a hypothesis, or an action besides the random ones.
    """
    scores = np.asarray(matrix, np.float64)
    taken = scores[:, : scores.shape[1] - baseline]
    if not taken.size:
        raise ValueError("needed: a hypothesis and an action")
    usual = scores[:, scores.shape[1] - baseline :] if baseline else scores
    lead = taken - usual.mean(axis=1, keepdims=True)
    hopes = taken.max(axis=1)
    best = taken >= hopes[:, None] - _ALIKE
    agreed = best.all(axis=0)
    if agreed.any():
        return Crossing(int(np.argmax(agreed)), True, tuple(map(float, lead.mean(axis=0))))
    kept = hopes >= hopes.max() - _ALIKE
    leads = np.where(best[kept], lead[kept], -np.inf).max(axis=0)
    pick = int(np.argmax(leads >= leads.max() - _ALIKE))
    return Crossing(pick, False, tuple(map(float, lead[kept].mean(axis=0))))
