"""The best candidate against the worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

from pydantic import Field

from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .pairing import WRITES, Better, Pair, Ties, admitted, none_admitted, pair_rows, scored, too_few


@final
@register("pair.extremes")
class PairExtremes(Map):
    """Pair each row's best candidate with its worst; of equals the first best and the last worst.

    Candidates without a score are passed over.
    """

    reads = ("candidates", "{score}", "{also}")
    writes = WRITES
    paper = "Zephyr, arXiv 2310.16944 (best against another); best against worst: common practice"

    score: str
    """Column with one number a candidate."""
    better: Better = "higher"
    """Which end of the score is the better."""
    least_gap: Annotated[float, Field(ge=0)] = 0.0
    """Smallest difference of the two scores, in the score's unit."""
    ties: Ties = "drop"
    """Equal scores: drop the row, or keep it with verdict `tie`."""
    also: tuple[str, ...] = ()
    """Other columns with one number a candidate, kept as chosen_<name> and rejected_<name>."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        merits = scored(row, self.score, self.better)
        if missing := too_few(merits):
            return missing
        pairs = [Pair(merits[0], merits[-1])]
        chosen = admitted(pairs, self.least_gap, self.ties)
        return pair_rows(row, chosen, self.score, self.also) if chosen else none_admitted(pairs)
