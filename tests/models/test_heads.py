"""Bradley-Terry heads: closed forms, folds by group, and what swapping or saving may not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rather.core.errors import InputError
from rather.models.heads import BradleyTerryHead, cross_fit, fit_head, fold_of


def pairs(n: int = 400, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Difference features labelled by a noisy linear reward, and four rows a group."""
    rng = np.random.default_rng(seed)
    delta = rng.normal(size=(n, d))
    delta *= np.sign(delta @ np.arange(1.0, d + 1) + rng.logistic(size=n))[:, None]
    return delta, np.repeat(rng.integers(0, 2**63, n // 4).astype(np.uint64), 4)


def test_one_feature_gives_the_log_odds_of_winning() -> None:
    """30 pairs with Δ = +1 and 10 with Δ = -1: without a ridge, w = log(30 / 10)."""
    delta = np.repeat([1.0, -1.0], [30, 10])[:, None]
    head = fit_head(delta, l2=1e-9)
    assert head.weights[0] == pytest.approx(np.log(3), abs=1e-6)


def test_weights_count_as_repeats() -> None:
    """Weights 3 and 1 on Δ = +1, -1: 3 (1 - σ(w)) = σ(w), so w = log 3."""
    head = fit_head(np.array([[1.0], [-1.0]]), l2=1e-9, weights=np.array([3.0, 1.0]))
    assert head.weights[0] == pytest.approx(np.log(3), abs=1e-6)


def test_the_ridge_satisfies_its_stationary_equation() -> None:
    """30 wins, 10 losses of a unit feature, l2 = 5: 30 (1 - σ(w)) - 10 σ(w) = 5 w."""
    w = fit_head(np.repeat([1.0, -1.0], [30, 10])[:, None], l2=5.0).weights[0]
    chance = 1 / (1 + np.exp(-w))
    assert 30 * (1 - chance) - 10 * chance == pytest.approx(5 * w, abs=1e-5)


def test_units_of_a_feature_do_not_matter() -> None:
    delta, _ = pairs()
    units = np.array([1e-3, 1, 1e4, 7, 0.2, 30])
    plain, scaled = fit_head(delta, l2=1.0), fit_head(delta * units, l2=1.0)
    np.testing.assert_allclose(scaled.margin(delta * units), plain.margin(delta), rtol=1e-6)


def test_a_constant_zero_feature_is_ignored() -> None:
    delta, _ = pairs()
    head = fit_head(np.column_stack([delta, np.zeros(len(delta))]), l2=1.0)
    assert head.weights[-1] == 0
    assert np.isfinite(head.weights).all()


def test_swapping_the_answers_negates_margins_exactly() -> None:
    delta, groups = pairs()
    head, swapped = fit_head(delta, l2=1.0), fit_head(-delta, l2=1.0)
    np.testing.assert_array_equal(head.margin(-delta), -head.margin(delta))
    np.testing.assert_array_equal(swapped.margin(delta), -head.margin(delta))
    np.testing.assert_array_equal(
        cross_fit(-delta, groups, folds=4, seed=1, l2=1.0),
        cross_fit(delta, groups, folds=4, seed=1, l2=1.0),
        "relabelled alike, a pair's margin towards its own label is the same",
    )


def test_a_sampled_curvature_finds_the_same_head(monkeypatch: pytest.MonkeyPatch) -> None:
    delta, _ = pairs(n=4000)
    whole = fit_head(delta, l2=1.0).weights
    monkeypatch.setattr("rather.models.logistic.CURVATURE_ROWS", 400)
    monkeypatch.setattr("rather.models.logistic.CHUNK", 1000)
    np.testing.assert_allclose(fit_head(delta, l2=1.0).weights, whole, atol=1e-5)


def test_folds_follow_the_group_alone() -> None:
    groups = np.arange(1000, dtype=np.uint64) // np.uint64(2)
    fold = fold_of(groups, folds=5, seed=3)
    assert (fold[::2] == fold[1::2]).all()
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(fold_of(groups[order], folds=5, seed=3), fold[order])
    assert np.bincount(fold, minlength=5).min() > 120, "balanced: 200 expected, 5 sd is 90"
    assert (fold_of(groups, folds=5, seed=4) != fold).mean() > 0.5


def test_margins_of_a_fold_do_not_see_its_labels() -> None:
    """Turning round the labels of one fold leaves its heads, so negates its margins."""
    delta, groups = pairs()
    before = cross_fit(delta, groups, folds=4, seed=0, l2=1.0)
    out = fold_of(groups, folds=4, seed=0) == 2
    after = cross_fit(np.where(out[:, None], -delta, delta), groups, folds=4, seed=0, l2=1.0)
    np.testing.assert_array_equal(after[out], -before[out])
    assert np.abs(after[~out] - before[~out]).max() > 0.1


def test_margins_do_not_depend_on_row_order() -> None:
    delta, groups = pairs()
    order = np.random.default_rng(1).permutation(len(delta))
    np.testing.assert_allclose(
        cross_fit(delta[order], groups[order], folds=4, seed=0, l2=1.0),
        cross_fit(delta, groups, folds=4, seed=0, l2=1.0)[order],
        atol=1e-6,
    )


def test_save_and_load_give_the_same_margins(tmp_path: Path) -> None:
    delta, _ = pairs()
    head = fit_head(delta, l2=1.0)
    head.save(tmp_path / "head")
    np.testing.assert_array_equal(BradleyTerryHead.load(tmp_path / "head").margin(delta), head.margin(delta))


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no reward head"):
        BradleyTerryHead.load(tmp_path)
    (tmp_path / "head.json").write_text('{"kind": "tree"}')
    with pytest.raises(InputError, match="tree"):
        BradleyTerryHead.load(tmp_path)


def test_bad_input_is_refused_with_its_place() -> None:
    delta, groups = pairs()
    delta[7, 0] = np.nan
    with pytest.raises(InputError, match="pair 7"):
        fit_head(delta, l2=1.0)
    with pytest.raises(InputError, match="l2"):
        fit_head(delta[:5], l2=0.0)
    with pytest.raises(InputError, match="weights"):
        fit_head(delta[:5], l2=1.0, weights=np.array([1, 1, -1, 1, 1.0]))
    with pytest.raises(InputError, match="folds"):
        cross_fit(delta[:5], groups[:5], folds=1, seed=0, l2=1.0)
    with pytest.raises(InputError, match="groups"):
        cross_fit(delta[:5], groups[:4], folds=2, seed=0, l2=1.0)
    with pytest.raises(InputError, match="head of 6"):
        fit_head(delta[:5], l2=1.0).margin(delta[:5, :3])
