"""Pairs and questions decided without their picture; items that tell models apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import ANSWER, COLUMNS
from rather.filters.blind_solvable import BlindAccuracy, BlindPreference, BlindSolvable
from rather.filters.discriminative import Discrimination, Discriminative, point_biserial, results_of

from ..judges import FakeContext, between, judged, pairs, text_of
from ..narrows import narrow_of
from ..photos import photo

PICTURE = {"bytes": photo(1), "path": None}


def better(text: str) -> str:
    """Prefers the answer that says more; falls for the first place where asked about a hat."""
    if "hat" in text:
        return "A"
    first, second = between(text, "# Answer A", "# Answer B"), text.split("# Answer B", 1)[1]
    return "A" if "certainly" in first else "B" if "certainly" in second else "tie"


def test_pairs_are_judged_without_their_pictures() -> None:
    batch = pairs(("why", "certainly so", "no"), ("a hat", "yes", "no"), ("why", "no", "certainly"), ("why", None, "b"))
    batch = batch.append_column("images", pa.array([[PICTURE]] * 4, COLUMNS["images"]))
    found, judge = judged(BlindPreference(), batch, better)
    assert found["blind_p"] == [1, 0.5, 0, None] and found["blind_p_outcome"] == ["ok", "ok", "ok", "no text"]
    assert len(judge.requests) == 6 and all(isinstance(r["messages"][-1]["content"], str) for r in judge.requests)


def test_answers_that_are_pictures_cannot_be_judged_blind() -> None:
    batch = pairs(("why", "certainly", "no"))
    with_picture = pa.array([{"text": "certainly", "image": PICTURE}], ANSWER)
    found, judge = judged(BlindPreference(), batch.set_column(2, "chosen", with_picture), better)
    assert found["blind_p"] == [1] and isinstance(judge.requests[0]["messages"][-1]["content"], str)
    alone = pa.array([{"text": None, "image": PICTURE}], ANSWER)
    found, judge = judged(BlindPreference(), batch.set_column(2, "chosen", alone), better)
    assert found["blind_p_outcome"] == ["no text"] and not judge.requests


def test_what_is_decided_without_the_picture_goes() -> None:
    rows = pa.table({"blind_p": [1.0, 1.0, 0.5, None, 0.0], "judge_p": [1.0, 0.0, 1.0, 1.0, 1.0]})
    gone = "decided without the picture"
    assert BlindSolvable().why_drop(rows).to_pylist() == [gone, gone, None, None, None]
    assert BlindSolvable(seen="judge_p").why_drop(rows).to_pylist() == [gone, None, None, None, None]
    strict = BlindSolvable(unjudged=False).why_drop(rows).to_pylist()
    assert strict == [gone, gone, None, "not judged without the picture", None]
    assert BlindSolvable().columns_read() == ("blind_p",)


def test_questions_answered_right_without_the_picture() -> None:
    batch = pairs(("how many?", "", ""), ("how many?", "", ""), ("colour?", "", ""), reference=["3", None, "4"])
    batch = batch.append_column("images", pa.array([[PICTURE]] * 3, COLUMNS["images"]))
    stage = BlindAccuracy(samples=1)
    found, asked = judged(
        stage, batch, lambda text: "There are 3." if "many" in text else "I'm sorry, I cannot see it."
    )
    assert found["blind_accuracy"] == [1, None, 0], "a refusal is no right answer"
    assert found["blind_accuracy_outcome"] == ["ok", "no reference", "ok"]
    assert all(isinstance(r["messages"][-1]["content"], str) and text_of(r) for r in asked.requests)
    assert BlindAccuracy(temperature=0).faults() and not stage.faults() and BlindPreference(samples=2).faults()


def naive(results: list[list[float]]) -> list[float]:
    """Pearson's correlation of an item with the total of the others, which is what r_pb is."""
    table = np.array(results, float)
    found = []
    for item in table:
        rest = table.sum(axis=0) - item
        found.append(np.corrcoef(item, rest)[0, 1] if item.std() and rest.std() else np.nan)
    return found


RESULTS = [[1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]


def test_r_is_the_correlation_with_the_other_items() -> None:
    assert point_biserial(np.array(RESULTS, float)) == pytest.approx(naive(RESULTS), nan_ok=True)
    random = np.random.default_rng(3).integers(0, 2, (40, 9)).astype(float)
    assert point_biserial(random) == pytest.approx(naive(random.tolist()), nan_ok=True)
    # by hand: totals of the rest 1, 0, 1, 0 … of one other item that agrees perfectly
    assert point_biserial(np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1]], float)) == pytest.approx([1, 1])


def test_an_item_is_not_part_of_its_own_total() -> None:
    noise = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1]], float)
    assert (point_biserial(noise) < 0).all(), "with themselves in the total they would seem to discriminate"


def test_the_best_items_by_cost_are_kept(tmp_path: Path) -> None:
    narrow = narrow_of(tmp_path, {"results": RESULTS, "cost": [1.0, 2.0, 1.0, 1.0, 0.0]})
    r = naive(RESULTS)
    assert Discriminative().select(narrow).to_pylist() == [
        None, None, "discriminates too little", "all models right or all wrong", None
    ]  # fmt: skip
    best = int(np.nanargmax(np.round(r, 9)))
    one = Discriminative(keep=1).select(narrow).to_pylist()
    assert one[best] is None and one.count("beyond the number kept") == 2
    by_cost = Discriminative(keep=1, cost="cost").select(narrow).to_pylist()
    assert by_cost[4] == "no cost above 0" and by_cost.count(None) == 1
    found = Discrimination().fit(narrow, FakeContext({}))
    assert found["discrimination"].to_pylist()[3] is None and found["wrong_rate"].to_pylist()[:2] == [0.5, 0.5]


def test_a_missing_result_leaves_its_item_out(tmp_path: Path) -> None:
    listed: list[Any] = [*RESULTS, [1, None, 0, 0, 0, 0], None]
    narrow = narrow_of(tmp_path, {"results": listed})
    assert Discriminative().select(narrow).to_pylist()[5:] == ["a result is missing"] * 2
    found = point_biserial(results_of(narrow.column("results")))
    assert found[:5] == pytest.approx(naive(RESULTS), nan_ok=True) and np.isnan(found[5:]).all()


@pytest.mark.parametrize(
    ("results", "cause"),
    [
        ([[1, 0, 1, 0]], "results of 4 models"),
        ([[1] * 5, [1] * 6], "from 5 to 6"),
        ([None], "no results"),
        ([[2, 0, 1, 0, 1]], "2 is no result"),
    ],
)
def test_too_few_models_are_refused(tmp_path: Path, results: Any, cause: str) -> None:
    narrow = narrow_of(tmp_path, {"results": pa.array(results, pa.list_(pa.int64()))})
    for work in (lambda: Discriminative().select(narrow), lambda: Discrimination().fit(narrow, FakeContext({}))):
        with pytest.raises(InputError, match=cause):
            work()
