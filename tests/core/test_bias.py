"""Leanings of verdicts by hand, and those of a simulated judge recovered within sampling error."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core import bias

from ..oracle import Oracle

NAN = np.nan


def lengths(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 40, n)


def calls(oracle: Oracle, delta: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return oracle.call(delta, 1, rng), oracle.call(delta, -1, rng)


def test_places_by_hand() -> None:
    """Calls first: A, A, tie, none; second (chosen shown second): B chosen, A rejected, tie, A rejected."""
    given, swapped = np.array([1, 1, 0.5, NAN]), np.array([1, 0, 0.5, 0])
    assert bias.first_pick(given, swapped).value == pytest.approx(4 / 5)
    assert bias.flip_rate(given, swapped).value == pytest.approx(1 / 3)
    assert bias.consistency(given, swapped).value == pytest.approx(2 / 3)


def test_flips_fall_with_the_margin() -> None:
    given = np.array([1, 1, 1, 1, 1, 1.0])
    swapped = np.array([0, 0, 0, 1, 1, 1.0])
    found = bias.flips_by_margin(given, swapped, np.array([0.1, -0.2, 0.3, -1, 2, 3]), 2)
    assert [(low, high, rate.value) for low, high, rate in found] == [(0.1, 0.3, 1.0), (1.0, 3.0, 0.0)]


def test_length_by_hand() -> None:
    p, delta = np.array([1, 0, 0.75, 0.5, NAN, 1]), np.array([5, 5, -2, 9, 9, 0])
    assert bias.prefers_longer(p, delta).value == pytest.approx(1 / 3)
    assert bias.prefers_longer(p, delta, 4).n == 2
    right = np.array([1, 1, 0, 0.5, 1, 1])
    assert bias.longest_wins(right, delta).value == pytest.approx((1 + 1 + 1 + 1 + 0.5) / 5)


@pytest.mark.parametrize("first", [0.0, 0.1, 0.3])
def test_a_known_position_bias_is_recovered_and_averaged_out(first: float) -> None:
    """First picks come to ½ + b/2; the mean of both orders is (1 - b) a + b/2 whichever answer is called chosen."""
    n, delta = 20000, lengths(20000, 1)
    given, swapped = calls(Oracle(quality=np.log(4), first=first), delta, 2)
    found = bias.first_pick(given, swapped)
    assert found.low <= 0.5 + first / 2 <= found.high
    assert given.mean() - swapped.mean() == pytest.approx(first, abs=4 / np.sqrt(n))
    assert ((given + swapped) / 2).mean() == pytest.approx((1 - first) * 0.8 + first / 2, abs=4 / np.sqrt(n))


@pytest.mark.parametrize(("pull", "length"), [(0.0, 0.0), (0.7, 0.0), (0.0, 1.2), (-0.5, 0.8)])
def test_known_log_odds_are_recovered_together(pull: float, length: float) -> None:
    delta = lengths(12000, 3)
    given, swapped = calls(Oracle(quality=0.9, length=length, pull=pull, ties=0.1, failing=0.05), delta, 4)
    found = bias.leanings(given, swapped, delta)
    for estimate, truth in ((found.chosen, 0.9), (found.first, pull), (found.length, length)):
        error = (estimate.high - estimate.low) / (2 * 1.96)
        assert abs(estimate.value - truth) < 3.5 * error and error < 0.06


def test_intervals_of_leanings_cover() -> None:
    """200 judges with no pull of place: at 95 % some 190 intervals hold 0."""
    held = 0
    for seed in range(200):
        delta = lengths(300, seed)
        found = bias.leanings(*calls(Oracle(quality=0.5, length=0.5), delta, seed + 999), delta)
        held += found.first.low <= 0 <= found.first.high
    assert 180 <= held <= 199


def test_faults_and_ties_are_counted_apart() -> None:
    given, swapped = calls(Oracle(ties=0.2, failing=0.1), lengths(20000, 5), 6)
    there = np.concatenate([given, swapped])
    assert np.isnan(there).mean() == pytest.approx(0.1, abs=0.007)
    assert (there[np.isfinite(there)] == 0.5).mean() == pytest.approx(0.2, abs=0.01)


def test_marks_of_format_are_told_from_length() -> None:
    """Longer answers have more bullets, but only bullets pay: the weight goes to them, not to length."""
    rng = np.random.default_rng(7)
    tokens = rng.integers(50, 200, (2, 8000)).astype(float)
    bullets = rng.poisson(tokens / 25).astype(float)
    density = bullets / (tokens + 1)
    lead = (density[0] - density[1]) / (density.sum(axis=0) + 1)
    p = (rng.random(8000) < 1 / (1 + np.exp(-1.0 * lead / lead.std()))).astype(float)
    counts = {"list items": (bullets[0], bullets[1]), "bold": (np.zeros(8000), np.zeros(8000))}
    found = bias.style_leanings(p, counts, (tokens[0], tokens[1]))
    assert set(found) == {"length", "list items"}
    assert found["list items"].low <= 1 <= found["list items"].high
    assert abs(found["length"].value) < 0.1


def test_kin_is_compared_on_the_same_rows() -> None:
    """Own answers are chosen, rejected, chosen, unknown: p - h, h - p, p - h."""
    p, own, human = np.array([1, 0.25, 0.5, 1]), np.array([1, 0, 1, NAN]), np.array([0, 0.5, 0.5, 0])
    assert bias.self_preference(p, own, human).value == pytest.approx((1 + 0.25 + 0) / 3)


def test_entropy_and_the_use_of_a_scale() -> None:
    assert bias.entropy(np.array([5, 0])) == 0 and bias.entropy(np.array([3, 3, 3, 3])) == 2
    use = bias.rating_use(np.array([7, 7, 7, 5, NAN]))
    assert use is not None and (use.distinct, use.commonest, use.of_commonest.value) == (2, 7, 0.75)
    assert bias.rating_use(np.array([NAN])) is None


def test_circles() -> None:
    """One prompt goes round, one does not, one is incomplete: one of two triples."""
    prompts = np.array([1, 1, 1, 2, 2, 2, 3, 3])
    first, second = np.array([0, 1, 2, 0, 1, 0, 0, 1]), np.array([1, 2, 0, 1, 2, 2, 1, 2])
    found = bias.cyclic_triples(prompts, first, second, np.array([1, 1, 1, 1, 1, 1, 1, 1.0]))
    assert (found.value, found.n) == (0.5, 2)
    assert not bias.cyclic_triples(prompts[:0], first[:0], second[:0], np.zeros(0)).known


def test_a_coin_goes_round_in_a_quarter_of_triples() -> None:
    rng = np.random.default_rng(8)
    first, second = np.array([(i, j) for i in range(40) for j in range(i)]).T
    found = bias.cyclic_triples(np.zeros(780), first, second, (rng.random(780) < 0.5).astype(float))
    assert found.n == 40 * 39 * 38 / 6 and found.value == pytest.approx(0.25, abs=0.02)


def test_kappa_against_a_worked_example() -> None:
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed .7, expected .5, κ .4."""
    ours = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    theirs = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert bias.cohen_kappa(ours, theirs) == pytest.approx(0.4)
    assert np.isnan(bias.cohen_kappa(np.ones(3), np.ones(3)))
