"""Pairs along a ranking: neighbours, or the best against each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, final

from pydantic import Field

from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .pairing import WRITES, Better, Pair, Ties, admitted, none_admitted, pair_rows, scored, too_few


@final
@register("pair.ranked")
class PairRanked(Map):
    """Pair a row's candidates along their ranking, best first; equal ranks in the order they stand.

    For ranks (1 = best) the better end is `lower`, and the margin counts ranks.
    """

    reads = ("candidates", "{score}", "{also}")
    writes = WRITES
    paper = "Plackett-Luce rankings broken into pairs (Negahban et al., 2018); house"

    score: str
    """Column with one rank or score a candidate."""
    better: Better = "lower"
    """Which end of it is the better: lower for ranks, higher for scores."""
    pairs: Literal["adjacent", "best"] = "adjacent"
    """Each candidate against the next one down, or the best against every other."""
    least_gap: Annotated[float, Field(ge=0)] = 0.0
    """Smallest difference of two ranks or scores."""
    most: Annotated[int | None, Field(ge=1)] = None
    """Most pairs a row, from the top of the ranking down; null = all."""
    ties: Ties = "drop"
    """Pairs of equal rank: leave them out, or keep them with verdict `tie`."""
    also: tuple[str, ...] = ()
    """Other columns with one number a candidate, kept as chosen_<name> and rejected_<name>."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        merits = scored(row, self.score, self.better)
        if missing := too_few(merits):
            return missing
        if self.pairs == "adjacent":
            pairs = [Pair(first, second) for first, second in pairwise(merits)]
        else:
            pairs = [Pair(merits[0], other) for other in merits[1:]]
        wide = admitted(pairs, self.least_gap, self.ties)[: self.most]
        return pair_rows(row, wide, self.score, self.also) if wide else none_admitted(pairs)
