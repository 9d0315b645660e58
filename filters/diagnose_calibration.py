"""`diagnose.calibration`: fits a judge's number to the chance that it is right, on a small gold set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.calibration_curves import Curve, Method, brier, calibration_error, fit_curve
from ..core.declared import Column, FileOf
from ..core.errors import InputError
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Score, Sink
from .judged import said
from .measures import number, plain
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("diagnose.calibration")
class DiagnoseCalibration(Sink):
    """Fit the map from a judge's number to P(right) on rows with gold labels, and write it as JSON.

    `score.calibrated` applies the file in another run, where no gold is. What it gains is measured
    on folds it was not fitted on. With `symmetric` the number is the chance that chosen is better,
    and every row counts both ways round: the map of 1 - p is one minus the map of p.
    """

    reads = ("{column}", "{human}?", "gold?")
    paper = "isotonic: Ayer et al., 1955; Platt, 1999; error: Naeini et al., 2015"

    column: str = "judge_p"
    """The judge's chance or score."""
    human: str | None = None
    """Column of labels: chosen, rejected or tie; yes or no; a chance. Null = `gold`."""
    symmetric: bool = True
    """The column is the chance that chosen is better; false for scores."""
    method: Method = "isotonic"
    """isotonic takes any rising shape and wants hundreds of labels; platt is a logistic curve, for fewer."""
    path: str = "calibration.json"
    """Where the map is written, within the run folder unless absolute."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts in which the gain is measured."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: path, rows, measures (calibration error and Brier score before and after)."""
        label = self.human or "gold"
        if label not in rows.names:
            raise InputError(f"no column {label}", place=self.name, hint="a calibration needs gold or human labels")
        table = rows.table([self.column, label])
        score, right = floats(table[self.column]), said(table[label], label)
        known = np.isfinite(score) & np.isfinite(right)
        score, right = score[known], right[known]
        if len(score) < 2 * self.folds:
            raise InputError(f"{len(score)} labelled rows", place=self.name, hint=f"give {2 * self.folds} or more")
        held = np.full(len(score), np.nan)
        fold = np.random.default_rng(ctx.seed).permutation(len(score)) % self.folds
        for k in range(self.folds):
            held[fold == k] = self._fitted(score[fold != k], right[fold != k]).apply(score[fold == k])
        path = Path(ctx.out) / self.path
        self._fitted(score, right).save(path, {"column": self.column, "labels": label, "symmetric": self.symmetric})
        before = score if self.symmetric else np.full(len(score), float(right.mean()))
        return {"path": str(path), "rows": len(score), "method": self.method, "measures": _gains(before, held, right)}

    def _fitted(self, score: np.ndarray, right: np.ndarray) -> Curve:
        if self.symmetric:
            score, right = np.concatenate([score, 1 - score]), np.concatenate([right, 1 - right])
        return fit_curve(score, right, self.method)


@final
@register("score.calibrated")
class Calibrated(Score):
    """Turn a judge's number into the chance that it is right, by a map `diagnose.calibration` wrote."""

    reads = ("{column}",)
    writes = (
        Column(
            "{to}", "calibrated chance that chosen is better (or that a scored answer is right)", pa.float64(),
            "probability", 0, 1, "higher",
        ),
    )  # fmt: skip
    paper = "isotonic: Ayer et al., 1955; Platt, 1999"

    file: Annotated[str, FileOf()]
    """The JSON file of the map."""
    column: str = "judge_p"
    """The number it was fitted on."""
    to: str = "judge_p_calibrated"
    """Name of the new column."""

    def materials(self) -> tuple[str, ...]:
        path = Path(self.file)
        return (path.read_text(encoding="utf-8"),) if path.is_file() else ()

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        chances = Curve.load(Path(self.file)).apply(floats(flat(batch[self.column])))
        return {self.to: pa.array(chances, mask=np.isnan(chances))}


def _gains(before: np.ndarray, after: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    found = []
    for name, of in (("calibration error", calibration_error), ("Brier score", brier)):
        found.append(plain(f"{name}, as judged", of(before, right), "lower is better"))
        gain = number(of(before, right) - of(after, right))
        found.append(plain(f"{name}, calibrated", of(after, right), f"{gain:+.4f} gained on rows not fitted on"))
    return found
