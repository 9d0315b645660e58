"""Items that tell strong models from weak ones: point-biserial correlation with the rest of the test."""

from __future__ import annotations

from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.errors import InputError
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Fit, Select
from .reasons import first_reasons, floats

FEWEST: Final = 5
"""Models below which the correlation is noise."""
_PAPER: Final = "DatBench (point-biserial, by cost); leaving the item out, at least five models: house"


@final
@register("score.discrimination")
class Discrimination(Fit):
    """r between getting this item right and a model's share of the other items: r = (M₁ - M₀)/s · √(p(1-p)).

    Each row is an item with one result a model, the models in one order. The item itself is left out of
    the models' totals (corrected r), lest it correlate with itself. Null where all models are right or
    all wrong, or where a result is missing. Fewer than five models are refused.
    """

    reads = ("{results}",)
    writes = (
        Column("discrimination", "correlation of the item with the others", pa.float64(), "r", -1, 1, "higher"),
        Column("wrong_rate", "share of models that are wrong", pa.float64(), "share", 0, 1, "neither"),
    )
    paper = _PAPER

    results: str = "results"
    """Column of a list of results, one a model: true or false, or 1 and 0."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        results = results_of(narrow.column(self.results))
        wrong = pa.array(1 - results.mean(axis=1), from_pandas=True)
        return {"discrimination": pa.array(point_biserial(results), from_pandas=True), "wrong_rate": wrong}


@final
@register("select.discriminative")
class Discriminative(Select):
    """Keep the items that discriminate most for their cost, as `score.discrimination` measures them."""

    reads = ("{results}", "{cost}")
    paper = _PAPER

    results: str = "results"
    """Column of a list of results, one a model: true or false, or 1 and 0."""
    keep: Annotated[int | None, Field(ge=1)] = None
    """Items kept, those of the largest r by cost; equal ones in source order. Null = all that reach `least`."""
    least: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Smallest r kept; below 0 an item is got wrong by the better models."""
    cost: str = ""
    """Column of what an item costs, above 0 (tokens, seconds); empty = all cost the same."""

    def select(self, narrow: Narrow) -> pa.Array:
        results = results_of(narrow.column(self.results))
        r = point_biserial(results)
        rules = [
            (np.isnan(results).any(axis=1), "a result is missing"),
            (np.isnan(r), "all models right or all wrong"),
            (r < self.least, "discriminates too little"),
        ]
        cost = floats(narrow.column(self.cost)) if self.cost else np.ones(len(r))
        rules.append((~(cost > 0), "no cost above 0"))
        if self.keep is not None:
            kept = np.flatnonzero(~np.logical_or.reduce([mask for mask, _ in rules]))
            order = kept[np.argsort(-np.round(r[kept] / cost[kept], 12), kind="stable")]
            beyond = np.zeros(len(r), bool)
            beyond[order[self.keep :]] = True
            rules.append((beyond, "beyond the number kept"))
        return first_reasons(len(r), rules)


def point_biserial(results: np.ndarray) -> np.ndarray:
    """Corrected r [n] of items with results 0 or 1, float64 [n, models]; NaN where there is none.

    r = (M₁ - M₀)/s · √(p(1-p)): M₁ and M₀ are the mean totals of the models that got the item right and
    wrong, s the population deviation of the totals, p the share right; an item is not part of its totals.
    """
    whole = ~np.isnan(results).any(axis=1)
    known = results[whole]
    rest = known.sum(axis=0) - known
    p = known.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        right = (rest * known).sum(axis=1) / known.sum(axis=1)
        wrong = (rest * (1 - known)).sum(axis=1) / (1 - known).sum(axis=1)
        r = (right - wrong) / rest.std(axis=1) * np.sqrt(p * (1 - p))
    found = np.full(len(results), np.nan)
    found[whole] = np.where(np.isfinite(r), np.clip(r, -1, 1), np.nan)
    return found


def results_of(column: pa.Array) -> np.ndarray:
    """Results as float64 [n, models], NaN for a null; rows without a list are all NaN.

    Raises InputError for fewer than five models, for lists of differing lengths and for other values.
    """
    lists = flat(column)
    lengths = np.unique(lists.drop_null().value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) != 1:
        cause = "there are no results" if not len(lengths) else f"items have from {lengths[0]} to {lengths[-1]} results"
        raise InputError(cause, hint="give every item one result of each model, null where it is missing")
    if lengths[0] < FEWEST:
        raise InputError(
            f"results of {lengths[0]} models say nothing about an item", hint=f"gather at least {FEWEST} models"
        )
    found = np.full((len(lists), int(lengths[0])), np.nan)
    there = lists.is_valid().to_numpy(zero_copy_only=False)
    values = lists.drop_null().flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    found[there] = values.reshape(-1, int(lengths[0]))
    odd = ~(np.isnan(found) | (found == 0) | (found == 1))
    if odd.any():
        raise InputError(f"{found[odd][0]:g} is no result", hint="give true or false, or 1 and 0")
    return found
