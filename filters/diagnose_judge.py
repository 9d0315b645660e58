"""`diagnose.judge`: may this judge be trusted? Its biases, its agreement with people, its habits."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import numpy as np
from pydantic import Field

from ..core import bias
from ..core.calibration_curves import reliability
from ..core.errors import RunError
from ..core.estimates import share_of
from ..core.registry import register
from ..core.stage import Context, Sink
from .judged import Judged, Names, confidence, correct, read_judged
from .leanings_told import agreement, calibration, choices, formats, kinship, lengths, places, scales
from .measures import number

if TYPE_CHECKING:
    from ..core.frame import Frame

MOST_GROUPS = 40


@final
@register("diagnose.judge")
class DiagnoseJudge(Sink):
    """Measure what a judge's verdicts lean on besides quality, with 95 % intervals.

    Position (first-pick rate, flips), length (how often the longer wins, the log-odds of length),
    marks of format, the use of its scale, circular triples, its own kin; where rows have human
    labels, agreement beside the floor of preferring the longer answer, κ, and calibration. A judge
    that always answers the same, or always picks one place, is refused with an explanation.
    """

    reads = (
        "prompt_hash", "chosen", "rejected", "{column}?", "{column}_outcome?", "{first}?", "{second}?", "{human}?",
        "gold?", "verdict?", "{margin}?", "{by}?", "chosen_{score}?", "rejected_{score}?",
    )  # fmt: skip
    paper = "MT-Bench, arXiv 2306.05685; LLMBar, arXiv 2310.07641; AlpacaEval LC, arXiv 2404.04475"

    column: str = "judge_p"
    """The judge's chance that chosen is better, in [0, 1]."""
    first: str | None = "judge_first"
    """Column with the verdict given with chosen shown first: chosen, rejected or tie."""
    second: str | None = "judge_second"
    """Column with the verdict given with chosen shown second."""
    score: str | None = None
    """The judge's score of each answer, in chosen_<score> and rejected_<score>, for the use of its scale; gives
    the verdicts where `column` is not there."""
    human: str | None = None
    """Column of human verdicts: chosen, rejected or tie; yes or no (chosen is better); a chance. Null = `gold`
    where rows have it."""
    order_is_truth: bool = False
    """Take the pair's own order as the human verdict: in a gold set the chosen answer is right."""
    margin: str | None = None
    """Column of margins by whose size flips are told apart, small ones first."""
    by: str | None = None
    """Column whose values have their accuracy measured apart (a subset, a domain)."""
    kin: str | None = None
    """Part of the names of models that are the judge's own family, in any case, as in gpt."""
    least_entropy: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Entropy of the verdicts first, second, tie below which the judge is refused, in bits."""
    most_first: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    """Share of decided calls won by one and the same place from which on the judge is refused."""
    least_calls: Annotated[int, Field(ge=2)] = 20
    """Calls below which no judge is refused."""
    refuse: Literal["fail", "warn"] = "fail"
    """What a refusal does: stop the run with the explanation, or log it loudly and go on."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, judged, refused, why, outcomes (name → rows), measures (measure, value, low,
        high, reading), groups, reliability and flips_by_margin."""
        names = Names(
            self.column, self.first, self.second, self.human, self.score, self.margin, self.by, self.kin,
            self.order_is_truth,
        )  # fmt: skip
        judged = read_judged(rows, names)
        why = self._refusal(judged)
        facts = diagnosis(judged) | {"refused": bool(why), "why": why}
        if why:
            logging.getLogger("rather.filters").warning("REFUSED: %s", why)
        if why and self.refuse == "fail":
            hint = "take another judge or template; refuse: warn goes on all the same"
            raise RunError(f"this judge is refused: {why}", place=self.name, hint=hint)
        return facts

    def _refusal(self, judged: Judged) -> str:
        if judged.both_orders:
            return habit(judged.given, judged.swapped, self.least_entropy, self.most_first, self.least_calls)
        return monotony(judged, self.least_entropy, self.least_calls)


def diagnosis(judged: Judged) -> dict[str, Any]:
    """Everything that is measured of these rows, as plain JSON."""
    margins = bias.flips_by_margin(judged.given, judged.swapped, judged.margin)
    parts = groups(judged)
    by_group = [
        {"measure": f"agrees with people: {part['group']}"}
        | {key: part[source] for key, source in (("value", "accuracy"), ("low", "low"), ("high", "high"))}
        | {"reading": f"{part['rows']:,} rows; the longer wins in {part['longest_wins']:.0%}"}
        for part in parts
    ]
    told = [choices, places, lengths, formats, scales, kinship, agreement, calibration]
    return {
        "rows": len(judged),
        "judged": int(np.isfinite(judged.p).sum()),
        "outcomes": dict(sorted(Counter(judged.outcome.tolist()).items())),
        "measures": [line for tell in told for line in tell(judged)] + by_group,
        "groups": parts,
        "reliability": [
            {"from": b.low, "to": b.high, "stated": number(b.stated), "right": number(b.right.value),
             "low": number(b.right.low), "high": number(b.right.high), "rows": b.right.n}
            for b in reliability(confidence(judged.p), correct(judged.p, judged.human))
        ],
        "flips_by_margin": [
            {"from": number(low), "to": number(high), "flips": number(rate.value), "low": number(rate.low),
             "high": number(rate.high), "rows": rate.n} for low, high, rate in margins
        ],
    }  # fmt: skip


def groups(judged: Judged) -> list[dict[str, Any]]:
    """Accuracy by group where there are human labels, the largest groups first, beside the longer-wins floor."""
    found = []
    for name, count in Counter(judged.group.tolist()).most_common(MOST_GROUPS):
        part = judged.at(np.flatnonzero(judged.group == name))
        right, floor = correct(part.p, part.human), bias.longest_wins(part.human, part.longer)
        rate = share_of(right)
        if name and rate.known:
            found.append(
                {"group": name, "rows": count, "accuracy": number(rate.value), "low": number(rate.low),
                 "high": number(rate.high), "longest_wins": number(floor.value)}
            )  # fmt: skip
    return found


def habit(given: np.ndarray, swapped: np.ndarray, least_entropy: float, most_first: float, least: int) -> str:
    """Why a judge of both orders is refused: its verdicts do not vary with the answers; empty when they do."""
    calls = np.concatenate([given, 1 - swapped])
    calls = calls[np.isfinite(calls)]
    counts = {"first": int((calls > 0.5).sum()), "second": int((calls < 0.5).sum()), "tie": int((calls == 0.5).sum())}
    if len(calls) < least:
        return ""
    top = max(counts, key=lambda name: counts[name])
    spread = bias.entropy(np.array(list(counts.values())))
    if top == "tie" and spread < least_entropy:
        return f"it says tie in {counts[top] / len(calls):.0%} of {len(calls):,} calls (entropy {spread:.2f} bits)"
    decided = counts["first"] + counts["second"]
    side = max(("first", "second"), key=lambda name: counts[name])
    if decided and (counts[side] >= most_first * decided or (top == side and spread < least_entropy)):
        return (
            f"it picks the answer shown {side} in {counts[side] / decided:.0%} of {decided:,} decided calls"
            f" (entropy {spread:.2f} bits): its verdicts follow the place, not the answers"
        )
    return ""


def monotony(judged: Judged, least_entropy: float, least: int) -> str:
    """Why a judge of scores is refused: nearly every answer has the same score; empty when it varies."""
    scores = np.concatenate([judged.chosen_score, judged.rejected_score])
    use = bias.rating_use(scores)
    if use is None or int(np.isfinite(scores).sum()) < least or use.entropy >= least_entropy:
        return ""
    return f"it gives {use.commonest:g} to {use.of_commonest.value:.0%} of {use.of_commonest.n:,} answers"


def told_of(facts: Mapping[str, Any], measure: str) -> Mapping[str, Any] | None:
    """One measure of a diagnosis by name."""
    lines: Sequence[Mapping[str, Any]] = facts["measures"]
    return next((line for line in lines if line["measure"] == measure), None)
