"""The parts of a judge's diagnosis: each takes judged rows and gives its lines, or none."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..core import bias
from ..core.calibration_curves import brier, calibration_error
from ..core.estimates import share, share_of
from .judged import Judged, confidence, correct, preferred
from .judged_texts import MARKS
from .measures import Measure, leaning, measure, plain

MUCH_LONGER = 1.5
"""Ratio of lengths from which an answer counts as much longer."""


def choices(judged: Judged) -> list[Measure]:
    """How verdicts end: ties, verdicts missing, their entropy."""
    calls = judged.p if not judged.both_orders else np.concatenate([judged.given, 1 - judged.swapped])
    there = calls[np.isfinite(calls)]
    found = [measure("rows without a verdict", share(float(np.isnan(judged.p).sum()), len(judged)), "lower is better")]
    for outcome, rows in sorted(Counter(judged.outcome[np.isnan(judged.p)].tolist()).items()):
        found.append(measure(f"rows that ended {outcome}", share(float(rows), len(judged))))
    if judged.both_orders:
        for name, side in (("first", judged.given), ("second", judged.swapped)):
            missing = share(float(np.isnan(side).sum()), len(side))
            found.append(measure(f"no verdict, chosen shown {name}", missing, "should not depend on the place"))
    counts = np.array([(there > 0.5).sum(), (there < 0.5).sum(), (there == 0.5).sum()])
    found.append(measure("ties", share(float(counts[2]), len(there))))
    if judged.both_orders:
        found.append(plain("entropy of verdicts (bits)", bias.entropy(counts), "0 = always the same verdict"))
    return found


def places(judged: Judged) -> list[Measure]:
    """Position bias; nothing where only one order was asked for, as it cannot be seen there."""
    if not judged.both_orders:
        return []
    first, fit = bias.first_pick(judged.given, judged.swapped), _leanings(judged)
    pull = leaning(fit.first, 0, "to the first", "to the second")
    even = leaning(first, 0.5, "prefers the answer shown first", "prefers the answer shown second")
    return [
        measure("first picked", first, even),
        measure("orders agree", bias.consistency(judged.given, judged.swapped), "higher is better"),
        measure("orders contradict (flips)", bias.flip_rate(judged.given, judged.swapped), "lower is better"),
        measure("pull of the first place (log-odds)", fit.first, pull),
    ]


def lengths(judged: Judged) -> list[Measure]:
    """Length bias: how often the longer wins, and what length is worth when all else is equal."""
    delta = judged.longer
    longer, fit = bias.prefers_longer(judged.p, delta), _leanings(judged)
    shorter = np.maximum(np.minimum(judged.chosen_length, judged.rejected_length), 1)
    ratio = np.maximum(judged.chosen_length, judged.rejected_length) / shorter
    worth = leaning(fit.length, 0, "pays for length", "pays for brevity")
    much = bias.prefers_longer(np.where(ratio >= MUCH_LONGER, judged.p, np.nan), delta)
    return [
        measure("longer answer preferred", longer, leaning(longer, 0.5, "prefers length", "prefers brevity")),
        measure(f"longer by {MUCH_LONGER:g} times or more preferred", much),
        measure("worth of length (log-odds at one sd)", fit.length, worth),
    ]


def formats(judged: Judged) -> list[Measure]:
    """Marks of format, length held equal."""
    marks = {name: (judged.chosen_marks[:, k], judged.rejected_marks[:, k]) for k, name in enumerate(MARKS)}
    found = bias.style_leanings(judged.p, marks, (judged.chosen_words, judged.rejected_words))
    return [
        measure(f"worth of {name} (log-odds a sd)", fit, leaning(fit, 0, f"likes {name}", f"dislikes {name}"))
        for name, fit in found.items()
        if name != "length"
    ]


def scales(judged: Judged) -> list[Measure]:
    """The use of the scale, and whether verdicts go round in circles."""
    found = []
    use = bias.rating_use(np.concatenate([judged.chosen_score, judged.rejected_score]))
    if use is not None:
        found = [
            plain("values of the scale used", use.distinct),
            plain("entropy of scores (bits)", use.entropy, "0 = always the same score"),
            measure(f"commonest score ({use.commonest:g})", use.of_commonest),
        ]
        implied = preferred(judged.chosen_score, judged.rejected_score)
        both = np.isfinite(implied) & np.isfinite(judged.p)
        if both.any() and not np.array_equal(implied[both], judged.p[both]):
            same = np.sign(judged.p[both] - 0.5) == np.sign(implied[both] - 0.5)
            found.append(measure("scores and verdicts agree", share_of(same)))
    circles = bias.cyclic_triples(judged.prompt, judged.chosen_hash, judged.rejected_hash, judged.p)
    return found + ([measure("circular triples", circles, "0 = transitive, ¼ = by chance")] if circles.known else [])


def kinship(judged: Judged) -> list[Measure]:
    """Self-preference, against the human verdicts on the same rows."""
    found = bias.self_preference(judged.p, judged.own, judged.human)
    words = leaning(found, 0, "favours its own kin", "disfavours its own kin")
    return [measure("win rate of its own kin, less that by people", found, words)] if found.known else []


def agreement(judged: Judged) -> list[Measure]:
    """Agreement with people, and the floor beside it."""
    right = share_of(correct(judged.p, judged.human))
    if not right.known:
        return []
    floor = bias.longest_wins(np.where(np.isfinite(judged.p), judged.human, np.nan), judged.longer)
    words = leaning(right, floor.value, "above the floor", "below the floor", "no better than length")
    found = [measure("agrees with people", right, words), measure("floor: the longer wins", floor)]
    if judged.both_orders:
        sides = [correct(side, judged.human) for side in (judged.given, judged.swapped)]
        both = np.where(np.isnan(sides[0] + sides[1]), np.nan, (sides[0] == 1) & (sides[1] == 1))
        found.append(measure("right in both orders", share_of(both)))
    return [*found, plain("Cohen's κ with people", _kappa(judged), "0 = by chance, 1 = full")]


def calibration(judged: Judged) -> list[Measure]:
    """Whether the judge is as often right as it is sure: its confidence is max(p, 1 - p)."""
    sure, right = confidence(judged.p), correct(judged.p, judged.human)
    if not np.isfinite(sure + right).any():
        return []
    return [
        plain("calibration error", calibration_error(sure, right), "lower is better"),
        plain("Brier score", brier(sure, right), "lower is better; a coin earns 0.25"),
    ]


def _kappa(judged: Judged) -> float:
    """κ over win, loss and tie; every pair counts both ways round, whichever of it is called chosen."""
    both = np.isfinite(judged.p) & np.isfinite(judged.human)
    ours, theirs = np.sign(judged.p[both] - 0.5), np.sign(judged.human[both] - 0.5)
    return bias.cohen_kappa(np.concatenate([ours, -ours]), np.concatenate([theirs, -theirs]))


def _leanings(judged: Judged) -> bias.Leanings:
    if judged.both_orders:
        return bias.leanings(judged.given, judged.swapped, judged.longer)
    return bias.leanings(judged.p, np.full(len(judged), np.nan), judged.longer)
