"""Take the lead in length away from one side, so that length does not tell which answer won."""

from __future__ import annotations

from typing import Final, Literal, final

import numpy as np
import pyarrow as pa

from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import first_reasons, floats

RATIOS: Final = np.arange(50) / 50
"""Ratios tried: 0, .02, … .98."""


@final
@register("filter.length_balance")
class LengthBalance(Select):
    """Drop the pairs of most unequal length, at the ratio that brings both sides' mean nearest.

    A pair goes when (longer - shorter) / longer words exceeds the ratio, on one side only: the
    paper's is `rejected` (pairs whose rejected answer is the longer). Of 0, .02 … .98 the ratio
    is taken that minimises |mean chosen - mean rejected| / mean rejected over what is left; of
    equal ones the largest, which keeps the most. The reason says the ratio. Needs `score.length`.
    """

    reads = ("chosen_words", "rejected_words")
    paper = "RLAIF-V, arXiv 2405.17220"

    longer: Literal["rejected", "chosen", "auto"] = "auto"
    """Pairs that may go: those with this answer the longer; auto = the side longer on average."""

    def select(self, narrow: Narrow) -> pa.Array:
        chosen, rejected = (floats(narrow.column(name)) for name in self.columns_read())
        counted = ~(np.isnan(chosen) | np.isnan(rejected))
        side = self.longer
        if side == "auto":
            side = "chosen" if chosen[counted].sum() > rejected[counted].sum() else "rejected"
        lead = relative_lead(rejected, chosen) if side == "rejected" else relative_lead(chosen, rejected)
        ratio = balancing_ratio(lead[counted], chosen[counted], rejected[counted])
        reason = f"{side} longer by more than {ratio:.0%}"
        return first_reasons(len(lead), [(~counted, "no word count"), (lead > ratio, reason)])


def relative_lead(longer: np.ndarray, shorter: np.ndarray) -> np.ndarray:
    """(longer - shorter) / longer, below 0 where it is not the longer, 0 where both are empty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        lead = (longer - shorter) / longer
    return np.where(longer == 0, np.where(shorter == 0, 0.0, -np.inf), lead)


def balancing_ratio(lead: np.ndarray, chosen: np.ndarray, rejected: np.ndarray) -> float:
    """Of `RATIOS` the one at which the pairs with lead ≤ ratio have the nearest mean lengths.

    Pairs are equal in number on both sides, so the ratio of means is that of sums.
    """
    order = np.argsort(lead, kind="stable")
    kept = np.searchsorted(lead[order], RATIOS, side="right")
    won = np.concatenate([[0.0], np.cumsum(chosen[order])])[kept]
    lost = np.concatenate([[0.0], np.cumsum(rejected[order])])[kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        imbalance = np.abs(won - lost) / lost
    imbalance[np.isnan(imbalance)] = np.inf  # nothing left is no balance
    return float(RATIOS[len(RATIOS) - 1 - int(np.argmin(imbalance[::-1]))])
