"""The formulas of guidance against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from rather.models.painter_guidance import mixed, nag


def test_nag_at_scale_one_is_exactly_the_positive_output() -> None:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(2, 5, 7, 8)).astype(np.float32)
    for alpha in (0.25, 0.3, 0.5, 1.0):
        assert (nag(positive, negative, 1.0, 2.5, alpha) == positive).all()


def test_nag_by_hand() -> None:
    """Z⁺ = (1, 1), Z⁻ = (0, 2), s = 3: Z̃ = 3(1, 1) - 2(0, 2) = (3, -1), ρ = 4/2 = 2.

    τ = 1: Ẑ = (1.5, -.5); α = ½: (1.25, .25). τ = 2.5 leaves Z̃: α = ½ gives (2, 0).
    """
    positive, negative = np.array([[1.0, 1.0]]), np.array([[0.0, 2.0]])
    assert nag(positive, negative, 3.0, 1.0, 0.5) == pytest.approx(np.array([[1.25, 0.25]]))
    assert nag(positive, negative, 3.0, 2.5, 0.5) == pytest.approx(np.array([[2.0, 0.0]]))
    assert nag(positive, negative, 3.0, 1.0, 0.0) == pytest.approx(positive)


def test_nag_limits_each_token_by_its_own_norm() -> None:
    positive = np.array([[1.0, 0.0], [1.0, 0.0]])
    negative = np.array([[1.0, 0.0], [-9.0, 0.0]])
    out = nag(positive, negative, 5.0, 2.5, 1.0)
    assert out == pytest.approx(np.array([[1.0, 0.0], [2.5, 0.0]])), "5 + 36 = 41, cut to 2.5 times the norm"


def test_nag_has_no_value_that_is_no_number() -> None:
    zeros = np.zeros((1, 3))
    assert np.isfinite(nag(zeros, zeros, 5.0, 2.5, 0.5)).all()
    assert np.isfinite(nag(zeros, np.ones((1, 3)), 5.0, 2.5, 0.5)).all()
    assert np.isfinite(nag(np.ones((1, 3)) * 4, np.ones((1, 3)) * 5, 5.0, 2.5, 0.5)).all(), "cancels to nothing"


def test_mixed_guidance_apart_and_together() -> None:
    empty, base, personal = np.array([1.0]), np.array([2.0]), np.array([5.0])
    assert mixed(empty, base, personal, 3.0, 0.0) == pytest.approx([4.0]), "1 + 3·1: the base model alone"
    assert mixed(empty, base, personal, 3.0, 2.0) == pytest.approx([10.0]), "1 + 3·1 + 2·3"
    assert mixed(empty, base, personal, 3.0, 3.0) == pytest.approx(empty + 3 * (personal - empty))


def test_torch_and_numpy_agree() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
    rng = np.random.default_rng(1)
    positive, negative = rng.normal(size=(2, 3, 4, 5))
    there = nag(torch.tensor(positive), torch.tensor(negative), 5.0, 1.2, 0.25).numpy()
    assert there == pytest.approx(nag(positive, negative, 5.0, 1.2, 0.25), abs=1e-12)
