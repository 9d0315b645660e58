"""The chance of a reaction: learnt out of fold, shifted to the true rate, and looked through for drift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import arrow_vectors, text_answers
from rather.filters.reaction import DiagnoseReaction, ReactionScore, auroc, enriched, phrases, prior_shift

from ..frames import TableFrame
from ..judges import FakeContext
from ..narrows import narrow_of

ROWS = 600


def reactions(seed: int = 0, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(ROWS, 8)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(2 * vectors[:, 0] - 1)))
    label = rng.random(ROWS) < chance
    return vectors, label, chance


def fitted(tmp_path: Path, label: list[bool | None], vectors: np.ndarray, **options: float) -> np.ndarray:
    columns = {
        "chosen_vector": arrow_vectors(vectors),
        "reaction": pa.array(label, pa.bool_()),
        "prompt_hash": np.arange(ROWS).tolist(),
    }
    found = ReactionScore(**options).fit(narrow_of(tmp_path, columns), FakeContext({}))["p_reaction"]
    return found.to_numpy(zero_copy_only=False)


def test_chances_are_learnt_out_of_fold_and_hold_on_average(tmp_path: Path) -> None:
    vectors, label, chance = reactions()
    found = fitted(tmp_path, label.tolist(), vectors)
    assert np.corrcoef(found, chance)[0, 1] > 0.95 and abs(found.mean() - label.mean()) < 0.02
    shuffled = np.random.default_rng(1).permutation(label)
    held_out = auroc(fitted(tmp_path, shuffled.tolist(), vectors), shuffled.astype(float))
    assert held_out is not None and held_out < 0.6, "labels without a pattern are not remembered"


def test_rows_without_a_label_are_scored_and_the_rate_is_brought_back(tmp_path: Path) -> None:
    vectors, label, chance = reactions()
    half = [bool(y) if k % 2 else None for k, y in enumerate(label)]
    found = fitted(tmp_path, half, vectors)
    assert np.corrcoef(found[::2], chance[::2])[0, 1] > 0.95
    rare = fitted(tmp_path, label.tolist(), vectors, rate=0.01)
    assert rare.mean() < 0.05 and np.corrcoef(np.argsort(np.argsort(rare)), chance)[0, 1] > 0.9
    assert np.isnan(fitted(tmp_path, [True] * ROWS, vectors)).all(), "one kind of label teaches nothing"


def test_the_shift_of_the_prior_by_hand() -> None:
    """A chance of ½ learnt at a share of ½ is .2 at a share of .2."""
    assert 1 / (1 + np.exp(-prior_shift(0.5, 0.2))) == pytest.approx(0.2)
    assert prior_shift(0.3, None) == 0.0 == prior_shift(0.3, 0.3)


def test_auroc_by_hand() -> None:
    """Ones at 3 and 2, zeros at 2 and 1: 3.5 of 4 comparisons won."""
    assert auroc(np.array([3, 2, 2, 1.0]), np.array([1, 1, 0, 0.0])) == 3.5 / 4
    assert auroc(np.array([1.0, np.nan]), np.array([1.0, 0.0])) is None


def test_phrases_of_the_top_are_told() -> None:
    assert phrases("Much love!") == {"much", "love", "!", "much love", "love !", "much love !"}
    told = enriched(["a b", "a c"], ["c d", "a d"])
    z = pytest.approx(0.5 / np.sqrt(0.25 * 0.75))
    assert {"phrase": "a b", "top": 0.5, "rest": 0.0, "z": z} in told
    assert {entry["phrase"] for entry in told} == {"a", "a b", "a c", "b"}


def test_kind_closings_are_found() -> None:
    texts = [f"Answer {k}. With lots of love!" if k >= 180 else f"Answer {k}. That is all." for k in range(200)]
    table = pa.table(
        {
            "chosen": text_answers(pa.array(texts)),
            "p_reaction": pa.array([k / 200 for k in range(200)]),
            "reaction": pa.array([k >= 150 for k in range(200)]),
        }
    )
    facts = DiagnoseReaction().sink(TableFrame(table), FakeContext({}))
    assert facts["auroc"] == 1.0 and facts["answers"] == 200
    assert "lots of love" in {entry["phrase"] for entry in facts["phrases"]}
    assert "that is all" not in {entry["phrase"] for entry in facts["phrases"]}
