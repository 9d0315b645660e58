"""`diagnose.invariance`: how often a verdict changes where only something changed that must not matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..core.errors import InputError
from ..core.estimates import mean, share, share_of
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .measures import Measure, leaning, measure
from .reasons import codes, floats

if TYPE_CHECKING:
    from ..core.frame import Frame

ORIGINAL = "original"


@final
@register("diagnose.invariance")
class DiagnoseInvariance(Sink):
    """Compare each counterfactual's score with its original's: violations, and which way the score moves.

    A violation is a score on the other side of `even`, or a tie where there was none. Rows of one
    `swap_of` belong together, as `synth.counterfactual_swap` leaves them; rows without a score, or
    without an original that has one, are counted apart.
    """

    reads = ("{of}", "{by}", "{column}")
    paper = "counterfactual invariance: Veitch et al., arXiv 2106.00545; the violation rate: house"

    column: str = "judge_p"
    """The score that must not change: a judge's chance, a margin."""
    even: float = 0.5
    """Where the score favours neither side: 0.5 for a chance, 0 for a margin."""
    by: str = "swap"
    """Column that says what was changed; `original` marks the originals."""
    of: str = "swap_of"
    """Column that says which rows belong together."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, compared, measures (all swaps together, then each kind)."""
        table = rows.table([self.of, self.by, self.column])
        kinds = np.array(flat(table[self.by]).to_pylist(), dtype=object)
        before, after = paired(codes(table[self.of]), kinds == ORIGINAL, floats(table[self.column]))
        swapped = kinds != ORIGINAL
        known = swapped & np.isfinite(before) & np.isfinite(after)
        if not known.any():
            hint = "synth.counterfactual_swap makes swaps; score the rows after it"
            raise InputError("no swap has a score, and an original with one", place=self.name, hint=hint)
        lines = [
            measure("swaps without a score to compare", share(float((swapped & ~known).sum()), int(swapped.sum())))
        ]
        lines += self._told("all swaps", before[known], after[known])
        for kind in sorted({str(kind) for kind in kinds[known]}):
            rows_of = known & (kinds == kind)
            lines += self._told(kind, before[rows_of], after[rows_of])
        return {"rows": table.num_rows, "compared": int(known.sum()), "measures": lines}

    def _told(self, name: str, before: np.ndarray, after: np.ndarray) -> list[Measure]:
        broken, moved = violated(before, after, self.even), mean(after - before)
        words = leaning(moved, 0, "towards chosen", "towards rejected", "no drift seen")
        return [
            measure(f"{name}: verdict changes", share_of(broken), "0 = invariant"),
            measure(f"{name}: the score moves", moved, words),
            measure(f"{name}: the score moves, either way", mean(np.abs(after - before)), "0 = invariant"),
        ]


def paired(group: np.ndarray, original: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row [n] the score of its group's original, NaN where there is none, and its own."""
    first = np.full(int(group.max(initial=-1)) + 1, np.nan)
    at = np.flatnonzero(original)[::-1]
    first[group[at]] = score[at]
    found: np.ndarray = first[group]
    return found, score


def violated(before: np.ndarray, after: np.ndarray, even: float) -> np.ndarray:
    """bool [n]: whether the two scores lie on different sides of `even`; on it is a side of its own."""
    changed: np.ndarray = np.sign(before - even) != np.sign(after - even)
    return changed
