"""Two reward heads review each other's training pairs and find the labels that are reversed.

Collaborative Reward Modeling trains two reward models side by side; each hands the other the
pairs it trusts, from easy to hard, so that neither learns its own mistakes. Here the peers are
cross-fitted Bradley-Terry heads on two views of the pairs, which makes the review deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ..core.errors import InputError
from .calibration import calibrate, estimate_noise, flip_chance, members, most_likely
from .heads import cross_fit

Views = tuple[np.ndarray, np.ndarray]


@final
@dataclass(frozen=True)
class PeerReview:
    """What the peers think of n pairs; margins in logits, positive = the label is right."""

    margin_a: np.ndarray  # [n] float64, out of fold, clean log-odds by view A
    margin_b: np.ndarray  # [n] float64, likewise by view B
    margin: np.ndarray  # [n] float64, clean log-odds by both: their sum, calibrated anew
    flip_suspect: np.ndarray  # [n] bool: by both together the label is reversed
    noise_estimate: float  # the share of reversed labels that the first round's margins point to
    keep_votes: np.ndarray  # [n] int64 in 0 … 2 * rounds: reviews that called the label right


def peer_review(
    views: Views,
    groups: np.ndarray,
    *,
    noise: float | None = None,
    rounds: int = 3,
    folds: int = 5,
    l2: float = 3.0,
    partitions: int = 3,
    seed: int,
    sources: np.ndarray | None = None,
) -> PeerReview:
    """Find reversed labels among n pairs from difference features [n, da] and [n, db].

    `groups` [n] uint64 hash the prompts: one prompt stands in one fold; margins are the mean of
    `partitions` ways to fold. `noise` in [0, 0.5) is the share of labels expected to be reversed,
    None = estimate it. `sources` [n] let every source be judged by heads of its own where, out of
    fold, they make its labels more likely than the common ones do.
    Each round drops from a peer's training the pairs that the *other* peer holds for reversed
    (chance above a half), at most noise * t / (rounds - 1) of all in round t; a peer's opinion is
    the mean of its rounds weighted 1, 2, 3 …: a head trained on what agrees with it is more right,
    but also more sure of itself than it should be.
    In the end each source has suspects, its lowest negative margins, in proportion to the sum of its
    rows' chances, and all sources together at most noise * n.
    Raises InputError on views of unequal length, and on noise, rounds or partitions out of range.
    """
    _check(views, noise, rounds, partitions)
    rows = len(views[0])
    trained_on = [np.ones(rows), np.ones(rows)]
    totals = [np.zeros(rows), np.zeros(rows)]
    votes = np.zeros(rows, np.int64)
    estimate = tau = 0.0
    for turn in range(rounds):
        fits = [
            _opinion(
                views[peer], groups, trained_on[peer], sources,
                noise=tau if turn else noise, folds=folds, l2=l2,
                seeds=[((seed * 1009 + turn) * 2 + peer) * 1009 + k for k in range(partitions)],
            )
            for peer in (0, 1)
        ]  # fmt: skip
        if turn == 0:
            estimate = estimate_noise(fits[0] + fits[1], sources)
            tau = estimate if noise is None else noise
        share = tau * min(1.0, (turn + 1) / max(1, rounds - 1))
        for peer in (0, 1):
            totals[peer] += (turn + 1) * calibrate(fits[peer], tau, sources)
            opinion = totals[peer] / ((turn + 1) * (turn + 2) / 2)
            kept = ~_lowest(opinion, share, flip_chance(opinion, tau) > 0.5)
            votes += kept
            trained_on[1 - peer] = kept.astype(np.float64)
    margin_a, margin_b = (total / (rounds * (rounds + 1) / 2) for total in totals)
    joint = calibrate(margin_a + margin_b, tau, sources)
    suspect = _suspects(joint, tau, sources)
    return PeerReview(margin_a, margin_b, joint, suspect, estimate, votes)


def _opinion(
    view: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray,
    sources: np.ndarray | None,
    *,
    noise: float | None,
    folds: int,
    l2: float,
    seeds: list[int],
) -> np.ndarray:
    """Out-of-fold margins [n] of one view, the mean over several ways to fold.

    A source has those of its own heads or of the common ones, by which its labels are more likely: its own
    taste is learnt from fewer rows, another's taste may mislead.
    """
    kinds: list[list[np.ndarray | slice]] = [[slice(None)]]
    if sources is not None:
        kinds.insert(0, [*members(len(view), sources)])
    margins = []
    for parts in kinds:
        total = np.zeros(len(view))
        for rows in parts:
            for s in seeds:
                total[rows] += cross_fit(view[rows], groups[rows], folds=folds, seed=s, l2=l2, weights=weights[rows])
        margins.append(total / len(seeds))
    return most_likely(margins, noise, sources)


def _suspects(margin: np.ndarray, noise: float, sources: np.ndarray | None) -> np.ndarray:
    """The rows [n] bool held for reversed: per source as many as its chances add up to."""
    chance = flip_chance(margin, noise)
    excess = chance.sum() / max(noise * len(margin), 1e-300)
    suspect = np.zeros(len(margin), bool)
    for rows in members(len(margin), sources):
        share = chance[rows].mean() / max(excess, 1e-300)
        suspect[rows] = _lowest(margin[rows], share, margin[rows] < 0)
    return suspect


def _lowest(margin: np.ndarray, share: float, allowed: np.ndarray) -> np.ndarray:
    """The `share` of rows of lowest margin [n] bool, of those allowed; ties fall to the earlier."""
    chosen = np.zeros(len(margin), bool)
    order = np.argsort(margin, kind="stable")
    chosen[order[: int(share * len(margin) + 1e-9)]] = True
    chosen &= allowed
    return chosen


def _check(views: Views, noise: float | None, rounds: int, partitions: int) -> None:
    if len(views[0]) != len(views[1]):
        raise InputError(f"views of {len(views[0])} and {len(views[1])} pairs", hint="one row a pair")
    if noise is not None and not 0 <= noise < 0.5:
        raise InputError(f"noise is {noise}", hint="needed: 0 to below 0.5, above it labels invert")
    if rounds < 1 or partitions < 1:
        raise InputError(f"{rounds} rounds, {partitions} partitions", hint="needed: 1 or more")
