"""Every pair of a prompt's candidates that is far enough apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Literal, final

from pydantic import Field

from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .pairing import WRITES, Better, Pair, Ties, admitted, none_admitted, pair_rows, scored, too_few


@final
@register("pair.all_within_prompt")
class PairAllWithinPrompt(Map):
    """Pair all candidates of a row whose scores differ by `least_gap`; at most `most` of the pairs.

    Pairs come widest first, equal gaps in the order of the candidates. RLAIF-V takes every pair
    whose count of rejected claims differs, and two of them at random:
    `least_gap: 1, most: 2, pick: sample`.
    """

    reads = ("candidates", "{score}", "{also}")
    writes = WRITES
    paper = "RLAIF-V, arXiv 2405.17220; InstructGPT, arXiv 2203.02155 (all pairs of a ranking)"

    score: str
    """Column with one number a candidate."""
    better: Better = "higher"
    """Which end of the score is the better."""
    least_gap: Annotated[float, Field(ge=0)] = 0.0
    """Smallest difference of two scores, in the score's unit."""
    most: Annotated[int | None, Field(ge=1)] = None
    """Most pairs a row; null = all."""
    pick: Literal["widest", "sample"] = "widest"
    """Which pairs stay when there are more than `most`."""
    ties: Ties = "drop"
    """Pairs of equal scores: leave them out, or keep them with verdict `tie`."""
    also: tuple[str, ...] = ()
    """Other columns with one number a candidate, kept as chosen_<name> and rejected_<name>."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        merits = scored(row, self.score, self.better)
        if missing := too_few(merits):
            return missing
        pairs = [Pair(first, second) for first, second in combinations(merits, 2)]
        wide = admitted(pairs, self.least_gap, self.ties)
        if not wide:
            return none_admitted(pairs)
        if self.most is not None and self.pick == "sample" and len(wide) > self.most:
            wide = ctx.rng(row["id"]).sample(wide, self.most)
        wide.sort(key=lambda pair: (-pair.gap, pair.first.place, pair.second.place))
        return pair_rows(row, wide[: self.most], self.score, self.also)
