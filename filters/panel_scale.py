"""`score.panel_z` and `diagnose.panel`: judges of a panel on one scale, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.agreement import Level, krippendorff_alpha
from ..core.declared import Column
from ..core.frame import Frame
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Columns, Context, Fit, Sink
from ..models.answers import Of, columns_of, sides


@final
@register("score.panel_z")
class PanelZ(Fit):
    """Mean over judges of each one's z-score: a stern judge and a kind one count alike.

    Each judge's scores are centred and divided by their standard deviation over all answers of the
    whole set; a judge that always says the same is left out. Null where no judge is left.
    """

    writes = (
        Column("{column}_z", "mean of the judges' z-scores", pa.float64(), "standard deviations", None, None, "higher"),
    )  # noqa: E501
    paper = "Panel of Peers, arXiv 2509.01610 (scaling: house)"

    column: str = "panel_score"
    """Name of the panel's score: its `_by_judge` is read."""
    of: Of = "pair"
    """What the panel scored."""

    def columns_read(self) -> tuple[str, ...]:
        return by_judge(self.column, self.of)

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Fit.columns_written(self), self.of)

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        columns = [narrow.column(name) for name in self.columns_read()]
        ratings = [matrix_of(column, self.of) for column in columns]
        z = mean_z(stacked(ratings))
        starts = np.cumsum([0, *(len(r) for r in ratings)])
        found = {}
        for k, (written, column) in enumerate(zip(self.columns_written(), columns, strict=True)):
            values = pa.array(z[starts[k] : starts[k + 1]], pa.float64(), from_pandas=True)
            found[written.name] = _as_lists(values, column) if self.of == "candidates" else values
        return found


@final
@register("diagnose.panel")
class DiagnosePanel(Sink):
    """Say how far the judges of a panel agree: Krippendorff's α with a bootstrap interval over answers.

    Beside it each judge's mean, standard deviation and number of scores. Nothing is dropped.
    """

    paper = "Krippendorff, Content Analysis, 2019"

    column: str = "panel_score"
    """Name of the panel's score: its `_by_judge` is read."""
    of: Literal["pair", "candidates", "chosen", "row"] = "pair"
    """What the panel judged; `row` for the verdicts of `judge.panel_pairwise`."""
    level: Level = "interval"
    """How values differ: by being different, by rank, or by their distance."""
    draws: Annotated[int, Field(ge=0, le=10_000)] = 200
    """Bootstrap draws of the interval; 0 = none."""

    def columns_read(self) -> tuple[str, ...]:
        return by_judge(self.column, self.of)

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        parts = [
            matrix_of(batch[name].combine_chunks(), self.of)
            for batch in rows.batches(self.columns_read())
            for name in self.columns_read()
        ]
        ratings = stacked(parts)
        low, high = self._interval(ratings, ctx.seed)
        return {
            "alpha": _plain(krippendorff_alpha(ratings, self.level)), "low": low, "high": high, "level": self.level,
            "answers": len(ratings), "judges": [_told(ratings[:, k]) for k in range(ratings.shape[1])],
        }  # fmt: skip

    def _interval(self, ratings: np.ndarray, seed: int) -> tuple[float | None, float | None]:
        rng = np.random.default_rng(seed)
        drawn = [
            krippendorff_alpha(ratings[rng.integers(len(ratings), size=len(ratings))], self.level)
            for _ in range(self.draws if len(ratings) else 0)
        ]
        sound = np.array([alpha for alpha in drawn if not np.isnan(alpha)])
        if len(sound) == 0:
            return None, None
        return float(np.quantile(sound, 0.025)), float(np.quantile(sound, 0.975))


def by_judge(column: str, of: str) -> tuple[str, ...]:
    """The columns that hold every judge's values."""
    if of in ("row", "candidates"):
        return (f"{column}_by_judge",)
    return tuple(f"{side}_{column}_by_judge" for side in sides("pair" if of == "pair" else "chosen"))


def matrix_of(column: pa.Array, of: str) -> np.ndarray:
    """Each answer's values by judge, float64 [answers, judges], NaN where there is none.

    A row (or candidate) that was not judged is all NaN.
    """
    if of == "candidates":
        column = column.flatten()
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    judges = int(lengths.max(initial=0))
    found = np.full((len(column), judges), np.nan)
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    found[lengths == judges] = values.reshape(-1, judges) if judges else 0.0
    return found


def stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Matrices of values by judge under each other, the narrower ones filled with NaN."""
    judges = max((part.shape[1] for part in parts), default=0)
    wide = [np.pad(part, ((0, 0), (0, judges - part.shape[1])), constant_values=np.nan) for part in parts]
    return np.concatenate(wide) if wide else np.empty((0, 0))


def mean_z(ratings: np.ndarray) -> np.ndarray:
    """Mean over judges of (x - mean) / sd of each judge, float64 [answers]; NaN where there is none."""
    there = ~np.isnan(ratings)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, ratings, 0.0).sum(axis=0) / count
    apart = np.where(there, ratings - mean, 0.0)
    sd = np.sqrt((apart**2).sum(axis=0) / count)
    able = there & (sd > 0)
    total = np.where(able, apart / np.where(sd > 0, sd, 1.0), 0.0).sum(axis=1)
    n = able.sum(axis=1)
    z: np.ndarray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return z


def _as_lists(values: pa.Array, like: pa.Array) -> pa.Array:
    lengths = like.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    mask = like.is_null() if like.null_count else None
    return pa.ListArray.from_arrays(offsets, values, mask=mask)


def _told(values: np.ndarray) -> dict[str, Any]:
    there = values[~np.isnan(values)]
    if len(there) == 0:
        return {"scores": 0, "mean": None, "sd": None}
    return {"scores": len(there), "mean": float(there.mean()), "sd": float(there.std())}


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value
