"""`diagnose.ratings` by hand and on real ratings and rankings of the same pairs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.filters.diagnose_judge import told_of
from rather.filters.diagnose_ratings import DiagnoseRatings

from .. import frames
from ..oracle import as_rows


def value(facts: object, name: str) -> float:
    line = told_of(facts, name)  # type: ignore[arg-type]
    assert line is not None
    return float(line["value"])


def test_the_confusion_by_hand(tmp_path: Path) -> None:
    """Ratings say +, +, =, -, =; comparisons +, -, +, flipped, =; one row has no score."""
    given = np.array([1, 0, 1, 1, 0.5, 1])
    swapped = np.array([1, 0, 1, 0, 0.5, 1])
    scores = {
        "chosen_judge_score": pa.array([5.0, 4, 3, 2, 3, None]),
        "rejected_judge_score": pa.array([1.0, 2, 3, 4, 3, 1]),
    }
    rows = as_rows(given, swapped, ["a b a", "a", "b", "c", "d", "e"], ["x"] * 6, **scores)
    facts = DiagnoseRatings().sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))
    assert facts["rows"] == 5
    assert facts["confusion"] == {
        "chosen": {"chosen": 1, "equal": 0, "rejected": 1},
        "equal": {"chosen": 1, "equal": 1, "rejected": 0},
        "rejected": {"chosen": 0, "equal": 1, "rejected": 0},
    }
    assert value(facts, "consistent, strictly") == pytest.approx(2 / 5)
    assert value(facts, "consistent, ties excluded") == pytest.approx(1 / 2)
    assert value(facts, "disagreement that is a tie on one side") == pytest.approx(2 / 3, abs=1e-4)
    assert value(facts, "ratings hedge (equal scores)") == pytest.approx(2 / 5)
    assert value(facts, "comparisons hedge (equal, or orders disagree)") == pytest.approx(2 / 5)


def test_what_each_protocol_pays_for_is_told_apart(tmp_path: Path) -> None:
    """Ratings follow length, comparisons a coin: their slopes say so, and few distinct words pay for neither."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(10, 60, (2, 900))
    texts = [[" ".join(f"w{v}" for v in rng.integers(0, 40, k)) for k in side] for side in sizes]
    coin = (rng.random(900) < 0.5).astype(float)
    scores = sizes + rng.normal(0, 20, (2, 900))
    columns = {f"{side}_judge_score": pa.array(scores[k]) for k, side in enumerate(("chosen", "rejected"))}
    rows = as_rows(coin, coin, *texts, **columns)
    facts = DiagnoseRatings().sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))
    paid, coined = told_of(facts, "ratings: worth of length"), told_of(facts, "comparisons: worth of length")
    assert paid is not None and coined is not None
    assert paid["reading"] == "pays for it" and paid["low"] > 0.5
    assert abs(coined["value"]) < 3.5 * (coined["high"] - coined["low"]) / 3.92


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    none = pa.array([None] * 3, pa.float64())
    rows = as_rows(np.ones(3), np.ones(3), ["a"] * 3, ["b"] * 3, chosen_judge_score=none, rejected_judge_score=none)
    with pytest.raises(InputError, match="both scores and a comparison"):
        DiagnoseRatings().sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))


def test_real_ratings_and_rankings(tmp_path: Path) -> None:
    """45 pairs judged twice by GPT-3.5; the figures are counted here once more, row by row."""
    root = os.environ.get("RATHER_TEST_DATA")
    path = Path(root or "") / "feedback/rating_vs_ranking_sample.jsonl"
    if not root or not path.is_file():
        pytest.skip("RATHER_TEST_DATA is not set")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    side = {"a": 1.0, "b": 0.0, "equal": 0.5}
    ranked = np.array([side.get(str(line["ranking_choice"]), 0.5) for line in lines])
    ratings = {
        name: [float(line[f"rating_{end}"]) if line[f"rating_{end}"] else None for line in lines]
        for name, end in (("chosen", "a"), ("rejected", "b"))
    }
    rows = as_rows(
        ranked, ranked, [line["response_a"] for line in lines], [line["response_b"] for line in lines],
        **{f"{name}_judge_score": pa.array(values, pa.float64()) for name, values in ratings.items()},
    )  # fmt: skip
    facts = DiagnoseRatings().sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))
    triples = zip(ratings["chosen"], ratings["rejected"], ranked, strict=True)
    both = [(a, b, r) for a, b, r in triples if a is not None and b is not None]
    same = sum((a > b) - (a < b) == {1.0: 1, 0.5: 0, 0.0: -1}[r] for a, b, r in both)
    assert 30 < len(both) == facts["rows"] == sum(sum(line.values()) for line in facts["confusion"].values())
    assert value(facts, "consistent, strictly") == pytest.approx(same / len(both), abs=1e-4)
