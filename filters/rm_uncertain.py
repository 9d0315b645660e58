"""`filter.rm_uncertain`: keep the augmented pairs a baseline reward model gets wrong or is unsure about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.registry import register
from ..core.stage import Gate
from .reasons import first_reasons, floats, numpy_of

_LARGEST: Final = 700.0  # exp of more overflows


@final
@register("filter.rm_uncertain")
class RmUncertain(Gate):
    """Drop augmented pairs a reward model has nothing to learn from.

    With Δ the model's score of chosen minus that of rejected: a preference stays when σ(Δ) < `most`,
    a tie when |σ(Δ) - ½| > `least_tie`. Rows whose `augmentation` is `original` always stay; without
    that column every row is decided on. A row without a score is dropped.
    """

    paper = "Robust Reward Modeling via Causal Rubrics (Crome), arXiv 2506.16507; both thresholds: house"

    column: str = "margin"
    """Column of Δ."""
    score: str | None = None
    """Instead of a column: chosen_<score> minus rejected_<score>."""
    unit: Literal["logit", "probability"] = "logit"
    """Whether the column holds Δ, or already σ(Δ), as a judge's chance does."""
    most: Annotated[float, Field(gt=0, le=1)] = 0.8
    """A preference the model is at least this sure of is dropped."""
    least_tie: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """A tie the model finds at most this far from even is dropped."""

    def faults(self) -> Sequence[str]:
        found = []
        if self.score is not None and self.column != "margin":
            found.append("column and score are two ways to name the margin: give one")
        if self.score is not None and self.unit == "probability":
            found.append("a difference of two scores is no probability: give column instead of score")
        return found

    def columns_read(self) -> tuple[str, ...]:
        names = (self.column,) if self.score is None else (f"chosen_{self.score}", f"rejected_{self.score}")
        return (*names, "verdict?", "augmentation?")

    def why_drop(self, batch: pa.Table) -> pa.Array:
        sure, n = self._chance(batch), batch.num_rows
        tie, decided = _is(batch, "verdict", "tie"), ~_is(batch, "augmentation", "original")
        return first_reasons(
            n,
            [
                (decided & np.isnan(sure), "no margin"),
                (decided & ~tie & (sure >= self.most), "the reward model is right already"),
                (decided & tie & (np.abs(sure - 0.5) <= self.least_tie), "the reward model sees the tie already"),
            ],
        )

    def _chance(self, batch: pa.Table) -> np.ndarray:
        delta: np.ndarray
        if self.score is None:
            delta = floats(batch[self.column])
        else:
            delta = floats(batch[f"chosen_{self.score}"]) - floats(batch[f"rejected_{self.score}"])
        if self.unit == "probability":
            return delta
        sure: np.ndarray = 1 / (1 + np.exp(-np.clip(delta, -_LARGEST, _LARGEST)))
        return sure


def _is(batch: pa.Table, name: str, word: str) -> np.ndarray:
    """bool [n]: where the column, if there is one, holds the word."""
    if name not in batch.column_names:
        return np.zeros(batch.num_rows, bool)
    found: np.ndarray = numpy_of(pc.fill_null(pc.equal(batch[name], word), False))
    return found
