"""Bradley-Terry loss with ties, for reward models on pairs that may be equally good."""

from __future__ import annotations

import numpy as np


def tie_loss(lead: np.ndarray | float, mu: np.ndarray | float) -> np.ndarray:
    """-μ log σ(Δ) - (1-μ) log σ(-Δ), nats, float64 [n]; lower is better.

    `lead` Δ is the reward of the first minus that of the second, in logits; μ is 1 where the first is
    better and ½ for a tie, whose loss is smallest (log 2) where both rewards are equal.
    SoliReward, arXiv 2512.22170.
    """
    delta, share = np.asarray(lead, np.float64), np.asarray(mu, np.float64)
    return np.asarray(share * np.logaddexp(0.0, -delta) + (1 - share) * np.logaddexp(0.0, delta))


def released_tie_loss(
    lead: np.ndarray | float, tie: np.ndarray | bool, margin: float = 0.0, tie_weight: float = 1.0
) -> np.ndarray:
    """The loss SoliReward's published code takes, which is another: nats, float64 [n]; lower is better.

    -log σ(Δ - m) for a preference; for a tie both -log σ(Δ - m) and -log σ(-Δ - m), each with weight 1 and
    the same margin, so that ties weigh twice what `tie_loss` gives them.
    """
    delta = np.asarray(lead, np.float64)
    better, worse = np.logaddexp(0.0, margin - delta), np.logaddexp(0.0, margin + delta)
    return np.asarray(np.where(tie, tie_weight * (better + worse), better))
