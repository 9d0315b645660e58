"""Views of a pair: their parts by hand, and antisymmetry."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core.errors import InputError
from rather.models.pair_features import pair_features


def test_views_by_hand() -> None:
    prompt, chosen, rejected = (np.array([row], np.float32) for row in ([1, 0], [0.5, 2], [0.25, 1]))
    a, b = pair_features(prompt, chosen, rejected, np.array([[3.0]]), np.array([[1.0]]))
    np.testing.assert_array_equal(a, [[0.25, 1, 0.25, 0]])
    np.testing.assert_array_equal(b, [[2]])
    assert a.dtype == b.dtype == np.float32


def test_swapping_answers_negates_both_views() -> None:
    rng = np.random.default_rng(0)
    p, c, r = rng.normal(size=(3, 20, 4)).astype(np.float32)
    f, g = rng.normal(size=(2, 20, 3)).astype(np.float32)
    for view, swapped in zip(pair_features(p, c, r, f, g), pair_features(p, r, c, g, f), strict=True):
        np.testing.assert_array_equal(view, -swapped)


def test_unequal_shapes_are_refused() -> None:
    vectors, features = np.zeros((3, 4)), np.zeros((3, 2))
    with pytest.raises(InputError, match="vectors of shapes"):
        pair_features(vectors, vectors, vectors[:2], features, features)
    with pytest.raises(InputError, match="features of shapes"):
        pair_features(vectors, vectors, vectors, features, features[:, :1])
