"""Calibration by hand: pooled blocks, Platt's curve, bins, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rather.core.calibration_curves import Curve, brier, calibration_error, fit_curve, reliability
from rather.core.errors import InputError


def test_violators_are_pooled() -> None:
    """1, 3, 2, 4 rise but for 3, 2: the middle two become 2.5 (scaled to shares)."""
    found = fit_curve(np.array([1.0, 2, 3, 4]), np.array([1, 3, 2, 4]) / 4)
    assert found.x == (1, 2, 3, 4) and found.y == pytest.approx((0.25, 0.625, 0.625, 1))
    assert found.apply(np.array([0, 1.5, 2.5, 9, np.nan])).tolist() == pytest.approx(
        [0.25, 0.4375, 0.625, 1, np.nan], nan_ok=True
    )


def test_equal_scores_share_a_value_and_a_falling_score_says_nothing() -> None:
    equal = fit_curve(np.array([1.0, 1, 2, 2]), np.array([0, 1, 1, 1.0]))
    assert equal.y == (0.5, 1)
    falling = fit_curve(np.array([1.0, 2, 3]), np.array([1, 0.5, 0]))
    assert set(falling.y) == {0.5}


def test_platt_finds_the_curve_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(5, 2, 20000)
    right = (rng.random(20000) < 1 / (1 + np.exp(-(1.5 * score - 6)))).astype(float)
    found = fit_curve(score, right, "platt")
    assert found.x[0] == pytest.approx(1.5, abs=0.08) and found.y[0] == pytest.approx(-6, abs=0.35)
    assert calibration_error(found.apply(score), right) < 0.02


def test_error_and_brier_by_hand() -> None:
    """.9 stated, ½ right: error .4, Brier (.01 + .81) / 2; the other bin is exact."""
    chance, right = np.array([0.9, 0.9, 0.0, 0.0]), np.array([1.0, 0, 0, 0])
    assert calibration_error(chance, right) == pytest.approx(0.2)
    assert brier(chance, right) == pytest.approx((0.01 + 0.81) / 4)
    low, high = reliability(chance, right)
    assert (low.stated, low.right.value, high.low, high.right.n) == (0, 0, 0.9, 2)
    assert reliability(np.array([1.0, np.nan]), np.array([1.0, 1]))[0].high == 1


def test_a_curve_is_kept_as_json(tmp_path: Path) -> None:
    curve = fit_curve(np.array([0.1, 0.6, 0.9]), np.array([0, 1, 1.0]))
    curve.save(tmp_path / "a" / "curve.json", {"column": "judge_p"})
    assert Curve.load(tmp_path / "a" / "curve.json") == curve
    (tmp_path / "other.json").write_text("{}")
    for name in ("other.json", "none.json"):
        with pytest.raises(InputError, match="diagnose.calibration"):
            Curve.load(tmp_path / name)
    with pytest.raises(InputError, match="1 rows"):
        fit_curve(np.array([1.0]), np.array([1.0]))
