"""FiFA's importance, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import arrow_vectors
from rather.filters.fifa import Fifa, log_kth_distance, robust_z

from ..narrows import narrow_of

LESS = "not among the most important"


def line(places: list[float]) -> pa.Array:
    return arrow_vectors(np.array(places, np.float32)[:, None])


def kept(folder: Path, columns: dict[str, Any], **options: Any) -> list[int]:
    reasons = Fifa(**options).select(narrow_of(folder, columns))
    return [place for place, reason in enumerate(reasons.to_pylist()) if reason is None]


def test_log_distances_of_the_anchor() -> None:
    """Prompts at 0, 0, 1, 10: unique {0, 1, 10}, nearest at 1, 1, 9, so log 0, 0, 0 and log 9 = 2.1972."""
    vectors, prompts = np.array([[0.0], [0.0], [1.0], [10.0]], np.float32), np.array([4, 4, 5, 6], np.uint64)
    np.testing.assert_allclose(log_kth_distance(vectors, prompts, 1), [0, 0, 0, 2.1972], atol=5e-5)
    same_place = log_kth_distance(vectors, np.array([1, 2, 3, 4], np.uint64), 1)
    np.testing.assert_allclose(same_place[:2], np.log(1e-6))


def test_robust_z() -> None:
    """0 … 4: median 2, MAD 1. Then 1, 1, 1, 5: MAD 0, mean absolute deviation 1, so 4 / 1.2533. Then equal values."""
    np.testing.assert_allclose(robust_z(np.arange(5.0)), (np.arange(5.0) - 2) / 1.4826)
    np.testing.assert_allclose(robust_z(np.array([1.0, 1, 1, 5])), [0, 0, 0, 4 / 1.2533])
    np.testing.assert_array_equal(robust_z(np.array([3.0, 3, np.nan])), [0, 0, np.nan])


COLUMNS = {
    "margin": [0.5, 0.4, 0.3, 0.3], "prompt_hash": [1, 2, 3, 4], "prompt_vector": line([0, 0.5, 1, 10]),
    "quality": [1.0, 2.0, 3.0, 4.0],
}  # fmt: skip


def test_without_alpha_the_order_is_that_of_margins(tmp_path: Path) -> None:
    for keep in range(1, 5):
        assert kept(tmp_path, COLUMNS, alpha=0, keep=keep) == list(range(keep))
    assert "prompt_vector" not in Fifa(alpha=0).columns_read()


def test_the_outlier_wins_on_diversity(tmp_path: Path) -> None:
    """With k = 1 distances are .5, .5, .5, 9. Their median is log .5 and the MAD 0, so the mean deviation
    log(18) / 4 = .7226 scales: z = 4 / 1.2533 = 3.19 for row 3. Margins: median .35, MAD .05, z = 2.02, .67,
    -.67, -.67. At gamma = 1: I = 2.02, .67, -.67 and -.67 + alpha · 3.19, which passes 2.02 from alpha = .845 on.
    """
    assert kept(tmp_path, COLUMNS, keep=1, k=1, gamma=1, alpha=0.84) == [0]
    assert kept(tmp_path, COLUMNS, keep=1, k=1, gamma=1, alpha=0.85) == [3]


def test_quality_counts(tmp_path: Path) -> None:
    """Margins -> z 2.02, .67, -.67, -.67; quality 1 … 4: median 2.5, MAD 1, z -1.01, -.34, .34, 1.01.

    At gamma = 0 rows 0 and 3 are level at 2.02 - 1.01 a = -.67 + 1.01 a, a = 1.33.
    """
    assert kept(tmp_path, COLUMNS, keep=1, gamma=0, alpha=1.32, quality="quality") == [0]
    assert kept(tmp_path, COLUMNS, keep=1, gamma=0, alpha=1.34, quality="quality") == [3]


def test_margins_have_a_size_or_a_sign(tmp_path: Path) -> None:
    columns = {"margin": [0.1, -0.9, 0.5, None], "prompt_hash": [1, 2, 3, 4]}
    assert kept(tmp_path, columns, alpha=0, keep=2) == [1, 2]
    reasons = Fifa(alpha=0, keep=1, signed_margin=True).select(narrow_of(tmp_path, columns)).to_pylist()
    assert reasons == [LESS, "the scorer disagrees with the label", None, "no margin"]


def test_a_cap_makes_wide_margins_equal(tmp_path: Path) -> None:
    """The median of 1 … 5 is 3: 3, 4 and 5 are level and source order decides."""
    columns = {"margin": [3.0, 1.0, 5.0, 2.0, 4.0], "prompt_hash": [1, 2, 3, 4, 5]}
    assert kept(tmp_path, columns, alpha=0, keep=1) == [2]
    assert kept(tmp_path, columns, alpha=0, keep=1, margin_cap=0.5) == [0]


def test_most_of_a_prompt_and_fraction(tmp_path: Path) -> None:
    columns = {"margin": [4.0, 3.0, 2.0, 1.0], "prompt_hash": [1, 1, 1, 2]}
    assert kept(tmp_path, columns, alpha=0, keep=2, max_per_prompt=1) == [0, 3]
    assert kept(tmp_path, columns, alpha=0, fraction=0.5) == [0, 1]
    assert kept(tmp_path, columns, alpha=0, fraction=0.26) == [0, 1]
    assert Fifa(fraction=0.1, keep=3).faults()
    assert not Fifa(fraction=0.1).faults()


def test_rows_that_cannot_be_weighed_say_why(tmp_path: Path) -> None:
    vectors = pa.array([[0.0], None, [1.0], [2.0]], pa.list_(pa.float32(), 1))
    columns = COLUMNS | {"prompt_vector": vectors, "quality": [1.0, 2.0, None, 4.0]}
    reasons = Fifa(keep=9, quality="quality").select(narrow_of(tmp_path, columns)).to_pylist()
    assert reasons == [None, "no prompt_vector", "no quality", None]


@pytest.mark.parametrize("n", [0, 1])
def test_tiny_pools(tmp_path: Path, n: int) -> None:
    columns = {
        "margin": pa.array([1.0] * n, pa.float64()), "prompt_hash": pa.array([1] * n, pa.uint64()),
        "prompt_vector": pa.array([[0.5, 0.5]] * n, pa.list_(pa.float32(), 2)),
    }  # fmt: skip
    assert kept(tmp_path, columns, margin_cap=0.9, max_per_prompt=1) == list(range(n))


def test_the_margin_of_two_scores(tmp_path: Path) -> None:
    """0.9 - 0.1, 0.5 - 0.5, 0.2 - 0.7, null: sizes .8, 0, .5; with alpha 0 the two widest are kept."""
    scores = {
        "chosen_preference": [0.9, 0.5, 0.2, None], "rejected_preference": [0.1, 0.5, 0.7, 0.3],
        "prompt_hash": [1, 2, 3, 4],
    }  # fmt: skip
    assert kept(tmp_path, scores, score="preference", alpha=0, keep=2) == [0, 2]
    assert kept(tmp_path, scores, score="preference", alpha=0, signed_margin=True) == [0, 1]
    assert Fifa(score="preference", margin="other").faults() != []
