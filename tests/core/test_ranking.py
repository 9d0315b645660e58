"""Strengths against closed forms, intervals against simulation, and items that never lost."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core.errors import InputError
from rather.core.ranking import MOST_INTERVALS, strengths

ZERO, ONE = np.zeros(15, np.int64), np.ones(15, np.int64)


def test_two_items_have_a_closed_form() -> None:
    """8 wins to 2: a gap of log 4; the gap's variance is 1/8 + 1/2, half the gap's error is each one's."""
    found = strengths(ZERO[:10], ONE[:10], np.repeat([1.0, 0.0], [8, 2]), items=2, prior=1e-8)
    assert found.values == pytest.approx([np.log(4) / 2, -np.log(4) / 2], abs=1e-6)
    assert found.errors == pytest.approx(np.full(2, np.sqrt(1 / 8 + 1 / 2) / 2), rel=1e-5)
    assert found.chance(np.array([0]), np.array([1]))[0] == pytest.approx(0.8) and np.isnan(found.tie)


def test_ties_as_halves_and_as_an_outcome_of_their_own() -> None:
    """8, 2 and 5 ties: halves give log(10.5 / 4.5); Davidson gives log 4 and ν = 5 / √(8 · 2)."""
    wins = np.repeat([1.0, 0.0, 0.5], [8, 2, 5])
    half = strengths(ZERO, ONE, wins, items=2, prior=1e-8)
    assert half.values[0] - half.values[1] == pytest.approx(np.log(10.5 / 4.5), abs=1e-6)
    own = strengths(ZERO, ONE, wins, items=2, ties="davidson", prior=1e-8)
    assert own.values[0] - own.values[1] == pytest.approx(np.log(4), abs=1e-6)
    assert own.tie == pytest.approx(np.log(5 / 4), abs=1e-6)


def test_soft_chances_are_wins_in_part() -> None:
    soft = strengths(ZERO[:1], ONE[:1], np.array([0.8]), items=2, weight=np.array([10.0]), prior=1e-8)
    assert soft.values[0] - soft.values[1] == pytest.approx(np.log(4), abs=1e-6)


def test_three_in_a_chain_add_up() -> None:
    """0 beats 1 by 3:1, 1 beats 2 by 3:1, never met: the gap of 0 and 2 is 2 log 3."""
    first, second = np.repeat([0, 1], 4), np.repeat([1, 2], 4)
    found = strengths(first, second, np.tile([1, 1, 1, 0.0], 2), items=3, prior=1e-8)
    assert found.values[0] - found.values[2] == pytest.approx(2 * np.log(3), abs=1e-6)


def test_an_item_that_never_lost_stays_finite_and_one_that_never_played_is_average() -> None:
    found = strengths(ZERO, ONE, np.ones(15), items=3)
    assert 2 < found.values[0] - found.values[1] < 12 and abs(found.values[2]) < 1e-9
    assert found.errors[2] > found.errors[0]


def test_intervals_cover_at_their_rate() -> None:
    """30 items, 60 trials of 95 %: 1,710 of 1,800 expected; the trials' spread is allowed for."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=30)
        truth -= truth.mean()
        first = rng.integers(0, 30, 1500)
        second = (first + rng.integers(1, 30, 1500)) % 30
        wins = (rng.random(1500) < 1 / (1 + np.exp(truth[second] - truth[first]))).astype(float)
        found = strengths(first, second, wins, items=30)
        covered += int((np.abs(found.values - truth) <= 1.96 * found.errors).sum())
    assert 0.93 <= covered / 1800 <= 0.97


def test_many_items_are_ranked_without_a_square_matrix() -> None:
    rng = np.random.default_rng(2)
    k = MOST_INTERVALS * 4
    truth = rng.normal(size=k)
    first = rng.integers(0, k, 20 * k)
    second = (first + rng.integers(1, k, 20 * k)) % k
    wins = (rng.random(20 * k) < 1 / (1 + np.exp(truth[second] - truth[first]))).astype(float)
    found = strengths(first, second, wins, items=k)
    assert np.corrcoef(found.values, truth)[0, 1] > 0.9 and np.isnan(found.errors).all()


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(InputError, match=r"0 … 1"):
        strengths(ZERO[:1], np.array([5]), np.ones(1), items=2)
    with pytest.raises(InputError, match="outcomes"):
        strengths(ZERO[:1], ONE[:1], np.array([1.5]), items=2)
