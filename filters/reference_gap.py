"""`filter.reference_gap` and `diagnose.reference_gap`: pairs the reference model already tells apart, or does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import StageOf
from ..core.errors import InputError
from ..core.frame import Frame
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Context, Select, Sink
from .reasons import codes, first_reasons, floats, rank_within

Normalise = Literal["mean", "sum"]


@final
@register("filter.reference_gap")
class ReferenceGap(Select):
    """Keep a share of the pairs by how far the reference model tells their answers apart.

    The gap is log π(chosen) − log π(rejected), each divided by its tokens. `large` keeps the gaps
    farthest from 0 ("clear" pairs), `small` the nearest, `positive` and `negative` the largest and the
    smallest, `band` those whose z-score lies in [low, high]. Of n pairs that have a gap (in their
    group, with `within`) round(keep · n) stay; equal gaps stand in source order. The paper says
    which statistic and how many pairs, not where it cuts: compare modes, and with a random subset.
    """

    paper = "Clear Preferences Leave Traces, arXiv 2501.17030 (modes: house)"

    column: str = "ref_logp"
    """Name of the log-probabilities (`score.logprob` writes them)."""
    normalise: Normalise = "mean"
    """Gap of means per token, or of sums."""
    mode: Literal["large", "small", "positive", "negative", "band"] = "large"
    """Which pairs stay."""
    keep: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Share of pairs kept; not used by `band`."""
    low: float | None = None
    """Lowest z-score kept by `band`, in standard deviations; null = no bound."""
    high: float | None = None
    """Highest z-score kept by `band`; null = no bound."""
    within: str | None = None
    """Column whose values are decided on by themselves (a source, a topic); null is a value."""
    length_matters: bool = False
    """Say that you know: gaps of sums follow the difference in length. `normalise: sum` asks for it."""

    def faults(self) -> Sequence[str]:
        found = []
        if self.normalise == "sum" and not self.length_matters:
            found.append("a gap of sums mostly says which answer is shorter: set length_matters: true to use it")
        bounds = self.low is not None or self.high is not None
        if bounds != (self.mode == "band"):
            found.append("low and high bound a band, and a band needs one of them: mode: band")
        if self.low is not None and self.high is not None and self.low > self.high:
            found.append(f"low ({self.low}) is above high ({self.high})")
        return found

    def columns_read(self) -> tuple[str, ...]:
        return (*gap_columns(self.column, self.normalise), *([self.within] if self.within else []))

    def select(self, narrow: Narrow) -> pa.Array:
        names = gap_columns(self.column, self.normalise)
        gap = floats(narrow.column(names[0])) - floats(narrow.column(names[1]))
        there = np.flatnonzero(~np.isnan(gap))
        groups = codes(narrow.column(self.within))[there] if self.within else np.zeros(len(there), np.int64)
        outside = np.zeros(len(gap), bool)
        if self.mode == "band":
            outside[there] = self._off_band(gap[there], groups)
            return first_reasons(len(gap), [(np.isnan(gap), "no reference gap"), (outside, "gap outside the band")])
        outside[there] = rank_within(groups, self._merit(gap[there])) >= _quota(groups, self.keep)
        rules = [(np.isnan(gap), "no reference gap"), (outside, f"gap not among the {self.mode}")]
        return first_reasons(len(gap), rules)

    def _merit(self, gap: np.ndarray) -> np.ndarray:
        """What is ranked, highest first."""
        merits: dict[str, np.ndarray] = {"large": np.abs(gap), "small": -np.abs(gap), "positive": gap, "negative": -gap}
        return merits[self.mode]

    def _off_band(self, gap: np.ndarray, groups: np.ndarray) -> np.ndarray:
        z = _z_scores(gap, groups)
        below = z < self.low if self.low is not None else np.zeros(len(z), bool)
        above = z > self.high if self.high is not None else np.zeros(len(z), bool)
        return below | above


@final
@register("diagnose.reference_gap")
class DiagnoseReferenceGap(Sink):
    """Say how far the reference gap follows the difference in length, before the selection and after.

    Facts: pairs, Pearson correlation of gap and difference in tokens, and mean gap. A correlation
    near ±1 says that the selection is one by length. Nothing is dropped.
    """

    paper = "house"

    column: str = "ref_logp"
    """Name of the log-probabilities (`score.logprob` writes them)."""
    normalise: Normalise = "mean"
    """Gap of means per token, or of sums: as in the filter."""
    before: Annotated[str, StageOf()] = "score.logprob"
    """The stage whose rows are those before the selection."""

    def columns_read(self) -> tuple[str, ...]:
        return (*gap_columns(self.column, self.normalise), *_token_columns(self.column))

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        names = self.columns_read()
        before, after = self._facts(ctx.view.frame(self.before).table(names)), self._facts(rows.table(names))
        return {"normalise": self.normalise, "before": before, "after": after}

    def _facts(self, table: pa.Table) -> dict[str, Any]:
        chosen, rejected, tokens, others = (floats(table[name]) for name in self.columns_read())
        gap, longer = chosen - rejected, tokens - others
        there = ~np.isnan(gap) & ~np.isnan(longer)
        return {
            "pairs": int(there.sum()), "length_correlation": correlation(gap[there], longer[there]),
            "mean_gap": float(gap[there].mean()) if there.any() else None,
        }  # fmt: skip


def gap_columns(column: str, normalise: Normalise) -> tuple[str, str]:
    """The columns of chosen and rejected whose difference is the gap."""
    tail = "_mean" if normalise == "mean" else ""
    return f"chosen_{column}{tail}", f"rejected_{column}{tail}"


def correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's r of two arrays [n]; None for fewer than two values, or when one does not vary."""
    if len(x) != len(y):
        raise InputError(f"{len(x)} values against {len(y)}", hint="a correlation needs pairs")
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    a, b = x - x.mean(), y - y.mean()
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))


def _token_columns(column: str) -> tuple[str, str]:
    return f"chosen_{column}_tokens", f"rejected_{column}_tokens"


def _quota(groups: np.ndarray, keep: float) -> np.ndarray:
    """How many of each row's group stay, int64 [n]: half a row and more is a row."""
    sizes = np.bincount(groups, minlength=1)
    quotas: np.ndarray = np.floor(keep * sizes + 0.5).astype(np.int64)[groups]
    return quotas


def _z_scores(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(x − mean) / standard deviation within each group, [n]; 0 where a group does not vary."""
    sizes = np.maximum(np.bincount(groups, minlength=1), 1)
    apart = values - (np.bincount(groups, values, minlength=1) / sizes)[groups]
    sd = np.sqrt(np.bincount(groups, apart**2, minlength=1) / sizes)[groups]
    z: np.ndarray = np.divide(apart, sd, out=np.zeros_like(apart), where=sd > 0)
    return z
