"""`diagnose.error_attribution`: which errors do scores punish, and which confounders do they reward?"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from ..core.errors import InputError
from ..core.estimates import by_resampling
from ..core.registry import register
from ..core.row import flat
from ..core.sparse_fit import lasso, penalty_by_folds
from ..core.stage import Context, Sink
from .measures import measure, plain
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame

ERRORS: Final = (
    "harmful", "fluency", "scope", "repetition", "refusal", "formatting", "relevance", "factuality", "inconsistent",
    "contradiction",
)  # fmt: skip
RARE: Final = 10
"""Rows with an error below which its weight is called unreliable."""


@final
@register("diagnose.error_attribution")
class ErrorAttribution(Sink):
    """Regress scores on error flags and confounders, sparsely, with bootstrap intervals.

    Weights are points of the score: for a flag, an error against none; for a confounder, one
    standard deviation. Warns where a confounder weighs more than the factual errors do: such scores
    reward manner over truth. Flags are rare, so read the intervals.
    """

    reads = ("{score}", "{flags}", "{confounders}?")
    paper = "Human Feedback is not Gold Standard, arXiv 2309.16349"

    score: str = "judge_score"
    """The score that is explained; higher = better."""
    flags: tuple[str, ...] = ERRORS
    """Columns that say whether an answer has an error: yes or no, or a share of annotators."""
    confounders: tuple[str, ...] = ("assertiveness", "complexity", "length")
    """Columns of numbers that should not matter; those that are not there are left out."""
    truth: str = "factuality"
    """The flag that confounders are weighed against."""
    draws: Annotated[int, Field(ge=50, le=5000)] = 200
    """Bootstrap samples."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Parts in which the penalty is chosen."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, r2, warning (empty when there is none), measures (a line a column)."""
        confounders = [name for name in self.confounders if name in rows.names]
        table = rows.table([self.score, *self.flags, *confounders])
        y = floats(flat(table[self.score]))
        x = np.column_stack([floats(flat(table[name])) for name in (*self.flags, *confounders)])
        sound = np.isfinite(y) & np.isfinite(x).all(axis=1)
        x, y = x[sound], y[sound]
        if len(y) < 4 * self.folds:
            raise InputError(f"{len(y)} rows have a score and all flags", place=self.name, hint="give more rows")
        spread = x[:, len(self.flags) :].std(axis=0)
        x[:, len(self.flags) :] /= np.where(spread > 0, spread, 1.0)
        weights, draws, fit = attributed(x, y, self.folds, self.draws, ctx.seed)
        counts = {name: int(pc.sum(pc.greater(table[name].cast("float64"), 0)).as_py() or 0) for name in self.flags}
        lines = [
            measure(name, by_resampling(weights[k], draws[:, k], len(y)), _reading(name, counts, weights[k]))
            for k, name in enumerate((*self.flags, *confounders))
        ]
        warning = self._warning(dict(zip((*self.flags, *confounders), weights, strict=True)), confounders)
        if warning:
            logging.getLogger("rather.filters").warning("%s: %s", self.name, warning)
        lines.append(plain("variance explained (R²)", fit, "of the rows it was fitted on"))
        return {"rows": len(y), "warning": warning, "measures": lines}

    def faults(self) -> list[str]:
        return [] if self.truth in self.flags else [f"truth ({self.truth}) is not among the flags"]

    def _warning(self, weights: Mapping[str, float], confounders: list[str]) -> str:
        heavy = [name for name in confounders if abs(weights[name]) > abs(weights[self.truth])]
        if not heavy:
            return ""
        told = ", ".join(f"{name} ({weights[name]:+.2f} a standard deviation)" for name in heavy)
        return f"{told} outweighs {self.truth} ({weights[self.truth]:+.2f}): these scores reward manner over truth"


def attributed(x: np.ndarray, y: np.ndarray, folds: int, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights [k] in points of y, their bootstrap draws [draws, k], and R² in [0, 1]."""
    penalty = penalty_by_folds(x, y, folds, seed)
    weights = _weights(x, y, penalty)
    rng = np.random.default_rng(seed)
    samples = [_weights(x[rows], y[rows], penalty) for rows in (rng.integers(0, len(y), len(y)) for _ in range(draws))]
    left = y - y.mean() - (x - x.mean(axis=0)) @ weights
    whole = float(np.sum((y - y.mean()) ** 2))
    return weights, np.array(samples), 1 - float(left @ left) / whole if whole > 0 else 0.0


def _weights(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    return lasso(x - x.mean(axis=0), y - y.mean(), penalty)


def _reading(name: str, counts: Mapping[str, int], weight: float) -> str:
    if name in counts and counts[name] < RARE:
        return f"unreliable: {counts[name]} rows have it"
    what = "an error" if name in counts else "a confounder, by standard deviation"
    return f"{what}, {'punished' if weight < 0 else 'rewarded' if weight > 0 else 'ignored'}"
