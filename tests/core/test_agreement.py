"""Krippendorff's α against the published example and cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rather.core.agreement import Level, krippendorff_alpha

NO = float("nan")
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
        [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
    ]
).T


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_example_of_the_paper(level: Level, alpha: float) -> None:
    """Krippendorff 2011, example with four observers, twelve units and missing values."""
    assert krippendorff_alpha(PUBLISHED, level) == pytest.approx(alpha, abs=5e-4)


def test_two_judges_by_hand() -> None:
    """(0,0), (1,1), (0,1): observed 2 of n = 6 pairable values; expected 2·3·3 / 5: α = 1 - 2 / 3.6 = 4/9."""
    ratings = np.array([[0, 0], [1, 1], [0, 1]], float)
    for level in ("nominal", "ordinal", "interval"):
        assert krippendorff_alpha(ratings, level) == pytest.approx(4 / 9)


def test_full_agreement_and_worse_than_chance() -> None:
    assert krippendorff_alpha(np.array([[1, 1, 1], [5, 5, 5]], float)) == 1.0
    assert krippendorff_alpha(np.array([[1, 5], [5, 1]], float)) < 0


def test_without_anything_to_compare_there_is_no_alpha() -> None:
    assert np.isnan(krippendorff_alpha(np.array([[1, NO], [NO, 2]])))
    assert np.isnan(krippendorff_alpha(np.array([[3, 3], [3, 3]], float)))
    assert np.isnan(krippendorff_alpha(np.empty((0, 3))))


@given(
    arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(2, 4)), elements=st.sampled_from([1.0, 2.0, 4.0, NO]))
)
def test_as_by_the_definition(ratings: np.ndarray) -> None:
    """Against the sum over all pairs of values, as Krippendorff writes it."""
    units = [row[~np.isnan(row)] for row in ratings]
    units = [unit for unit in units if len(unit) > 1]
    values = np.concatenate(units) if units else np.empty(0)
    if len(np.unique(values)) < 2:
        assert np.isnan(krippendorff_alpha(ratings))
        return
    observed = sum(((unit[:, None] - unit) ** 2).sum() / (len(unit) - 1) for unit in units) / len(values)
    expected = ((values[:, None] - values) ** 2).sum() / (len(values) * (len(values) - 1))
    assert krippendorff_alpha(ratings) == pytest.approx(1 - observed / expected, abs=1e-9)
