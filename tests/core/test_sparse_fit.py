"""The lasso against its closed form on orthogonal columns, and against what it should leave out."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core.sparse_fit import lasso, penalty_by_folds


def test_orthogonal_columns_are_soft_thresholded() -> None:
    """Columns ±1: the least-squares weights 2, -0.5, 0.1 less the penalty .3, none past 0."""
    x = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
    assert lasso(x, x @ [2, -0.5, 0.1], 0.3) == pytest.approx([1.7, -0.2, 0])


def test_a_constant_column_has_no_weight() -> None:
    x = np.column_stack([np.zeros(6), [1, -1, 1, -1, 1, -1.0]])
    assert lasso(x, x[:, 1], 0.0) == pytest.approx([0, 1])


def test_the_penalty_keeps_what_matters() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 12))
    y = x[:, 0] - 0.7 * x[:, 1] + rng.normal(size=400)
    w = lasso(x - x.mean(axis=0), y - y.mean(), penalty_by_folds(x, y, 5, 0))
    assert w[0] == pytest.approx(1, abs=0.15) and w[1] == pytest.approx(-0.7, abs=0.15)
    assert np.abs(w[2:]).max() < 0.12
