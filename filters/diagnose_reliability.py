"""`diagnose.reliability`: right, wrong or declined: how far a model can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..core.errors import InputError
from ..core.estimates import Estimate, around, mean
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .measures import measure
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("diagnose.reliability")
class Reliability(Sink):
    """Accuracy, precision, truthfulness, answer rate and reliability of the answers to a set of questions.

    Of N questions C are right, R declined and W = N - C - R wrong, whole ones or shares of samples.
    Reliability is a · truthfulness + (1 - a) · accuracy, where truthfulness is 1 - W/N and a = 1 - R/N the
    answer rate: declining everything is truthful and worth nothing. Intervals: delta method over questions.
    """

    reads = ("{right}", "{refused}")
    paper = "RLKF, Rejection Improves Reliability, arXiv 2403.18349 (weight from memory)"

    right: str = "p_ik"
    """Column with the share of right answers to a question, in [0, 1], or whether it is right."""
    refused: str = "p_ik_refused"
    """Column with the share of declined answers, in [0, 1], or whether it is declined."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, unread (rows without both values), measures."""
        table = rows.table([self.right, self.refused])
        right, refused = (floats(flat(table[name])) for name in (self.right, self.refused))
        sound = np.isfinite(right) & np.isfinite(refused)
        if not sound.any():
            raise InputError("no row has both values", place=self.name, hint="score.p_ik writes them")
        found = reliability(right[sound], refused[sound])
        return {
            "rows": int(sound.sum()),
            "unread": int((~sound).sum()),
            "measures": [measure(name, figure) for name, figure in found.items()],
        }


def reliability(right: np.ndarray, refused: np.ndarray) -> dict[str, Estimate]:
    """The five figures from shares right and declined [n] of n questions, each in [0, 1]; higher = better.

    With c and r the means, reliability is (1 - r)(c + r) + r c = c + r - r².
    """
    n, c, r = len(right), float(right.mean()), float(refused.mean())
    spread = np.cov(right, refused) / n if n > 1 else np.full((2, 2), np.nan)

    def figure(value: float, by_right: float, by_refused: float) -> Estimate:
        slope = np.array([by_right, by_refused])
        return around(value, float(slope @ spread @ slope), n)

    answered = 1 - r
    nothing = Estimate(float("nan"), float("nan"), float("nan"), n)
    return {
        "accuracy": mean(right),
        "precision": figure(c / answered, 1 / answered, c / answered**2) if answered > 0 else nothing,
        "truthfulness": figure(c + r, 1, 1),
        "answer rate": figure(answered, 0, -1),
        "reliability": figure(c + r - r * r, 1, 1 - 2 * r),
    }
