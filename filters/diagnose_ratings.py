"""`diagnose.ratings`: do scores and comparisons of the same answers say the same?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from ..core import bias
from ..core.errors import InputError
from ..core.estimates import NOTHING, Estimate, share, share_of
from ..core.logit import fit_logit
from ..core.registry import register
from ..core.stage import Context, Sink
from .judged import Judged, Names, preferred, read_judged
from .measures import Measure, leaning, measure, plain

if TYPE_CHECKING:
    from ..core.frame import Frame

_KINDS: Final = ("chosen", "equal", "rejected")


@final
@register("diagnose.ratings")
class DiagnoseRatings(Sink):
    """Compare the preference that scores imply with the verdict of a comparison, three ways.

    A comparison whose orders disagree is `equal`, as equal scores are. Strict consistency counts all
    rows, tie-excluded those where both protocols decide; hedging is how often each says equal.
    Where the two differ, the log-odds of length and of the density of distinct words say what each
    protocol pays for.
    """

    reads = (
        "prompt_hash", "chosen", "rejected", "chosen_{score}", "rejected_{score}", "{column}", "{first}?", "{second}?",
        "gold?", "verdict?",
    )  # fmt: skip
    paper = "Peering Through Preferences, arXiv 2308.15812"

    score: str = "judge_score"
    """The ratings, in chosen_<score> and rejected_<score>."""
    column: str = "judge_p"
    """The comparison's chance that chosen is better."""
    first: str | None = "judge_first"
    """The comparison's verdict with chosen shown first."""
    second: str | None = "judge_second"
    """The comparison's verdict with chosen shown second."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, confusion (ratings' word → comparison's word → rows), measures."""
        judged = read_judged(rows, Names(self.column, self.first, self.second, score=self.score))
        rated, ranked = preferred(judged.chosen_score, judged.rejected_score), ranking(judged)
        both = np.isfinite(rated) & np.isfinite(ranked)
        if not both.any():
            hint = "judge.pointwise writes scores, judge.pairwise comparisons"
            raise InputError("no row has both scores and a comparison", place=self.name, hint=hint)
        return {
            "rows": int(both.sum()),
            "confusion": confusion(rated[both], ranked[both]),
            "measures": [*_consistency(rated[both], ranked[both]), *_paid_for(judged.at(np.flatnonzero(both)))],
        }


def ranking(judged: Judged) -> np.ndarray:
    """1, ½ or 0 [n]: the winner of both orders, else equal; of the mean chance where orders are not kept."""
    if not judged.both_orders:
        return np.where(np.isnan(judged.p), np.nan, (np.sign(judged.p - 0.5) + 1) / 2)
    missing = np.isnan(judged.given) | np.isnan(judged.swapped)
    return np.where(missing, np.nan, np.where(judged.given == judged.swapped, judged.given, 0.5))


def confusion(rated: np.ndarray, ranked: np.ndarray) -> dict[str, dict[str, int]]:
    """Rows by what ratings say (outer) and what the comparison says (inner)."""
    values = dict(zip(_KINDS, (1.0, 0.5, 0.0), strict=True))
    return {
        ours: {theirs: int(((rated == a) & (ranked == b)).sum()) for theirs, b in values.items()}
        for ours, a in values.items()
    }


def _consistency(rated: np.ndarray, ranked: np.ndarray) -> list[Measure]:
    decided = (rated != 0.5) & (ranked != 0.5)
    hedging = [share_of(side == 0.5) for side in (rated, ranked)]
    one_sided = ((rated == 0.5) != (ranked == 0.5)) & (rated != ranked)
    apart = int((rated != ranked).sum())
    return [
        measure("consistent, strictly", share_of(rated == ranked), "equal on one side only counts against"),
        measure("consistent, ties excluded", share_of(rated[decided] == ranked[decided]), "where both decide"),
        measure("disagreement that is a tie on one side", share(float(one_sided.sum()), apart)),
        measure("ratings hedge (equal scores)", hedging[0]),
        measure("comparisons hedge (equal, or orders disagree)", hedging[1]),
        plain("Cohen's κ", bias.cohen_kappa(np.r_[rated, 1 - rated], np.r_[ranked, 1 - ranked]), "0 = by chance"),
    ]


def _paid_for(judged: Judged) -> list[Measure]:
    """What each protocol pays for: log-odds at one standard deviation of length and of word density."""
    found = []
    density = [
        distinct / np.maximum(words, 1)
        for distinct, words in (
            (judged.chosen_distinct, judged.chosen_words),
            (judged.rejected_distinct, judged.rejected_words),
        )
    ]
    features = {"length": judged.longer, "density of distinct words": density[0] - density[1]}
    protocols = {
        "ratings": preferred(judged.chosen_score, judged.rejected_score),
        "comparisons": ranking(judged),
    }
    for protocol, verdicts in protocols.items():
        for name, fit in _slopes(verdicts, features).items():
            words = leaning(fit, 0, "pays for it", "pays against it")
            found.append(measure(f"{protocol}: worth of {name}", fit, words))
    return found


def _slopes(verdicts: np.ndarray, features: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    if len(verdicts) < bias.LEAST:
        return dict.fromkeys(features, NOTHING)
    scaled = [values / (values.std() or 1.0) for values in features.values()]
    fit = fit_logit(np.column_stack([np.ones(len(verdicts)), *scaled]), verdicts)
    return {name: fit.weight(k + 1) for k, name in enumerate(features)}
