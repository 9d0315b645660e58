"""`score.pairwise_to_scalar`: a judge's chances teach a rater that prices answers it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import arrow_vectors
from rather.filters.pairwise_to_scalar import PairwiseToScalar

from ..judges import FakeContext
from ..narrows import narrow_of

D = 12


def pool(n: int, seed: int = 0) -> tuple[dict[str, object], np.ndarray, np.ndarray]:
    """Pairs of unit vectors, soft chances by a hidden direction, and the hidden worth of both sides."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(2, n, D)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    worth = vectors.astype(float) @ (4 * rng.normal(size=D))
    p = 1 / (1 + np.exp(worth[1] - worth[0]))
    columns = {
        "chosen_vector": arrow_vectors(vectors[0]), "rejected_vector": arrow_vectors(vectors[1]),
        "judge_p": pa.array(p), "prompt_hash": rng.integers(0, 2**60, n).tolist(),
    }  # fmt: skip
    return columns, worth[0], worth[1]


def rated(columns: dict[str, object], tmp_path: Path, **options: object) -> list[np.ndarray]:
    found = PairwiseToScalar(**options).fit(narrow_of(tmp_path, columns), FakeContext({}))  # type: ignore[arg-type]
    return [found[name].to_numpy(zero_copy_only=False) for name in ("chosen_rating", "rejected_rating")]


def test_unjudged_answers_are_priced_by_a_tenth_of_the_verdicts(tmp_path: Path) -> None:
    columns, good, bad = pool(3000)
    p = np.asarray(columns["judge_p"])
    columns["judge_p"] = pa.array([v if k % 10 == 0 else None for k, v in enumerate(p.tolist())], pa.float64())
    ratings = np.concatenate(rated(columns, tmp_path))
    assert np.corrcoef(ratings, np.concatenate([good, bad]))[0, 1] > 0.95
    assert ratings.mean() == pytest.approx(0, abs=1e-9) and ratings.std() == pytest.approx(1)


def test_unsure_verdicts_do_not_teach(tmp_path: Path) -> None:
    """Verdicts near one half are reversed here: with the paper's confidence they are not read."""
    columns, good, bad = pool(2000, 1)
    p = np.asarray(columns["judge_p"])
    near = np.abs(p - 0.5) < 0.25
    columns["judge_p"] = pa.array(np.where(near, np.where(p > 0.5, 0.26, 0.74), p))
    assert near.mean() > 0.1
    assert np.corrcoef(np.concatenate(rated(columns, tmp_path)), np.concatenate([good, bad]))[0, 1] > 0.95


def test_a_missing_vector_has_no_rating_and_too_few_verdicts_are_refused(tmp_path: Path) -> None:
    columns, _, _ = pool(100, 2)
    vectors = columns["chosen_vector"].to_pylist()  # type: ignore[attr-defined]
    vectors[3] = None
    columns["chosen_vector"] = pa.array(vectors, pa.list_(pa.float32(), D))
    chosen, rejected = rated(columns, tmp_path)
    assert np.isnan(chosen[3]) and np.isfinite(rejected[3]) and np.isfinite(np.delete(chosen, 3)).all()
    columns["judge_p"] = pa.array([0.5] * 100)
    with pytest.raises(InputError, match="0 pairs of 100"):
        rated(columns, tmp_path)


def test_a_row_is_rated_by_a_rater_that_did_not_see_its_prompt(tmp_path: Path) -> None:
    """Turning one row's verdict round changes no rating of its own prompt but for the common scale."""
    columns, _, _ = pool(120, 3)
    before = rated(columns, tmp_path)
    p = np.asarray(columns["judge_p"]).copy()
    row = int(np.argmax(np.abs(p - 0.5)))
    p[row] = 1 - p[row]
    after = rated(columns | {"judge_p": pa.array(p)}, tmp_path)
    moved = np.abs((after[0] - after[1]) / (before[0] - before[1]) - 1)
    assert moved[row] < np.median(moved) + 0.05 and np.median(moved) > 0
