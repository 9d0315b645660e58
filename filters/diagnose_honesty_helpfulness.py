"""`diagnose.honesty_helpfulness`: when truth and use conflict, which one do choices follow?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..core.errors import InputError
from ..core.estimates import share_of
from ..core.logit import fit_logit
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .measures import leaning, measure
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame

LEAST = 20


@final
@register("diagnose.honesty_helpfulness")
class HonestyHelpfulness(Sink):
    """Fit choices on the truth and the usefulness of both answers, and count what wins conflicts.

    P(chosen) = σ(w_truth Δtruth + w_use Δuse), differences divided by their root mean square. The
    choice is the pair's own order, or a judge's chance. In a conflict one answer is truer and the
    other more useful.
    """

    reads = ("chosen_{truth}", "rejected_{truth}", "chosen_{use}", "rejected_{use}", "{column}?")
    paper = "How do LLMs Navigate Conflicts between Honesty and Helpfulness?, arXiv 2402.07282"

    truth: str = "honesty"
    """Score of truth, in chosen_<truth> and rejected_<truth>; higher = truer."""
    use: str = "helpfulness"
    """Score of usefulness to the reader, in chosen_<use> and rejected_<use>; higher = more useful."""
    column: str | None = None
    """Column with the chance that chosen is preferred; null = chosen is, always."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, conflicts, measures (two weights in log-odds, how often truth wins conflicts)."""
        names = [f"{side}_{score}" for score in (self.truth, self.use) for side in ("chosen", "rejected")]
        table = rows.table([*names, *([self.column] if self.column else [])])
        sides = [floats(flat(table[name])) for name in names]
        delta = np.column_stack([sides[0] - sides[1], sides[2] - sides[3]])
        p = floats(flat(table[self.column])) if self.column else np.ones(len(delta))
        sound = np.isfinite(delta).all(axis=1) & np.isfinite(p)
        delta, p = delta[sound], p[sound]
        if len(p) < LEAST:
            raise InputError(f"{len(p)} rows have all scores", place=self.name, hint=f"give {LEAST} or more")
        scale = np.sqrt((delta**2).mean(axis=0))
        fit = fit_logit(delta / np.where(scale > 0, scale, 1.0), p)
        conflict = (delta[:, 0] * delta[:, 1] < 0) & (p != 0.5)
        truthful = share_of((delta[conflict, 0] > 0) == (p[conflict] > 0.5))
        return {
            "rows": len(p),
            "conflicts": int(conflict.sum()),
            "measures": [
                measure(f"worth of {name} (log-odds)", worth, leaning(worth, 0, f"{name} pays", f"{name} costs"))
                for name, worth in (("truth", fit.weight(0)), ("use", fit.weight(1)))
            ]
            + [
                measure("truth wins conflicts", truthful, leaning(truthful, 0.5, "truth over use", "use over truth")),
            ],
        }
