"""What a judge's verdicts lean on besides quality: place, length, format, kin, habit.

A verdict is 1 where the answer called chosen is preferred, 0 where the other is, ½ for a tie, NaN
where there is none. `given` [n] are verdicts with chosen shown first, `swapped` [n] with it second.
Zheng et al., 2023 (position); Dubois et al., 2024 (length); Li et al., 2024 (format); Cohen, 1960.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from .estimates import NOTHING, Estimate, mean, share, share_of
from .logit import fit_logit
from .winrate import squashed

LEAST: Final = 20
"""Rows below which no slope is fitted."""


def first_pick(given: np.ndarray, swapped: np.ndarray) -> Estimate:
    """How often the answer shown first wins, of all decided calls; ½ is unbiased."""
    picks = np.concatenate([given, 1 - swapped])
    return share_of(picks[np.isfinite(picks) & (picks != 0.5)])


def flip_rate(given: np.ndarray, swapped: np.ndarray) -> Estimate:
    """Share of rows whose two orders name opposite winners, lower is better."""
    both = np.isfinite(given) & np.isfinite(swapped)
    return share_of(np.abs(given[both] - swapped[both]) == 1)


def consistency(given: np.ndarray, swapped: np.ndarray) -> Estimate:
    """Share of rows whose two orders agree wholly, ties included, higher is better."""
    both = np.isfinite(given) & np.isfinite(swapped)
    return share_of(given[both] == swapped[both])


def flips_by_margin(
    given: np.ndarray, swapped: np.ndarray, margin: np.ndarray, parts: int = 3
) -> list[tuple[float, float, Estimate]]:
    """(least |margin|, most |margin|, flip rate) of equally many rows each, small margins first."""
    known = np.flatnonzero(np.isfinite(given) & np.isfinite(swapped) & np.isfinite(margin))
    ordered = known[np.argsort(np.abs(margin[known]), kind="stable")]
    found = []
    for rows in np.array_split(ordered, parts):
        if len(rows):
            size = np.abs(margin[rows])
            found.append((float(size[0]), float(size[-1]), flip_rate(given[rows], swapped[rows])))
    return found


@final
@dataclass(frozen=True)
class Leanings:
    """Log-odds of one joint fit: for the answer called chosen, for being shown first (½ the gap
    between the orders), and for tanh(Δlength / sd); 0 = no leaning."""

    chosen: Estimate
    first: Estimate
    length: Estimate


def leanings(given: np.ndarray, swapped: np.ndarray, delta_length: np.ndarray) -> Leanings:
    """What moves a call, fitted on all calls at once: logit P(chosen) = q ± s + c tanh(Δlength / sd).

    `delta_length` [n] is chosen less rejected. Ties are left out, as they would draw every slope towards
    0. Both calls of a row are one cluster of the covariance.
    """
    rows = np.tile(np.arange(len(given)), 2)
    verdicts = np.concatenate([given, swapped])
    side = np.repeat([1.0, -1.0], len(given))
    x = np.column_stack([np.ones(len(side)), side, np.tile(squashed(delta_length), 2)])
    known = np.isfinite(verdicts) & (verdicts != 0.5)
    if known.sum() < LEAST:
        return Leanings(NOTHING, NOTHING, NOTHING)
    fit = fit_logit(x[known], verdicts[known], groups=rows[known])
    both = np.isfinite(given).any() and np.isfinite(swapped).any()
    return Leanings(fit.weight(0) if both else NOTHING, fit.weight(1) if both else NOTHING, fit.weight(2))


def prefers_longer(p: np.ndarray, delta_length: np.ndarray, least: float = 0.0) -> Estimate:
    """How often the longer answer wins where one wins; only rows with |Δlength| above `least`."""
    told = np.isfinite(p) & (p != 0.5) & (np.abs(delta_length) > least)
    return share_of((p[told] > 0.5) == (delta_length[told] > 0))


def longest_wins(right: np.ndarray, delta_length: np.ndarray) -> Estimate:
    """The accuracy of preferring the longer answer: the floor a judge stands on. Equal lengths count ½.

    `right` [n] is 1 where chosen is truly better, 0 where rejected is; other rows are left out.
    """
    told = (right == 0) | (right == 1)
    longer = np.where(delta_length == 0, 0.5, (delta_length > 0).astype(np.float64))
    return share_of(np.where(longer[told] == 0.5, 0.5, longer[told] == right[told]))


def style_leanings(
    p: np.ndarray, counts: Mapping[str, tuple[np.ndarray, np.ndarray]], tokens: tuple[np.ndarray, np.ndarray]
) -> dict[str, Estimate]:
    """Log-odds a standard deviation of each mark of format, length held equal (arena-hard's covariates).

    `counts` has (chosen, rejected) numbers of headers, list items, … [n] each, `tokens` the lengths.
    A mark enters as (dₐ - d_b) / (dₐ + d_b + 1) of its densities count / (tokens + 1); marks that
    never differ are left out.
    """
    told = np.isfinite(p)
    a, b = (np.asarray(side, np.float64) for side in tokens)
    columns = {"length": (a - b) / np.maximum(a + b, 1)}
    for name, (mine, theirs) in counts.items():
        dense, sparse = mine / (a + 1), theirs / (b + 1)
        columns[name] = (dense - sparse) / (dense + sparse + 1)
    scaled = {name: x[told] / x[told].std() for name, x in columns.items() if told.any() and x[told].std() > 0}
    if told.sum() < LEAST or not scaled:
        return {}
    fit = fit_logit(np.column_stack([np.ones(int(told.sum())), *scaled.values()]), p[told])
    return {name: fit.weight(k + 1) for k, name in enumerate(scaled)}


def self_preference(p: np.ndarray, own: np.ndarray, reference: np.ndarray) -> Estimate:
    """The judge's win rate of its own kin less that by the reference, on the same rows; 0 is fair.

    `own` [n] is 1 where chosen alone is by the judge's family, 0 where rejected alone is, NaN else;
    `reference` [n] are the verdicts of humans or of other judges.
    """
    known = np.isfinite(own) & np.isfinite(p) & np.isfinite(reference)
    own, p, reference = own[known], p[known], reference[known]
    return mean(np.where(own == 1, p - reference, reference - p))


def entropy(counts: np.ndarray) -> float:
    """Entropy in bits of counts [k]; 0 = always the same, 1 = two kinds equally often."""
    counts = np.asarray(counts, np.float64)
    total = counts.sum()
    shares = counts[counts > 0] / total if total > 0 else counts[:0]
    return float(-(shares * np.log2(shares)).sum()) + 0.0 if total > 0 else float("nan")


@final
@dataclass(frozen=True)
class RatingUse:
    """How a scale is used: values taken, entropy in bits, the commonest value and its share."""

    distinct: int
    entropy: float
    commonest: float
    of_commonest: Estimate


def rating_use(scores: np.ndarray) -> RatingUse | None:
    """The use of a scale by scores (NaN left out); None without scores."""
    values, counts = np.unique(scores[np.isfinite(scores)], return_counts=True)
    if not len(values):
        return None
    top = int(np.argmax(counts))
    return RatingUse(len(values), entropy(counts), float(values[top]), share(float(counts[top]), int(counts.sum())))


def cyclic_triples(prompts: np.ndarray, first: np.ndarray, second: np.ndarray, p: np.ndarray) -> Estimate:
    """Share of triples of one prompt, all three pairs decided, that go round in a circle; 0 = transitive.

    `first` and `second` [m] tell the answers compared (any codes); a random judge comes to ¼.
    """
    told = np.isfinite(p) & (p != 0.5) & (first != second)
    cycles = triples = 0.0
    order = np.argsort(prompts[told], kind="stable")
    rows = np.flatnonzero(told)[order]
    breaks = np.flatnonzero(prompts[rows][1:] != prompts[rows][:-1]) + 1
    for group in np.split(rows, breaks):
        if len(group) >= 3:
            found = _triples(first[group], second[group], p[group])
            cycles, triples = cycles + found[0], triples + found[1]
    return share(cycles, round(triples))


def cohen_kappa(ours: np.ndarray, theirs: np.ndarray) -> float:
    """κ = (observed - expected) / (1 - expected) agreement of two lists of codes [n]; NaN if both are constant."""
    kinds = np.unique(np.concatenate([ours, theirs]))
    if not len(ours):
        return float("nan")
    expected = sum(float((ours == k).mean() * (theirs == k).mean()) for k in kinds)
    observed = float((ours == theirs).mean())
    return (observed - expected) / (1 - expected) if expected < 1 else float("nan")


def _triples(first: np.ndarray, second: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """(circular, complete) triples of one prompt: traces of the cubes of who-beats-whom matrices."""
    names, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    lead = np.zeros((len(names), len(names)))
    np.add.at(lead, (codes[: len(p)], codes[len(p) :]), p - 0.5)
    beats = ((lead - lead.T) > 0).astype(np.float64)
    met = beats + beats.T
    return float(np.trace(beats @ beats @ beats) / 3), float(np.trace(met @ met @ met) / 6)
