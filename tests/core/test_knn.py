"""Exact neighbours, against every distance written out."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core import knn
from rather.core.errors import InputError
from rather.core.knn import kth_distance, nearest


def brute(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All distances in float64, ranked by (distance, index)."""
    apart = np.sqrt(((x[:, None, :].astype(np.float64) - x[None].astype(np.float64)) ** 2).sum(-1))
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(apart, order, 1), order


@pytest.mark.parametrize(("n", "d", "k"), [(2, 1, 1), (5, 3, 4), (37, 8, 5), (300, 24, 10), (513, 3, 7)])
@pytest.mark.parametrize("block", [16, 64, 1024])
def test_equals_all_distances(monkeypatch: pytest.MonkeyPatch, n: int, d: int, k: int, block: int) -> None:
    monkeypatch.setattr(knn, "BLOCK", block)
    x = np.random.default_rng(n * d).standard_normal((n, d)).astype(np.float32)
    found = nearest(x, k)
    distances, indices = brute(x, k)
    assert found.indices.tolist() == indices.tolist()
    np.testing.assert_allclose(found.distances, distances, rtol=2e-6)


@pytest.mark.parametrize("block", [16, 1024])
def test_equal_rows_are_at_zero_and_the_smaller_index_stands_first(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Each of 40 points stands three times (rows i, i + 40, i + 80): its twins come first, at 0."""
    monkeypatch.setattr(knn, "BLOCK", block)
    points = np.random.default_rng(3).standard_normal((40, 6)).astype(np.float32)
    found = nearest(np.tile(points, (3, 1)), 2)
    assert (found.distances == 0).all()
    twins = [sorted({i % 40, i % 40 + 40, i % 40 + 80} - {i}) for i in range(120)]
    assert found.indices.tolist() == twins


def test_all_rows_equal_gives_the_smallest_indices() -> None:
    found = nearest(np.ones((50, 4), np.float32), 3)
    assert found.indices[0].tolist() == [1, 2, 3]
    assert found.indices[2].tolist() == [0, 1, 3]
    assert found.indices[49].tolist() == [0, 1, 2]


def test_far_from_the_origin_distances_keep_their_digits() -> None:
    """Three points 1 and 2 apart, a thousand from the origin: products alone would round them away."""
    x = np.array([[1000.0, 0], [1001.0, 0], [1003.0, 0]], np.float32)
    found = nearest(x, 2)
    assert found.distances.tolist() == [[1, 3], [1, 2], [2, 3]]
    assert found.indices.tolist() == [[1, 2], [0, 2], [1, 0]]


def test_integer_line_ties_go_to_the_smaller_index() -> None:
    found = nearest(np.arange(60, dtype=np.float32)[:, None], 2)
    assert found.indices[0].tolist() == [1, 2]
    assert found.indices[30].tolist() == [29, 31]


def test_kth_distance_counts_each_group_once() -> None:
    """Prompts at 0, 0, 1, 10: unique places 0, 1, 10 have nearest others at 1, 1 and 9."""
    x = np.array([[0.0], [0.0], [1.0], [10.0]], np.float32)
    groups = np.array([7, 7, 3, 9], np.uint64)
    assert kth_distance(x, groups, 1).tolist() == [1, 1, 1, 9]
    assert kth_distance(x, groups, 2).tolist() == [10, 10, 9, 10]
    assert kth_distance(x, groups, 50).tolist() == [10, 10, 9, 10]
    assert kth_distance(x[:2], groups[:2], 1).tolist() == [0, 0]


@pytest.mark.parametrize("k", [0, 3])
def test_impossible_k_is_refused(k: int) -> None:
    with pytest.raises(InputError, match="nearest others of 3 rows"):
        nearest(np.zeros((3, 2), np.float32), k)


def test_vectors_that_are_not_finite_are_refused() -> None:
    x = np.zeros((3, 2), np.float32)
    x[1, 1] = np.nan
    with pytest.raises(InputError, match="NaN"):
        nearest(x, 1)
