"""Win rates against hand-derived values, simulated coverage, and lengths that mislead."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core.errors import InputError
from rather.core.estimates import Estimate, by_resampling, mean, share, share_of
from rather.core.logit import fit_logit, sigmoid
from rather.core.winrate import control_variate, length_controlled, squashed


def test_wilson_against_a_published_example() -> None:
    """Newcombe (1998), table I: 81 of 263 gives .2553 to .3662; 0 of 20 gives 0 to .1611."""
    found = share(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    assert (share(0, 20).low, share(0, 20).high) == (0, pytest.approx(0.1611, abs=5e-5))
    assert not share(0, 0).known and not share_of(np.array([np.nan])).known


def test_means_and_draws() -> None:
    """1, 2, 3: variance 1, error √(1/3)."""
    found = mean(np.array([1.0, 2.0, 3.0, np.nan]))
    assert found.value == 2 and found.high - found.value == pytest.approx(1.959964 / np.sqrt(3)) and found.n == 3
    assert by_resampling(1.0, np.arange(41) / 40, 5) == Estimate(1.0, 0.025, 0.975, 5)


def test_a_logit_of_two_groups_is_their_log_odds() -> None:
    """3 of 4 against 1 of 4: level log(1/3), step 2 log 3; variance of the step 1/3 + 1 + 1/3 + 1."""
    x = np.column_stack([np.ones(8), np.repeat([1.0, 0.0], 4)])
    fit = fit_logit(x, np.array([1, 1, 1, 0, 1, 0, 0, 0.0]), 1e-9)
    assert fit.weights == pytest.approx([np.log(1 / 3), 2 * np.log(3)], abs=1e-6)
    assert fit.covariance[1, 1] == pytest.approx(8 / 3, rel=1e-5)


def test_soft_outcomes_and_separable_rows_have_finite_weights() -> None:
    half = fit_logit(np.ones((50, 1)), np.full(50, 0.7), 1e-9)
    assert sigmoid(half.weights)[0] == pytest.approx(0.7) and half.weight(0).low <= half.weights[0]
    apart = fit_logit(np.linspace(-1, 1, 20)[:, None], (np.arange(20) >= 10).astype(float))
    assert np.isfinite(apart.weights).all() and apart.weights[0] > 3
    with pytest.raises(InputError, match="outcomes"):
        fit_logit(np.ones((2, 1)), np.array([0.0, 2.0]))


def test_the_control_variate_by_hand() -> None:
    """Humans equal to the judge on their rows: α = 1, θ̂ = mean_N of the judge, all labels spared but n/N."""
    judge = np.tile([1.0, 0.0, 1.0, 1.0], 50)
    human = np.full(200, np.nan)
    human[:40] = judge[:40]
    human[:10] = judge[:10]
    found = control_variate(human, judge)
    assert found.rate.value == pytest.approx(0.75) and found.alpha == pytest.approx(1)
    assert found.correlation == pytest.approx(1) and found.saving == pytest.approx(1 - 40 / 200)
    spread = found.plain.high - found.plain.value
    assert found.rate.high - found.rate.value == pytest.approx(spread * np.sqrt(0.2))


def test_a_judge_that_knows_nothing_is_left_out() -> None:
    rng = np.random.default_rng(1)
    human = np.where(np.arange(600) < 300, (rng.random(600) < 0.4).astype(float), np.nan)
    flat = control_variate(human, np.full(600, 0.5))
    assert flat.alpha == 0 and flat.saving == 0 and flat.rate == flat.plain
    assert abs(control_variate(human, rng.random(600)).saving) < 0.02
    with pytest.raises(InputError, match="human labels"):
        control_variate(np.full(9, np.nan), np.zeros(9))


def test_intervals_cover_the_truth_at_their_rate_and_are_narrower() -> None:
    """400 trials at 95 %: 380 expected, standard deviation 4.4; the judge is right four times in five."""
    covered, plain, widths = 0, 0, []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        truth = (rng.random(3000) < 0.62).astype(float)
        judge = np.where(rng.random(3000) < 0.8, truth, 1 - truth)
        human = np.full(3000, np.nan)
        rows = rng.permutation(3000)[:150]
        human[rows] = truth[rows]
        found = control_variate(human, judge, seed=seed)
        covered += found.rate.low <= 0.62 <= found.rate.high
        plain += found.plain.low <= 0.62 <= found.plain.high
        widths.append((found.rate.high - found.rate.low) / (found.plain.high - found.plain.low))
    assert abs(covered - 380) <= 16 and abs(plain - 380) <= 16
    assert np.mean(widths) == pytest.approx(np.sqrt(1 - 0.34), abs=0.03)


def test_length_control_gives_the_rate_at_equal_length() -> None:
    """Quality is even, length pays 2: raw far above ½ as we are longer, controlled back at ½."""
    rng = np.random.default_rng(3)
    delta = rng.normal(60, 60, 6000)
    wins = (rng.random(6000) < sigmoid(2 * squashed(delta))).astype(float)
    found = length_controlled(wins, delta)
    assert found.raw.value > 0.7 and found.rate.low <= 0.5 <= found.rate.high and found.suspicious
    assert found.slope.low <= 2 <= found.slope.high


def test_difficulty_is_averaged_over_not_dropped() -> None:
    """P = σ(1 + 2 d), d = ±1: (σ(3) + σ(-1)) / 2 = .6108, where σ(1) would be .731."""
    rng = np.random.default_rng(4)
    hard = np.repeat([1.0, -1.0], 5000)
    wins = (rng.random(10000) < sigmoid(1 + 2 * hard)).astype(float)
    found = length_controlled(wins, rng.normal(size=10000), hard)
    assert found.rate.value == pytest.approx(0.6108, abs=0.015) and not found.suspicious


def test_equal_lengths_change_nothing() -> None:
    wins = np.tile([1.0, 0.5, 0.0, 1.0], 25)
    found = length_controlled(wins, np.zeros(100))
    assert found.rate.value == pytest.approx(found.raw.value) == pytest.approx(0.625)
