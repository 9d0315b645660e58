"""Matching subjects with regions: hand-computed, and the best sum against every permutation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from rather.filters.matching import by_category, greedy, hungarian, matched, reduced

LIKE = np.array([[0.9, 0.8], [0.85, 0.1]])


def score(likeness: np.ndarray, taken: np.ndarray) -> float:
    return float(sum(likeness[i, k] for i, k in enumerate(taken) if k >= 0))


def test_the_best_sum_is_not_the_best_first() -> None:
    best, first = hungarian(LIKE), greedy(LIKE)
    assert best.tolist() == [1, 0] and score(LIKE, best) / 2 == pytest.approx(0.825)
    assert first.tolist() == [0, 1] and score(LIKE, first) / 2 == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (5, 3), (1, 1)])
def test_no_other_assignment_has_a_larger_sum(shape: tuple[int, int]) -> None:
    likeness = np.random.default_rng(sum(shape)).uniform(-1, 1, shape)
    taken, (n, m) = hungarian(likeness), shape
    assert sorted(taken[taken >= 0].tolist()) == sorted({*taken[taken >= 0].tolist()}) and (taken >= 0).sum() == min(
        shape
    )
    small, turned = (likeness, m) if n <= m else (likeness.T, n)
    best = max(sum(small[i, k] for i, k in enumerate(way)) for way in permutations(range(turned), min(shape)))
    assert score(likeness, taken) == pytest.approx(best)
    assert score(likeness, greedy(likeness)) <= best + 1e-12


def test_nothing_found_matches_nothing() -> None:
    for way in (hungarian, greedy):
        assert way(np.zeros((2, 0))).tolist() == [-1, -1]
    assert by_category(["dog"], []).tolist() == [-1]


def test_two_of_one_name_take_its_regions_in_turn() -> None:
    assert by_category(["dog", "cat", "dog", "dog"], ["dog", "hat", "dog"]).tolist() == [0, -1, 2, -1]
    assert matched("category", LIKE, ["b", "a"], ["a", "b"]).tolist() == [1, 0]
    assert matched("greedy", LIKE, [], []).tolist() == [0, 1] and matched("hungarian", LIKE, [], []).tolist() == [1, 0]


def test_one_missing_subject_ruins_a_product_and_a_minimum() -> None:
    assert reduced(np.array([0.8, 0.0]), "mean") == 0.4
    assert reduced(np.array([0.8, 0.0]), "product") == reduced(np.array([0.8, 0.0]), "min") == 0
    assert reduced(np.array([-0.5, -0.5]), "product") == 0, "two bad likenesses do not make a good one"
