"""Keep pairs by the lead of the chosen answer: bands, quantiles and the best of each prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import codes, first_reasons, floats, rank_within

Share = Annotated[float | None, Field(ge=0, le=1)]
Rule = tuple[np.ndarray, str]


@final
@register("filter.margin")
class Margin(Select):
    """Drop pairs whose margin lies outside a band, outside quantiles, or behind its prompt's best.

    The margin is a column, or the difference of two scores; its unit is that of the score. The
    quantile q is the value of rank floor(q · (n - 1)) among the n rows that have a margin (in their
    group, with `by`), whatever the other options drop. `top_per_prompt` ranks what all else keeps.
    """

    column: str = "margin"
    """Column of margins; above 0 the chosen answer is the better."""
    score: str | None = None
    """Instead of a column: chosen_<score> minus rejected_<score>."""
    absolute: bool = False
    """Decide on the size of the margin, whoever leads."""
    least: float | None = None
    """Smallest margin kept, in the margin's unit."""
    most: float | None = None
    """Largest margin kept."""
    lower_quantile: Share = None
    """Drop margins below this quantile, in [0, 1]."""
    upper_quantile: Share = None
    """Drop margins above this quantile, in [0, 1]."""
    by: str | None = None
    """Column whose values have quantiles of their own (a source, a topic); null is a value."""
    top_per_prompt: Annotated[int | None, Field(ge=1)] = None
    """Pairs kept a prompt, those of the largest margins; equal ones in source order."""
    ties: Literal["keep", "drop"] = "keep"
    """What becomes of margins of exactly 0."""

    def faults(self) -> Sequence[str]:
        found = []
        if self.score is not None and self.column != "margin":
            found.append("column and score are two ways to name the margin: give one")
        for low, high in (("least", "most"), ("lower_quantile", "upper_quantile")):
            below, above = getattr(self, low), getattr(self, high)
            if below is not None and above is not None and below > above:
                found.append(f"{low} ({below}) is above {high} ({above})")
        if self.by is not None and self.lower_quantile is None and self.upper_quantile is None:
            found.append("by groups quantiles: give lower_quantile or upper_quantile too")
        return found

    def columns_read(self) -> tuple[str, ...]:
        names = [self.column] if self.score is None else [f"chosen_{self.score}", f"rejected_{self.score}"]
        if self.by is not None:
            names.append(self.by)
        if self.top_per_prompt is not None:
            names.append("prompt_hash")
        return tuple(dict.fromkeys(names))

    def select(self, narrow: Narrow) -> pa.Array:
        margin = self._margins(narrow)
        rules = [(np.isnan(margin), "no margin"), *self._rules(margin, narrow)]
        if self.top_per_prompt is not None:
            kept = np.flatnonzero(~np.logical_or.reduce([mask for mask, _ in rules]))
            beyond = np.zeros(len(margin), bool)
            prompts = narrow.column("prompt_hash").to_numpy()[kept]
            beyond[kept] = rank_within(prompts, margin[kept]) >= self.top_per_prompt
            rules.append((beyond, f"beyond the top {self.top_per_prompt} of its prompt"))
        return first_reasons(len(margin), rules)

    def _margins(self, narrow: Narrow) -> np.ndarray:
        if self.score is None:
            margin = floats(narrow.column(self.column))
        else:
            margin = floats(narrow.column(f"chosen_{self.score}")) - floats(narrow.column(f"rejected_{self.score}"))
        return np.abs(margin) if self.absolute else margin

    def _rules(self, margin: np.ndarray, narrow: Narrow) -> Iterator[Rule]:
        if self.ties == "drop":
            yield margin == 0, "tie"
        if self.least is not None:
            yield margin < self.least, "margin below least"
        if self.most is not None:
            yield margin > self.most, "margin above most"
        groups = codes(narrow.column(self.by)) if self.by is not None else None
        if self.lower_quantile is not None:
            yield margin < group_quantile(margin, self.lower_quantile, groups), "below the lower quantile"
        if self.upper_quantile is not None:
            yield margin > group_quantile(margin, self.upper_quantile, groups), "above the upper quantile"


def group_quantile(values: np.ndarray, q: float, groups: np.ndarray | None) -> np.ndarray:
    """The value of rank floor(q · (m - 1)) among the m values that are not NaN, for each row.

    float64, [1] for the whole set or [n] by group (codes from 0); NaN where there is no value.
    """
    there = ~np.isnan(values)
    if groups is None:
        some = values[there]
        rank = int(np.floor(q * (len(some) - 1)))
        return np.partition(some, rank)[rank : rank + 1] if len(some) else np.full(1, np.nan)
    counts = np.bincount(groups[there], minlength=int(groups.max(initial=-1)) + 1)
    order = np.lexsort((values[there], groups[there]))
    ends = np.cumsum(counts)
    ranks = ends - counts + np.floor(q * np.maximum(counts - 1, 0)).astype(np.int64)
    found = np.full(len(counts), np.nan)
    found[counts > 0] = values[there][order][ranks[counts > 0]]
    thresholds: np.ndarray = found[groups]
    return thresholds
